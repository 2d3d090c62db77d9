import math

import numpy as np
import pytest

from vitruvius.core.cells import NotANumberError, read_numbers
from vitruvius.core.errors import TableError


@pytest.mark.parametrize(
    ("cells", "values", "unit", "decimal"),
    [
        (["79.13", "80"], [79.13, 80], "", ""),
        (["79,13", "80"], [79.13, 80], "", ","),
        (["0,123"], [0.123], "", ","),
        (["1,234", "1,234,567"], [1234, 1234567], "", ""),
        (["1.234", "1.234.567"], [1234, 1234567], "", ","),
        (["1.080,5", "3"], [1080.5, 3], "", ","),
        (["1,080.5", "1,234"], [1080.5, 1234], "", ""),
        (["1 234,5"], [1234.5], "", ","),
        (["1'234.5", "1\u202f000"], [1234.5, 1000], "", ""),
        (["1.234", "4.210"], [1.234, 4.21], "", ""),
        (["76.33%", "NA"], [76.33, math.nan], "%", ""),
        (["4,2 ms", "1 s"], [4.2, 1000], "ms", ","),
        (["12 µs", "3us"], [12, 3], "us", ""),
        (["1.2M", "300k", "5"], [1.2e6, 3e5, 5], "", ""),
        (["3 mJ", "4 mJ"], [3, 4], "mJ", ""),
        (["−3", "+4", "1e-3", "2E5"], [-3, 4, 1e-3, 2e5], "", ""),
        (["", "N/A", "null", "-", "nan", "None", "1"], [math.nan] * 6 + [1], "", ""),
        (["inf", "-inf"], [math.inf, -math.inf], "", ""),
        (["-", ""], [math.nan] * 2, "", ""),
    ],
)
def test_numbers_as_spreadsheets_and_programs_write_them(
    cells: list[str], values: list[float], unit: str, decimal: str
) -> None:
    read = read_numbers(np.array(cells), "c")
    np.testing.assert_array_equal(read.values, values)
    assert (read.unit, read.decimal) == (unit, decimal)


@pytest.mark.parametrize(
    ("marks", "decimal", "value"),
    [({"."}, "", 1234), ({","}, "", 1.234), (set(), ",", 1.234), ({","}, ".", 1234)],
)
def test_what_the_file_or_the_user_says_settles_the_decimal_mark(
    marks: set[str], decimal: str, value: float
) -> None:
    read = read_numbers(np.array(["1,234"]), "c", decimal=decimal, elsewhere=lambda: marks)
    assert read.values.tolist() == [value]


def test_points_part_thousands_where_the_rest_of_the_file_has_decimal_commas() -> None:
    assert read_numbers(np.array(["1.234"]), "c", elsewhere=lambda: {","}).values[0] == 1234


@pytest.mark.parametrize("marks", [set(), {".", ","}])
def test_an_open_decimal_mark_is_refused_with_the_choice(marks: set[str]) -> None:
    with pytest.raises(TableError, match=r"'1,234' in the column 'c'.*decimal=, or decimal=\."):
        read_numbers(np.array(["1,234", "2"]), "c", elsewhere=lambda: marks)


def test_two_decimal_marks_in_a_column_are_refused() -> None:
    with pytest.raises(TableError, match=r"points \('1\.5'\) and decimal commas \('1,5'\)"):
        read_numbers(np.array(["1,5", "1.5"]), "c")


@pytest.mark.parametrize(
    ("cells", "row"),
    [
        (["1", "x"], 1),
        (["1_000"], 0),
        (["1.2.3"], 0),
        (["1,2,3"], 0),
        (["2024-01-02"], 0),
        (["4 ms", "5"], 1),
        (["4 ms", "5 MB"], 1),
        (["5 3"], 0),
        (["1e99999"], 0),
    ],
)
def test_the_cell_that_is_no_number_is_named(cells: list[str], row: int) -> None:
    with pytest.raises(NotANumberError) as caught:
        read_numbers(np.array(cells), "c")
    assert (caught.value.row, caught.value.cell) == (row, cells[row])
