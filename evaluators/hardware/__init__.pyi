from .measured import (
    LatencyEvaluator as LatencyEvaluator,
    PeakMemoryEvaluator as PeakMemoryEvaluator,
)
