import pytest

from vitruvius.core import errors
from vitruvius.core.errors import UnknownNameError, UsageError, VitruviusError, nearest

CHILDREN = [
    getattr(errors, name) for name in errors.__all__ if name not in ("VitruviusError", "nearest")
]


@pytest.mark.parametrize("kind", CHILDREN, ids=lambda kind: kind.__name__)
def test_children_are_what_a_caller_would_catch(kind: type[VitruviusError]) -> None:
    assert issubclass(kind, VitruviusError)
    assert len(kind.__bases__) == 2, "each is a builtin error, too"
    made = kind("What came.", "What to do.")
    assert (made.message, made.hint, str(made)) == (
        "What came.",
        "What to do.",
        "What came. What to do.",
    )


def test_without_a_hint_nothing_follows_the_message() -> None:
    assert str(UsageError("What came.")) == "What came."


def test_unknown_names_list_what_there_is_and_the_nearest() -> None:
    error = UnknownNameError.of("space", "nasbench21", ["b", "nasbench201"], "Or a file.")
    assert error.message == "Unknown space 'nasbench21'."
    assert error.hint == "Did you mean 'nasbench201'? Known: b, nasbench201. Or a file."
    assert UnknownNameError.of("space", "x", []).hint == "Known: none."


def test_nothing_is_nearest_where_nothing_is_near() -> None:
    assert nearest("Random", ["bo", "random"]) == "random"
    assert nearest("zzz", ["bo", "random"]) is None
