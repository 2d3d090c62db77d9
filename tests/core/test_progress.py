import builtins
import importlib.util
import sys

import pytest

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


class ZMQInteractiveShell:
    """Called as the shell of Jupyter's kernels, which is what rich goes by."""


def test_notebooks_are_known_by_their_shell(monkeypatch: pytest.MonkeyPatch) -> None:
    assert not in_notebook()
    monkeypatch.setattr(builtins, "get_ipython", ZMQInteractiveShell, raising=False)
    assert in_notebook()


@pytest.mark.parametrize("installed", [True, False])
def test_in_notebooks_a_bar_needs_widgets(monkeypatch: pytest.MonkeyPatch, installed: bool) -> None:
    monkeypatch.setattr(builtins, "get_ipython", ZMQInteractiveShell, raising=False)
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: name if installed else None)
    assert progress_bar().disable != installed
    assert progress_bar(show=False).disable
