import json
from pathlib import Path

import numpy as np
import pytest

from vitruvius.core.errors import TableError
from vitruvius.core.frames import parse_delimited, read_frame

ARCH = "[0,0,1,1]|cheb|gcn|gat|gin"


@pytest.mark.parametrize(
    ("text", "separator"),
    [
        (f'arch,acc\n"{ARCH}",1\n', ""),
        (f"arch;acc\n{ARCH};1\n", "semicolons"),
        (f"arch\tacc\n{ARCH}\t1\n", "tabs"),
        (f"arch   acc\n{ARCH}     1\n", "spaces"),
        (f"sep=;\narch;acc\n{ARCH};1\n", "semicolons"),
        (f'\n arch , acc\n\n "{ARCH}", 1 \n\n', ""),
        (f'"arch";"acc"\n"{ARCH}";"1"\n', "semicolons"),
        (f',arch,acc\n0,"{ARCH}",1\n', ""),
        (f"arch;acc;\n{ARCH};1;\n", "semicolons"),
    ],
)
def test_what_parts_the_cells_is_found(text: str, separator: str) -> None:
    frame = parse_delimited(text, "mine")
    assert frame.separator == separator
    columns = {name: column.tolist() for name, column in frame.columns.items()}
    assert columns == {"arch": [ARCH], "acc": ["1"]}


def test_a_file_of_one_column_is_not_parted() -> None:
    assert parse_delimited(f"arch\n{ARCH}\n", "mine").columns["arch"].tolist() == [ARCH]


def test_lines_with_decimal_commas_are_not_parted_by_them() -> None:
    frame = parse_delimited("a;b\n1,5;2,5\n", "mine")
    assert {name: column.tolist() for name, column in frame.columns.items()} == {
        "a": ["1,5"],
        "b": ["2,5"],
    }


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "is empty"),
        ("a,b\n1\n", "Row 1 of mine has 1 cells, its header names 2"),
        ("a,b\n1,2\n1,2,3\n", "Row 2 of mine has 3 cells"),
        ('a,b\n"1,2\n', "never closed"),
        ("a,a\n1,2\n", "two columns 'a'"),
    ],
)
def test_ragged_tables_have_one_clear_error(text: str, said: str) -> None:
    with pytest.raises(TableError, match=said):
        parse_delimited(text, "mine")


def test_every_format_gives_the_same_columns(tmp_path: Path) -> None:
    pd = pytest.importorskip("pandas")
    frame = pd.DataFrame({"arch": [ARCH, "b", "c"], "acc": [1.5, None, 3.0], "n": [1, 2, 3]})
    frame.to_csv(tmp_path / "a.csv")
    frame.to_csv(tmp_path / "a.tsv", sep="\t", index=False, encoding="utf-16")
    frame.to_json(tmp_path / "a.jsonl", orient="records", lines=True)
    frame.to_json(tmp_path / "a.json")
    frame.to_json(tmp_path / "b.json", orient="records")
    (tmp_path / "c.json").write_text(json.dumps(frame.where(frame.notna(), None).to_dict("list")))
    pytest.importorskip("pyarrow")
    frame.to_parquet(tmp_path / "a.parquet")
    frame.set_index("arch").to_parquet(tmp_path / "b.PARQUET")
    frame.to_feather(tmp_path / "a.feather")
    pytest.importorskip("openpyxl")
    frame.to_excel(tmp_path / "a.xlsx")
    files = sorted(tmp_path.iterdir())
    assert len(files) == 10
    for file in files:
        read = read_frame(file)
        assert sorted(read.columns) == ["acc", "arch", "n"], file.name
        assert read.columns["arch"].tolist() == [ARCH, "b", "c"], file.name
        assert [str(cell) for cell in read.columns["n"].tolist()] == ["1", "2", "3"], file.name
        acc = [float(cell) if cell != "" else np.nan for cell in read.columns["acc"].tolist()]
        np.testing.assert_array_equal(acc, [1.5, np.nan, 3.0], file.name)


@pytest.mark.parametrize("suffix", ["csv", "npz", "jsonl", "json", "parquet", "feather", "xlsx"])
def test_broken_files_of_every_format_have_one_clear_error(tmp_path: Path, suffix: str) -> None:
    file = tmp_path / f"broken.{suffix}"
    file.write_bytes(b"PK\x03\x04 \xff broken")
    with pytest.raises(TableError, match=r"broken\."):
        read_frame(file)


def test_damaged_text_in_parquet_is_refused(tmp_path: Path) -> None:
    pd, file = pytest.importorskip("pandas"), tmp_path / "a.parquet"
    pytest.importorskip("pyarrow")
    frame = pd.DataFrame({"arch": [f"cell {i}" for i in range(9)]})
    frame.to_parquet(file, compression=None)
    file.write_bytes(file.read_bytes().replace(b"cell 3", b"cell \xff"))
    with pytest.raises(TableError, match=r"a\.parquet is refused"):
        read_frame(file)
