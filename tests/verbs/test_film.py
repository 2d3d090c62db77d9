from pathlib import Path

import pytest
from typer.testing import CliRunner

from vitruvius.cli import app
from vitruvius.core.errors import UsageError
from vitruvius.verbs.film import film


def test_from_nothing_to_all() -> None:
    drawn = film("nasbench201", steps=2, seed=0)
    assert "step 0 of 2, 0 of 6 known" in drawn
    assert "step 2 of 2, 6 of 6 known" in drawn
    assert drawn == film("nasbench201", steps=2, seed=0)


def test_what_reveals_nothing() -> None:
    with pytest.raises(UsageError, match="step by step"):
        film("nasbench201", generator="uniform")


def test_command_line(tmp_path: Path) -> None:
    file = tmp_path / "film.svg"
    arguments = ["draw", "nasbench201", "--film", "--steps", "2", "--seed", "1", "--out", str(file)]
    assert CliRunner().invoke(app, arguments).exit_code == 0
    assert file.read_text() == film("nasbench201", steps=2, seed=1)
