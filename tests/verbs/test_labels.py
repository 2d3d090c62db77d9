"""Labels on any evaluator, kept by a run that goes on where it was stopped."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

import vitruvius
from vitruvius.core.errors import UnknownNameError, UsageError
from vitruvius.evaluators import Evaluation, Evaluator, Metric, Table
from vitruvius.spaces import Architecture, space
from vitruvius.verbs.search import open_search

CELLS = space("nasbench201")
SCRIPT = """
import time
from pathlib import Path

HERE = Path(__file__).parent

def evaluate(architecture):
    with open(HERE / "seen.txt", "a") as seen:
        print(architecture, file=seen)
    time.sleep(0.1)
    return {"score": sum(architecture.indices), "other": 1.0}
"""


class Slow(Evaluator):
    """No table: one architecture at a time."""

    def __init__(self) -> None:
        super().__init__(CELLS, {"acc": Metric("acc", "%", "higher", (0.0, 100.0))})
        self.calls = 0

    def evaluate(self, architecture, fidelity=None, seed=0, context=None):  # type: ignore[no-untyped-def, override]
        self.calls += 1
        architecture = self.space.architecture(architecture)
        if architecture.indices[0] == 4:
            return Evaluation(architecture, status="failed", reason="diverged")
        return Evaluation(architecture, {"acc": 5.0 * sum(architecture.indices)})


def score(architecture: Architecture) -> dict[str, float]:
    return {"score": float(sum(architecture.indices))}


def test_any_evaluator_gives_labels() -> None:
    """After case "labels of any evaluator"."""
    slow = Slow()
    result = vitruvius.sample(
        CELLS, data=slow, target="acc>=60", labels=30, n=5, predictor="ridge", executor="serial"
    )
    assert slow.calls == result.summary["labels_used"] == 30
    failed = result.summary["labels_failed"]
    assert 0 < failed < 30
    assert result.summary["predictor"] == {"acc": "ridge"}
    assert all(sum(a.architecture.indices) >= 8 for a in result.samples)
    assert result.samples[0].measured is None, "nothing is evaluated after sampling"
    again = vitruvius.sample(CELLS, data=slow, target="acc>=60", n=2)
    assert again.summary["labels_used"] == 0, "none are spent unasked where they cost"
    assert "allow some with `labels`" in again.notes[0]


@pytest.mark.slow
def test_functions_give_labels_and_a_run_keeps_them(tmp_path: Path) -> None:
    asked = {"target": "score>=14", "predictor": "ridge", "n": 3, "seed": 3}
    made = vitruvius.sample(
        CELLS, data=score, labels=20, run=tmp_path / "run", executor="serial", **asked
    )
    kept = open_search(tmp_path / "run", evaluator=score).result()
    assert [t.status for t in kept.trials] == ["ok"] * 20
    calls: list[Architecture] = []
    more = vitruvius.sample(
        CELLS,
        data=lambda a: calls.append(a) or score(a),
        labels=20,
        run=tmp_path / "run",
        executor="serial",
        **asked,
    )
    assert not calls, "all labels were there"
    assert more.to_json()["architectures"] == made.to_json()["architectures"]
    free = vitruvius.sample(CELLS, labels_from=tmp_path / "run", **asked)
    assert free.to_json()["architectures"] == made.to_json()["architectures"]
    assert free.summary["labels_used"] == 20


@pytest.mark.slow
def test_a_run_labels_what_a_table_would_without_one(tmp_path: Path) -> None:
    x = CELLS.sample(300, 1).unique(dim=0)
    metric = Metric("acc", "%", "higher", (0.0, 100.0))
    table = Table(CELLS, x, {"acc": x.sum(1).double()}, {"acc": metric})
    asked = {"data": table, "target": "acc>=14", "labels": 12, "seed": 1}
    plain = vitruvius.sample(CELLS, predictor="ridge", n=2, **asked)
    kept = vitruvius.sample(CELLS, predictor="ridge", n=2, run=tmp_path / "run", **asked)
    assert kept.to_json()["architectures"] == plain.to_json()["architectures"]


def test_results_of_a_file_are_labels(tmp_path: Path) -> None:
    x = CELLS.sample(12, 0).unique(dim=0)
    told = tmp_path / "told.csv"
    lines = [f"{a},{sum(a.indices)}" for a in CELLS.architectures(x)]
    told.write_text("\n".join(["architecture,score", *lines]))
    result = vitruvius.sample(CELLS, target="score>=10", labels_from=told, predictor="ridge", n=3)
    assert result.summary["labels_used"] == len(x)
    told.write_text("architecture,other\n" + lines[0])
    with pytest.raises(UsageError, match="no result of score"):
        vitruvius.sample(CELLS, target="score>=10", labels_from=told)
    with pytest.raises(UsageError, match="cannot be read"):
        vitruvius.sample(CELLS, target="score>=10", labels_from=tmp_path / "nowhere.csv")


def test_failures_of_all_labels_are_said() -> None:
    def broken(architecture: Architecture) -> dict[str, float]:
        raise RuntimeError("no card")

    with pytest.raises(
        UsageError, match=r"first evaluations all failed alike: RuntimeError: no card"
    ):
        vitruvius.sample(CELLS, data=broken, target="score>=1", labels=4, executor="serial")


@pytest.mark.slow
def test_killed_and_resumed_with_two_workers_no_label_is_lost_or_spent_twice(
    tmp_path: Path,
) -> None:
    (tmp_path / "labelling.py").write_text(SCRIPT)
    command = [
        Path(sys.executable).parent / "vitruvius",
        *("sample", "nasbench201", "--evaluator", "labelling.py:evaluate"),
        *("--target", "score>=12", "--labels", "30", "--workers", "2", "--run", "labels"),
        *("--predictor", "ridge", "-n", "3", "--format", "json"),
    ]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    first = subprocess.Popen(
        command, cwd=tmp_path, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    seen = tmp_path / "seen.txt"
    until = time.monotonic() + 300
    while not seen.is_file() or len(seen.read_text().splitlines()) < 8:
        assert first.poll() is None, first.stderr
        assert time.monotonic() < until
        time.sleep(0.02)
    first.send_signal(signal.SIGKILL)
    first.communicate()
    done = subprocess.run(
        command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=True
    )
    summary = json.loads(done.stdout)["summary"]
    assert (summary["labels_used"], summary["labels_failed"]) == (30, 0)
    trials = open_search(tmp_path / "labels").result().trials
    assert len({trial.proposal.row for trial in trials}) == len(trials) == 30
    finished = [line for line in seen.read_text().splitlines() if line]
    # Only what was running when the process was killed runs again.
    assert len(set(finished)) == 30
    assert len(finished) <= 32


def test_counts_are_of_the_users_task_in_every_verb(tmp_path: Path) -> None:
    """After case "counts for another task"."""
    graphs = space("nas-bench-graph")
    rng = np.random.default_rng(0)
    nodes = 60
    edges = np.stack([np.arange(nodes), (np.arange(nodes) + 1) % nodes])
    file = tmp_path / "mine.npz"
    np.savez(file, x=rng.random((nodes, 3703)), edges=edges, y=np.arange(nodes) % 6)
    task = vitruvius.datasets.load_raw(file).task
    result = vitruvius.sample("nas-bench-graph", data=str(file), target="params<=1.4M", n=3)
    for entry in result.samples:
        built = graphs.build(entry.architecture, task)
        assert entry.exact["params"] == sum(p.numel() for p in built.parameters()) <= 1.4e6
    assert result.summary["task"] == str(task)
    same = vitruvius.sample("nas-bench-graph", task=str(task), target="params<=1.4M", n=3)
    assert same.to_json()["architectures"] == result.to_json()["architectures"]
    found = vitruvius.search(
        "nas-bench-graph",
        evaluator=score,
        maximize="score",
        where="params<=1.4M",
        task="classes=6, features=3703",
        budget=4,
        method="random",
        executor="serial",
        run=tmp_path / "run",
    )
    for trial in found.trials:
        built = graphs.build(found.architecture(trial), task)
        assert sum(p.numel() for p in built.parameters()) <= 1.4e6
    opened = open_search(tmp_path / "run", evaluator=score)
    assert opened.problem.space.task.features == 3703
    with pytest.raises(UnknownNameError, match="field of a task"):
        vitruvius.sample("nas-bench-graph", task="colours=3")
