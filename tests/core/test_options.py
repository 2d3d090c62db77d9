import pytest
from hypothesis import given, strategies as st

from vitruvius.core.errors import UnknownNameError, UsageError
from vitruvius.core.options import check_options, read_options, split_options

words = st.from_regex(r"[a-z_]{1,8}", fullmatch=True).filter(
    lambda word: word not in ("y", "n", "on", "off", "yes", "no", "null", "true", "false")
)


@given(words, st.dictionaries(words, st.integers() | words | st.booleans()))
def test_what_is_written_is_read(name: str, options: dict[str, object]) -> None:
    written = ",".join(f"{key}={str(value).lower()}" for key, value in options.items())
    assert split_options(f"{name}:{written}") == (name, options)
    assert read_options(f"C:{name}", written) == options


@pytest.mark.parametrize("text", ["bo:pool", "bo:pool=1,ucb", "bo:=,x"])
def test_what_is_no_option(text: str) -> None:
    with pytest.raises(UsageError, match="is not an option of 'bo'"):
        split_options(text)


def test_options_that_nothing_takes() -> None:
    def factory(population: int, *, tournament: int = 3) -> None: ...

    check_options("evolution", {"population": 5, "tournament": 3}, factory)
    with pytest.raises(UnknownNameError, match=r"option of evolution 'popula'.*'population'"):
        check_options("evolution", {"popula": 5}, factory)


@pytest.mark.parametrize(
    ("option", "wrong", "wanted"),
    [
        ("count", "many", "a whole number"),
        ("count", 2.5, "a whole number"),
        ("count", True, "a whole number"),
        ("rate", "fast", "a number"),
        ("rate", False, "a number"),
        ("fast", 1, "true or false"),
        ("said", 2, "text"),
        ("count", None, "a whole number"),
        ("most", "all", "a whole number"),
    ],
)
def test_options_of_another_kind(option: str, wrong: object, wanted: str) -> None:
    def factory(
        count: int, rate: float, fast: bool, said: str, most: int | None = None, **_: object
    ) -> None: ...

    right = {"count": 2, "rate": 1, "fast": True, "said": "x", "most": None, "other": 1}
    check_options("it", right, factory)
    with pytest.raises(UsageError, match=f"`{option}` of it is {wanted}, got {wrong!r}"):
        check_options("it", {option: wrong}, factory)
