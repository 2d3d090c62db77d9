import pytest
from optuna.pruners import BasePruner

from vitruvius.bo.pruners import PRUNERS, pruner
from vitruvius.core.errors import UnknownNameError, UsageError


@pytest.mark.parametrize("name", PRUNERS)
def test_each_name_is_a_class_of_optunas(name: str) -> None:
    made = pruner(name)
    assert isinstance(made, BasePruner)
    assert type(made).__name__ == PRUNERS[name]


def test_options_reach_it() -> None:
    assert pruner("median:n_startup_trials=2")._n_startup_trials == 2  # type: ignore[attr-defined]


def test_mistakes_list_what_there_is() -> None:
    with pytest.raises(UnknownNameError, match="asha, hyperband, median, none"):
        pruner("ash")
    with pytest.raises(UnknownNameError, match="option of asha 'resource'"):
        pruner("asha:resource=2")
    with pytest.raises(UsageError, match="is not an option"):
        pruner("asha:2")
