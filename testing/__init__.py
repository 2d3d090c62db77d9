"""Contract suites: inherit one in a test class and give its fixtures to test your own part."""

from __future__ import annotations

from .predictors import PredictorContract
from .spaces import SpaceContract, decode_at_random

__all__ = ["PredictorContract", "SpaceContract", "decode_at_random"]
