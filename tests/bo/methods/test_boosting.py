from collections.abc import Callable
from functools import partial

import pytest

from vitruvius.bo.method import Method
from vitruvius.bo.methods import BoostingSearch
from vitruvius.testing import MethodContract


@pytest.mark.slow
class TestContract(MethodContract):
    @pytest.fixture
    def make(self) -> Callable[[], Method]:
        return partial(BoostingSearch, members=2)
