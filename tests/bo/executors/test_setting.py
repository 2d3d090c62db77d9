"""What the user set for threads and start methods is not undone in workers."""

from __future__ import annotations

import multiprocessing
from pathlib import Path

import pytest
import torch

from vitruvius.bo.executors.setting import Setting
from vitruvius.verbs.search import search

TRAIN = """
import multiprocessing, os
import torch

torch.set_num_threads(3)
torch.manual_seed(7)
multiprocessing.set_start_method("spawn")
DRAWN = float(torch.rand(()))

def evaluate(architecture):
    method = multiprocessing.get_start_method(allow_none=True)
    assert method == "spawn", method
    os.system("echo spoilt")
    return {"accuracy": torch.get_num_threads(), "drawn": DRAWN}
"""


@pytest.fixture(autouse=True)
def as_before() -> object:
    threads = torch.get_num_threads()
    yield
    torch.set_num_threads(threads)
    multiprocessing.set_start_method(None, force=True)


@pytest.mark.parametrize(
    ("here", "variable", "expected"), [(2, "", 5), (4, "", 4), (4, "1", 2), (2, "1", 2)]
)
def test_a_worker_takes_its_share_unless_somebody_set_something(
    monkeypatch: pytest.MonkeyPatch, here: int, variable: str, expected: int
) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", variable)
    monkeypatch.delenv("MKL_NUM_THREADS", raising=False)
    torch.set_num_threads(2)  # as a new process has them
    Setting(threads=here, share=5, start_method=None).apply()
    assert torch.get_num_threads() == expected


def test_cores_are_shared() -> None:
    assert Setting.of_this_process(1).share >= Setting.of_this_process(2).share >= 1
    assert Setting.of_this_process(10_000).share == 1


@pytest.mark.parametrize("executor", ["serial", "process"])
def test_what_a_file_sets_holds_where_it_evaluates(
    tmp_path: Path, executor: str, capfd: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / f"sets_{executor}.py"
    path.write_text(TRAIN)
    state = torch.random.get_rng_state()
    told = search(
        "nasbench201", evaluator=f"{path}:evaluate", maximize="accuracy", method="random",
        budget=1, executor=executor, run=tmp_path / "run",
    )  # fmt: skip
    torch.random.set_rng_state(state)
    assert told.best[0].metrics["accuracy"] == 3
    assert told.best[0].metrics["drawn"] == pytest.approx(
        float(torch.rand((), generator=torch.Generator().manual_seed(7)))
    )
    assert told.summary["threads"] == 3
    assert "spoilt" not in capfd.readouterr().out
