from pathlib import Path

import pytest

import vitruvius
from vitruvius.core.errors import UnknownNameError, UsageError
from vitruvius.spaces import space
from vitruvius.spaces.accelerator.accelerator import Accelerator
from vitruvius.spaces.accelerator.chip_file import read_chip

CHIP = """\
# A chip of one's own.
chip:
  dataflow: [weight-stationary, row-stationary]
  rows: [8, 16]
  columns: 16
  noc_bytes_per_cycle: 32
  register_bytes: 64
  buffer_kib: 64
  weight_bits: 8
"""


def written(folder: Path, text: str) -> Path:
    path = folder / "mine.yaml"
    path.write_text(text)
    return path


def test_a_chip_is_a_space(tmp_path: Path) -> None:
    path = written(tmp_path, CHIP)
    chips = space(str(path))
    assert chips.architecture_count == 4
    # Its text makes it again, without the file.
    assert space(chips.text).variables == chips.variables
    both = space(f"nasbench201 x {path}")
    assert list(both.parts) == ["nasbench201", "accelerator"]  # type: ignore[attr-defined]


def test_a_run_keeps_the_chip(tmp_path: Path) -> None:
    path = written(tmp_path, CHIP)
    options = {"minimize": "rows", "evaluator": lambda chip: {"rows": chip["rows"]}}
    vitruvius.search(
        str(path), budget=2, run=tmp_path / "run", method="random", executor="serial", **options
    )
    path.unlink()
    told = vitruvius.resume(tmp_path / "run", budget=4, evaluator=options["evaluator"])
    assert told.best[0].metrics["rows"] == 8


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("rows: 8\n", "declares no chip"),
        ("chip: 8\n", "declares no chip"),
        ("chip: [\n", "is no YAML"),
        (f"{CHIP}name: mine\n", "says 'name' beside 'chip', line 10"),
        (CHIP.replace("rows: [8", "rows: [eight"), "`rows` of a chip is 'eight'"),
        (CHIP.replace("  rows: [8, 16]", "  rows: {least: 8}"), r"`rows` of a chip is .*line 4"),
    ],
)
def test_files_that_are_none(tmp_path: Path, text: str, message: str) -> None:
    path = written(tmp_path, text)
    with pytest.raises(UsageError, match=message):
        Accelerator(**read_chip(path))


def test_unknown_fields_have_their_line(tmp_path: Path) -> None:
    path = written(tmp_path, CHIP.replace("columns", "colums"))
    with pytest.raises(UnknownNameError, match=r"'colums'.*line 5"):
        read_chip(path)
