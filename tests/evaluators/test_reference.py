from __future__ import annotations

import os
import pickle
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import cloudpickle
import pytest

from vitruvius.core.errors import UnknownNameError, UsageError
from vitruvius.evaluators import reference
from vitruvius.evaluators.reference import code_of_files, is_reference, pickled, referenced
from vitruvius.spaces import space

CELLS = space("nasbench201")
SOURCE = """
from pathlib import Path
from vitruvius.evaluators import Evaluation, Evaluator, Metric

FLAG = 3

def evaluate(architecture, *, scale=1):
    return {"ones": scale * architecture.indices.count(1)}

class Trainer(Evaluator):
    def __init__(self, space, *, epochs=1):
        super().__init__(space, {"epochs": Metric("epochs", "", "higher")})
        self.epochs = epochs

    def evaluate(self, architecture, fidelity=None, seed=0, context=None):
        return Evaluation(self.space.architecture(architecture), {"epochs": float(self.epochs)})
"""


@pytest.fixture
def file(tmp_path: Path, request: pytest.FixtureRequest) -> Path:
    path = tmp_path / f"train_{abs(hash(request.node.name))}.py"
    path.write_text(SOURCE)
    return path


def test_references_by_their_form() -> None:
    assert is_reference("train.py:evaluate")
    assert is_reference("a.b:C")
    assert not is_reference("cora")
    assert not is_reference("table.csv:accuracy=c10")


def test_functions_and_classes_of_files_take_options(file: Path) -> None:
    twice = referenced(CELLS, f"{file}:evaluate", "ones", {"scale": 2})
    assert twice.evaluate((1, 1, 0, 0, 0, 0)).metrics == {"ones": 4.0}
    long = referenced(CELLS, f"{file}:Trainer", "", {"epochs": 90})
    assert long.evaluate((0,) * 6).metrics == {"epochs": 90.0}
    with pytest.raises(UnknownNameError, match=r"Did you mean 'epochs"):
        referenced(CELLS, f"{file}:Trainer", "", {"epoch": 90})


@pytest.mark.slow
def test_another_process_imports_the_file_by_its_own_name(file: Path) -> None:
    """Processes that an evaluator starts can, too; what is pickled holds no code."""
    made = referenced(CELLS, f"{file}:evaluate", "ones")
    pickled = cloudpickle.dumps(made)
    assert file.stem.encode() in pickled
    assert b"scale" not in pickled
    told = subprocess.run(
        [sys.executable, "-c", f"import {file.stem} as t; print(t.evaluate.__module__)"],
        cwd=file.parent,
        capture_output=True,
        text=True,
        check=True,
    )
    assert told.stdout.strip() == file.stem
    with code_of_files():
        assert b"scale" in cloudpickle.dumps(made), "for machines that do not have it"


@pytest.mark.parametrize("name", ["json", "train-v2.1", "class", "größe 7", "{0}"])
def test_a_file_of_any_name_is_run_under_one_that_processes_find(tmp_path: Path, name: str) -> None:
    """What it holds open need not be sent, and no module loses its place."""
    path = tmp_path / f"{name}.py"
    path.write_text(f"HELD = open(__file__)\n{SOURCE}")
    made = referenced(CELLS, f"{path}:evaluate", "ones")
    assert made.evaluate((1,) * 6).metrics == {"ones": 6.0}
    assert hasattr(sys.modules["json"], "dumps")
    sent = pickled(made)
    assert b"scale" not in sent
    assert cloudpickle.loads(sent).evaluate((1,) * 6).metrics == {"ones": 6.0}
    module = sys.modules[referenced(CELLS, f"{path}:Trainer", "").__module__]
    assert Path(module.__file__ or "") == path
    assert pickle.loads(pickle.dumps(module.Trainer)) is module.Trainer
    module.HELD.close()


def test_what_a_named_evaluator_holds_is_made_again_by_workers(tmp_path: Path) -> None:
    path = tmp_path / "holder.py"
    path.write_text(
        SOURCE.replace("epochs = epochs", "epochs, self.held = epochs, threading.Lock()")
        + "\nimport threading"
        + "\nready = Trainer(__import__('vitruvius').space('nasbench201'), epochs=4)\n"
        + "call = lambda a: {'ones': ready.epochs}\n"
    )
    for name, options in {"ready": {}, "Trainer": {"epochs": 4}, "call": {}}.items():
        made = referenced(CELLS, f"{path}:{name}", "ones", options)
        again = cloudpickle.loads(pickled(made))
        assert list(again.evaluate((1,) * 6).metrics.values()) == [4.0]


def test_what_cannot_be_had_is_said(file: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no file"):
        referenced(CELLS, f"{tmp_path}/nowhere.py:evaluate", "ones")
    with pytest.raises(UnknownNameError, match="Did you mean 'evaluate'"):
        referenced(CELLS, f"{file}:evalute", "ones")
    with pytest.raises(UsageError, match="is a int"):
        referenced(CELLS, f"{file}:FLAG", "ones")
    broken = tmp_path / "broken_trainer.py"
    broken.write_text("import nowhere_to_be_found")
    with pytest.raises(UsageError, match=r"cannot be imported: ModuleNotFoundError"):
        referenced(CELLS, f"{broken}:evaluate", "ones")


@pytest.fixture
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    reference._home_of_aliases.cache_clear()
    yield tmp_path
    reference._home_of_aliases.cache_clear()


@pytest.mark.skipif(os.name != "posix", reason="users have numbers there")
def test_what_is_written_for_files_of_any_name_is_used_again(temporary: Path) -> None:
    home = reference._home_of_aliases()
    reference._home_of_aliases.cache_clear()  # as in another process
    assert reference._home_of_aliases() == home
    assert list(temporary.iterdir()) == [home]
    assert home.stat().st_mode & 0o777 == 0o700


@pytest.mark.skipif(os.name != "posix", reason="users have numbers there")
@pytest.mark.parametrize("kind", ["link", "file", "writable"])
def test_nothing_is_imported_from_a_folder_that_others_may_write_to(
    temporary: Path, kind: str
) -> None:
    taken = temporary / f"vitruvius-{os.getuid()}"
    if kind == "link":
        (temporary / "other").mkdir()
        taken.symlink_to(temporary / "other")
    elif kind == "file":
        taken.touch()
    else:
        taken.mkdir()
        taken.chmod(0o777)
    assert reference._home_of_aliases() != taken
