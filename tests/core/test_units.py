import pytest

from vitruvius.core.units import factor, split_unit


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        ("Latency [ms]", ("Latency", "ms")),
        ("latency (µs)", ("latency", "us")),
        ("Accuracy (%)", ("Accuracy", "%")),
        ("Energy[mJ]", ("Energy", "mJ")),
        ("accuracy (val)", ("accuracy (val)", "")),
        ("top [1]", ("top [1]", "")),
        ("[ms]", ("[ms]", "")),
        ("acc", ("acc", "")),
    ],
)
def test_headers_with_units(header: str, expected: tuple[str, str]) -> None:
    assert split_unit(header) == expected


def test_units_convert_within_their_kind_alone() -> None:
    assert factor("ms", "us") == 1000
    assert factor("%", "fraction") * 100 == 1
    assert factor("mJ", "mJ") == 1
    assert factor("mJ", "J") is None
