from .analog_nasbench import AnalogNASBench as AnalogNASBench
from .nas_bench_graph import NASBenchGraphTable as NASBenchGraphTable
from .surrogate_benchmark import SurrogateBenchmark as SurrogateBenchmark
from .table import Table as Table
from .user_table import UserTable as UserTable
