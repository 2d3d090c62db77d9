"""Contract suites: inherit one in a test class and give its fixtures to test your own part."""

from __future__ import annotations

import pytest

# So that a failing contract shows the values, not a bare AssertionError.
pytest.register_assert_rewrite(
    "vitruvius.testing.generators",
    "vitruvius.testing.methods",
    "vitruvius.testing.predictors",
    "vitruvius.testing.spaces",
)

from .generators import GeneratorContract  # noqa: E402
from .methods import MethodContract, search  # noqa: E402
from .predictors import PredictorContract  # noqa: E402
from .second_device import second_device  # noqa: E402
from .spaces import SpaceContract, decode_at_random  # noqa: E402

__all__ = [
    "GeneratorContract",
    "MethodContract",
    "PredictorContract",
    "SpaceContract",
    "decode_at_random",
    "search",
    "second_device",
]
