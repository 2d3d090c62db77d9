import pytest
from jaxtyping import config

from vitruvius.core.errors import UsageError
from vitruvius.spaces import Variable
from vitruvius.spaces.variable import Kind, Role


@pytest.mark.parametrize(
    ("kind", "choices", "values"),
    [
        ("op", ("3", "5"), ("3", "5")),
        ("size", ("3", "5"), (3, 5)),
        ("size", ("w8", "16"), ("w8", "16")),
        ("bits", ("4", "8"), (4, 8)),
        ("recipe", ("0.001", "1"), (0.001, 1.0)),
        ("recipe", ("sgd", "adamw"), ("sgd", "adamw")),
        ("parent", ("0", "1"), (0, 1)),
    ],
)
def test_choices_are_what_they_are(
    kind: Kind, choices: tuple[str, ...], values: tuple[object, ...]
) -> None:
    variable = Variable("v", choices, kind, (2,))
    found = tuple(variable.value(index) for index in range(variable.size))
    assert found == values
    assert [type(value) for value in found] == [type(value) for value in values]


def test_an_edge_is_there_or_not() -> None:
    edge = Variable("e", ("0", "1"), "edge", (0, 1))
    assert [edge.value(index) for index in (0, 1)] == [False, True]


def test_roles_are_operations_unless_said() -> None:
    plain = Variable("v", ("a", "b"), "op", (0,))
    assert plain.roles == ("op", "op")
    assert plain == Variable("v", ("a", "b"), "op", (0,), ("op", "op"))
    assert plain != Variable("v", ("a", "b"), "op", (0,), ("op", "identity"))
    assert Variable("v", ("a", "b", "c"), "op", (0,), ("absent", "op", "absent")).having(
        "absent"
    ) == (0, 2)


@pytest.mark.parametrize(
    ("kind", "place", "roles", "message"),
    [
        ("op", (0,), ("op",), "a role for each of its 2 choices"),
        ("edge", (0, 1), ("absent", "op"), "cannot have roles"),
        ("parent", (1,), ("op", "identity"), "cannot have roles"),
        ("recipe", (), ("absent", "op"), "cannot have roles"),
    ],
)
def test_roles_that_cannot_be(
    kind: Kind, place: tuple[int, ...], roles: tuple[Role, ...], message: str
) -> None:
    with pytest.raises(UsageError, match=message):
        Variable("v", ("0", "1"), kind, place, roles)


def test_unknown_roles_are_refused() -> None:
    """Also where nothing checks annotations, as in a package that somebody else wrote."""
    checked = config.jaxtyping_disable
    config.update("jaxtyping_disable", True)
    try:
        with pytest.raises(UsageError, match="a role for each of its 2 choices"):
            Variable("v", ("0", "1"), "op", (0,), ("op", "zero"))  # type: ignore[arg-type]
    finally:
        config.update("jaxtyping_disable", checked)


def test_values_are_given_for_every_choice_or_none() -> None:
    assert Variable("v", ("3", "5"), "op", (0,), values=(3, 5)).value(1) == 5
    with pytest.raises(UsageError, match="a value for each of its 2 choices"):
        Variable("v", ("3", "5"), "op", (0,), values=(3,))
