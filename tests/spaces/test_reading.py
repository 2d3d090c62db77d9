from pathlib import Path

import pytest

from vitruvius.core.errors import ArchitectureError, UsageError
from vitruvius.spaces import space
from vitruvius.spaces.reading import read_rows

CELLS = space("nasbench201")
A, B = (CELLS.to_string(row) for row in ((3, 3, 3, 1, 3, 2), (1, 0, 2, 3, 4, 1)))


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\n\n"])
def test_lists_as_any_editor_saves_them(tmp_path: Path, encoding: str, end: str) -> None:
    file = tmp_path / "pool.txt"
    file.write_bytes(f"{end}{A} {end}{B}{end}".encode(encoding))
    assert read_rows(CELLS, file).tolist() == [[3, 3, 3, 1, 3, 2], [1, 0, 2, 3, 4, 1]]


def test_the_line_is_named(tmp_path: Path) -> None:
    file = tmp_path / "pool.txt"
    file.write_text(f"{A}\n\n|a~0|\n")
    with pytest.raises(ArchitectureError, match=r"Line 3 of pool\.txt: "):
        read_rows(CELLS, file)
    file.write_text("\n")
    with pytest.raises(UsageError, match="no architectures"):
        read_rows(CELLS, file)


def test_lines_that_begin_with_a_hash_are_remarks(tmp_path: Path) -> None:
    cells = space("nasbench201")
    file = tmp_path / "pool.txt"
    file.write_text(f"# from the last run\n{cells.to_string(cells.example)}\n  # none\n")
    assert read_rows(cells, file).tolist() == [list(cells.example)]
    file.write_text("# nothing yet\n")
    with pytest.raises(UsageError, match="holds no architectures"):
        read_rows(cells, file)
