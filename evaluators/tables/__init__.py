"""Tables of published measurements, and users' own."""

from __future__ import annotations

from .analog_nasbench import AnalogNASBench
from .nas_bench_graph import NASBenchGraphTable
from .surrogate_benchmark import SurrogateBenchmark
from .table import Table
from .user_table import UserTable

__all__ = ["AnalogNASBench", "NASBenchGraphTable", "SurrogateBenchmark", "Table", "UserTable"]
