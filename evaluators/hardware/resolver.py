"""From a name to a measured metric, of what ships and of installed packages."""

from __future__ import annotations

from ...core.registry import Registry

__all__ = ["MEASURES"]

# A member is a class of evaluators, called with a space and options, that measures the metric it
# goes by on any network. An option that is given without its name is the class' `first_option`.
MEASURES = Registry(
    "measured metric",
    "vitruvius.measures",
    {
        "latency": "evaluators.hardware.measured:LatencyEvaluator",
        "peak_memory": "evaluators.hardware.measured:PeakMemoryEvaluator",
        "hardware": "evaluators.hardware.accelerators:AcceleratorEvaluator",
        "zigzag": "evaluators.hardware.zigzag.evaluator:ZigZagEvaluator",
        "proxy": "evaluators.proxies.evaluator:ProxyEvaluator",
    },
)
