import sys
from typing import Any

import pytest

from vitruvius.core import progress as module
from vitruvius.core.progress import in_notebook, progress_bar


def test_where_stderr_is_no_terminal_it_is_silent(capsys: pytest.CaptureFixture[str]) -> None:
    with progress_bar() as bar:
        task = bar.add_task("Training", total=2)
        bar.advance(task, 2)
    assert bar.disable
    assert capsys.readouterr() == ("", "")


def test_on_a_terminal_it_writes_to_stderr(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    assert progress_bar(show=False).disable
    with progress_bar() as bar:
        bar.advance(bar.add_task("Training", total=1))
    out, err = capsys.readouterr()
    assert out == ""
    assert "Training" in err
    assert "1/1" in err


def test_notebooks_are_known(notebook: list[Any]) -> None:
    assert in_notebook()


def test_scripts_are_no_notebooks() -> None:
    assert not in_notebook()


def test_a_notebook_keeps_one_bar_below_the_cell(
    notebook: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "REDRAW", 0.0)
    with progress_bar() as bar:
        task = bar.add_task("Training [x]", total=2)
        bar.update(task, advance=1)
        bar.update(task, advance=1)
    drawn = [str(each._repr_mimebundle_([], [])["text/html"]) for each in notebook]
    assert ["1/2" in each for each in drawn].count(True) == 1
    assert "2/2" in drawn[-1]
    assert "Training [x]" in drawn[-1]


def test_a_bar_that_is_not_asked_for_is_silent_in_notebooks(notebook: list[Any]) -> None:
    with progress_bar(show=False) as bar:
        bar.update(bar.add_task("Training", total=2), advance=1)
    assert notebook == []
