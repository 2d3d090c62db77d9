from collections.abc import Callable

import pytest

from vitruvius.bo.method import Method
from vitruvius.bo.methods import Bananas
from vitruvius.testing import MethodContract


@pytest.mark.slow
class TestContract(MethodContract):
    @pytest.fixture
    def make(self) -> Callable[[], Method]:
        return Bananas
