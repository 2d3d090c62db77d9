"""Contract suites: inherit one in a test class and give its fixtures to test your own part."""

from __future__ import annotations

import pytest

# So that a failing contract shows the values, not a bare AssertionError.
pytest.register_assert_rewrite(
    "vitruvius.testing.methods", "vitruvius.testing.predictors", "vitruvius.testing.spaces"
)

from .methods import MethodContract, search  # noqa: E402
from .predictors import PredictorContract  # noqa: E402
from .spaces import SpaceContract, decode_at_random  # noqa: E402

__all__ = ["MethodContract", "PredictorContract", "SpaceContract", "decode_at_random", "search"]
