"""Jobs of `search.py`: one search with one method, seed and case; kept as a line of JSON."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Iterable
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import torch
from _search_cases import INITIAL, cases, known, look_up, problem_of, seen
from _transfer_tasks import TRANSFER, from_earlier

from vitruvius.bo import initial_design
from vitruvius.bo.method import Method
from vitruvius.bo.methods import method
from vitruvius.bo.methods.warm_start import WarmStart
from vitruvius.bo.problem import Problem
from vitruvius.bo.trial import History, Proposal, Trial
from vitruvius.core.seeding import derive_seed
from vitruvius.evaluators.evaluation import Evaluation

# Bump a method's number when what it proposes has changed; its jobs then run anew.
VERSIONS = {"bo": 4, "transfer": 6}
# Draws before constraints, of which the first that are possible are the initial design.
DRAWS = 400
# Slow ones get fewer seeds.
SLOW, SLOW_SEEDS = ("bananas", "boosting", "ctnas", "gp-wl", "nao", "pruned-space"), 20
# What stands for the data folder in a method's text.
FOLDER = "DATA"


@dataclass(frozen=True)
class Job:
    """One search.

    Args:
        case: Name of the case.
        method: Name and options, e.g. ``"evolution:population=20"``.
        seed: Of the initial design and of every decision.
        folder: Where the data files are.
    """

    case: str
    method: str
    seed: int
    folder: Path

    @property
    def key(self) -> str:
        """Changes with whatever the result depends on."""
        case = cases()[self.case]
        version = VERSIONS.get(self.method.partition(":")[0], 1)
        facts = [self.case, case.budget, case.settings, INITIAL, self.method, version, self.seed]
        return hashlib.sha1(json.dumps(facts).encode()).hexdigest()[:16]


def run(job: Job) -> dict[str, Any]:
    """Searches until the budget, the space or, in oracle mode, what is left to find ends."""
    case = cases()[job.case]
    problem = problem_of(case, job.folder)
    look = look_up(problem)
    best = known(case, job.folder).best if case.stop else None
    if job.method.partition(":")[0] == TRANSFER:
        searcher: Method = from_earlier(job.case, job.method, job.folder, job.seed)
        proposals = []
    else:
        searcher = method(job.method.replace(f"{FOLDER}/", f"{job.folder.resolve()}/"))
        proposals = [Proposal(tuple(row), "initial") for row in initial(problem, job.seed).tolist()]
    trials: list[Trial] = []
    measured: list[dict[str, float]] = []
    seconds = []
    while len(trials) < case.budget:
        number = len(trials)
        started = time.process_time()
        proposal = (
            proposals[number]
            if number < len(proposals)
            else searcher.propose(
                History(problem, trials), derive_seed(job.seed, "propose", number)
            )
        )
        seconds.append(time.process_time() - started)
        if proposal is None:
            break
        metrics = dict(look(proposal.row))
        measured.append(metrics)
        architecture = problem.space.architecture(proposal.row)
        told = Evaluation(architecture, seen(problem, metrics))
        trials.append(Trial(number, proposal).finish(told))
        if best is not None and metrics[problem.objectives[0].metric] == best:
            break
    x = torch.tensor([trial.proposal.row for trial in trials])
    exact = {name: column.tolist() for name, column in problem.exact(x).items()}
    told = searcher.report(History(problem, trials)) if isinstance(searcher, WarmStart) else {}
    return {
        "key": job.key,
        "case": job.case,
        "method": job.method,
        "seed": job.seed,
        "rows": x.tolist(),
        "sources": [trial.proposal.source for trial in trials],
        "metrics": {**exact, **{m: [each[m] for each in measured] for m in measured[0]}},
        "cpu_seconds": [round(value, 4) for value in seconds],
        **told,
    }


def initial(problem: Problem, seed: int) -> torch.Tensor:
    """The same architectures for every method: the first that are possible of some draws."""
    whole = problem.whole()
    rows = initial_design(
        problem.space if whole is None else whole, DRAWS, derive_seed(seed, "initial")
    )
    return rows[problem.possible(rows)][:INITIAL]


def done(path: Path) -> dict[str, dict[str, Any]]:
    """Results by key; a line cut off by an interruption is left out."""
    found = {}
    for line in path.read_text().splitlines() if path.exists() else []:
        try:
            result = json.loads(line)
        except json.JSONDecodeError:
            continue
        found[result["key"]] = result
    return found


def run_all(jobs: Iterable[Job], path: Path, workers: int) -> None:
    """Runs what is not done yet, and appends every result as it comes in."""
    finished = done(path)
    left = [job for job in jobs if job.key not in finished]
    print(f"{len(left)} searches to run", flush=True)
    path.parent.mkdir(parents=True, exist_ok=True)
    with (
        path.open("a") as lines,
        ProcessPoolExecutor(
            workers, mp_context=get_context("spawn"), initializer=_one_thread
        ) as pool,
    ):
        running = {pool.submit(run, job): job for job in left}
        for future in as_completed(running):
            result, job = future.result(), running[future]
            print(json.dumps(result), file=lines, flush=True)
            spent = sum(result["cpu_seconds"])
            print(f"{job.case} {job.method} {job.seed}: {spent:.1f} CPU s", flush=True)


def seeds_of(name: str, wanted: int, case_seeds: int) -> int:
    """Seeds of a method in a case."""
    most = min(wanted, case_seeds)
    return min(most, SLOW_SEEDS) if name.partition(":")[0] in SLOW else most


def _one_thread() -> None:
    torch.set_num_threads(1)
