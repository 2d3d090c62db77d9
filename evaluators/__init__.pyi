from .evaluation import Evaluation as Evaluation
from .evaluator import Evaluator as Evaluator
from .metric import Metric as Metric
from .resolver import data_sets as data_sets, evaluator as evaluator
from .tables.analog_nasbench import AnalogNASBench as AnalogNASBench
from .tables.nas_bench_graph import NASBenchGraphTable as NASBenchGraphTable
from .tables.surrogate_benchmark import SurrogateBenchmark as SurrogateBenchmark
from .tables.table import Table as Table
from .tables.user_table import UserTable as UserTable
from .targets import (
    Target as Target,
    Targets as Targets,
    exact_metrics as exact_metrics,
    parse_targets as parse_targets,
)
