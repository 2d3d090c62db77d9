import pytest

from vitruvius.bo.method import Method
from vitruvius.bo.methods import method, names
from vitruvius.core.errors import UnknownNameError


@pytest.mark.parametrize("name", sorted({*names()} - {"design"}))
def test_names_give_methods(name: str) -> None:
    found = method(name)
    assert isinstance(found, Method)
    assert found.name == name


def test_options_reach_the_constructor() -> None:
    assert method("evolution", population=7, tournament=2).__dict__ == {
        "population": 7,
        "tournament": 2,
    }


def test_unknown_names() -> None:
    with pytest.raises(UnknownNameError, match="Did you mean 'evolution'"):
        method("evolutoin")
    with pytest.raises(UnknownNameError, match="Did you mean 'population'"):
        method("evolution", populaton=3)
