"""Compressed files are read as what they hold, by every reader of text."""

import bz2
import gzip
import lzma
from collections.abc import Callable
from pathlib import Path

import pytest

from vitruvius.bo.store.external import read_results
from vitruvius.core.errors import TableError, UsageError
from vitruvius.core.frames import is_table, read_frame
from vitruvius.core.texts import read_text

TABLE = b"architecture,accuracy\na,93.5\nb,91\n"


@pytest.mark.parametrize(
    ("ending", "compress"),
    [(".gz", gzip.compress), (".BZ2", bz2.compress), (".xz", lzma.compress), (".gz", bytes)],
)
def test_compressed_tables_and_results(
    tmp_path: Path, ending: str, compress: Callable[[bytes], bytes]
) -> None:
    file = tmp_path / f"mine.csv{ending}"
    file.write_bytes(compress(TABLE))
    assert is_table(file)
    assert read_frame(file).columns["accuracy"].tolist() == ["93.5", "91"]
    assert [told.metrics["accuracy"] for told in read_results(file)] == [93.5, 91.0]
    assert read_text(file) == TABLE.decode()


def test_compressed_json(tmp_path: Path) -> None:
    for name in ("mine.json.gz", "mine.jsonl.gz", "mine.json"):
        file = tmp_path / name
        file.write_bytes(gzip.compress(b'{"architecture": "a", "metrics": {"accuracy": 93.5}}'))
        assert read_results(file)[0].metrics == {"accuracy": 93.5}


def test_broken_and_other_compressed_files(tmp_path: Path) -> None:
    file = tmp_path / "mine.csv.gz"
    file.write_bytes(gzip.compress(TABLE)[:-9])
    with pytest.raises(TableError, match=r"mine\.csv\.gz is compressed and broken"):
        read_frame(file)
    with pytest.raises(UsageError, match=r"compressed and broken"):
        read_text(file)
    other = tmp_path / "mine.parquet.gz"
    other.write_bytes(gzip.compress(b"PAR1"))
    with pytest.raises(TableError, match="no table that can be read"):
        read_frame(other)
