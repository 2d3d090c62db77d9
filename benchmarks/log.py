"""What the log of a run costs: CPU milliseconds a trial by its length, and a bulk `tell`.

    python benchmarks/log.py --out benchmarks/results
    python benchmarks/log.py --postgresql postgresql://user@/db --out benchmarks/results

A trial is what a search does for one: read what has changed, look for the dead, claim, finish. Each
storage is measured in a process of its own, on one thread, in this process's CPU time; what a
database server spends is not in it.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
import uuid
from pathlib import Path
from typing import Any

from _report import markdown, write

LENGTHS = (100, 1_000, 10_000)
# The last trials of each length are timed.
TIMED = 100
TOLD = 10_000


def main() -> None:
    """Measures every storage, then writes the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=Path("benchmarks/results"))
    parser.add_argument("--postgresql", help="URL of a database to write to")
    parser.add_argument("--storage", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.storage:
        print(json.dumps(measure(arguments.storage)))
        return
    with tempfile.TemporaryDirectory() as folder:
        storages = {
            "SQLite": f"sqlite:///{folder}/run.sqlite",
            "journal": f"journal://{folder}/run.log",
        }
        if arguments.postgresql:
            storages["PostgreSQL"] = arguments.postgresql
        rows = []
        for name, url in storages.items():
            rows.append({"storage": name, **_in_its_own_process(url)})
            print(rows[-1], flush=True)
    text = markdown(list(rows[0]), [list(row.values()) for row in rows])
    write(arguments.out, "log", {"runs": rows, "timed": TIMED, "told": TOLD}, text)


def measure(url: str) -> dict[str, Any]:
    """One storage, in this process."""
    import torch

    from vitruvius.bo.methods import RandomSearch
    from vitruvius.bo.problem import Problem
    from vitruvius.bo.search import Search
    from vitruvius.bo.store import Run, RunConfig, TrialLog
    from vitruvius.bo.store.external import ExternalResult
    from vitruvius.bo.trial import Proposal
    from vitruvius.evaluators import Evaluation, Metric
    from vitruvius.spaces import space

    torch.set_num_threads(1)
    nets = space("mobilenetv3")
    problem = Problem(nets, {"accuracy": Metric("accuracy", "%", "higher")}, maximize="accuracy")
    config = RunConfig(space=nets.name, maximize="accuracy")
    log = TrialLog(Run.create(config, problem.objectives, uuid.uuid4().hex, url), problem)
    found: dict[str, Any] = {}
    rows = [tuple(row) for row in nets.sample(max(LENGTHS), 0).tolist()]
    # Of what is not timed here, most is told at once.
    for length in LENGTHS:
        start = len(log.read())
        log.append(
            [
                Evaluation(nets.architecture(row), {"accuracy": 1.0})
                for row in rows[start : length - TIMED]
            ]
        )
        began = time.process_time()
        for place in range(length - TIMED, length):
            log.read()
            log.reap()
            entry = log.claim(place, Proposal(rows[place], "random"))
            assert entry is not None
            log.finish(entry, Evaluation(nets.architecture(rows[place]), {"accuracy": 1.0}))
        spent = (time.process_time() - began) / TIMED * 1e3
        found[f"cpu_ms_a_trial_at_{length}"] = round(spent, 2)
    fresh = Run.create(config, problem.objectives, uuid.uuid4().hex, url)
    search = Search(problem, RandomSearch(), fresh)
    names = nets.sample(2 * TOLD, 1).unique(dim=0)[:TOLD]
    results = [
        ExternalResult(architecture=nets.to_string(row), metrics={"accuracy": 1.0})
        for row in names.tolist()
    ]
    began = time.process_time()
    assert search.tell_all(results)["told"] == TOLD
    found["cpu_s_tell"] = round(time.process_time() - began, 2)
    began = time.process_time()
    assert len(TrialLog(fresh, problem).read()) == TOLD
    found["cpu_s_open"] = round(time.process_time() - began, 2)
    return found


def _in_its_own_process(url: str) -> dict[str, Any]:
    done = subprocess.run(
        [sys.executable, __file__, "--storage", url],
        check=True,
        capture_output=True,
        text=True,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


if __name__ == "__main__":
    main()
