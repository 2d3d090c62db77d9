from .latency_table import LatencyTable as LatencyTable
from .measured import (
    LatencyEvaluator as LatencyEvaluator,
    PeakMemoryEvaluator as PeakMemoryEvaluator,
)
