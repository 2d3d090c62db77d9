from collections.abc import Callable

import pytest

from vitruvius.bo.method import Method
from vitruvius.bo.methods import NSGA2
from vitruvius.testing import MethodContract


class TestContract(MethodContract):
    @pytest.fixture
    def make(self) -> Callable[[], Method]:
        return NSGA2
