"""Search in spaces too large to list: where candidates come from, and what each source is worth.

    python benchmarks/large_search.py --out benchmarks/results

Five cases (`_large_cases.py`): one objective, limits, several objectives. Every method is Bayesian
optimisation with one surrogate and one acquisition function; what differs is where candidates come
from, and whether they climb. Two tables a case:

- Regret by evaluations, and at the CPU time that mutations alone took for all evaluations: how far
  the best lies below the best that any run found; of several objectives, the share of the best
  hypervolume that is missing. Proposals and improvements by source.
- How well the acquisition function is maximised: along one run, the value that each source finds,
  less the best that all together find with many times the candidates and climbers.

Sources that ask a generator are left out where none ships for the space. DARTS has no public table
here: `--train-darts 200` trains random networks for its truth.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from functools import partial
from itertools import product
from multiprocessing import get_context
from pathlib import Path
from statistics import mean
from typing import Any

import torch
from _large_cases import CASES, DARTS, DARTS_FILE, curve, held_out, problem_of
from _report import kept_rows, markdown, standard_error, write
from trained_search import IMAGES, fashion

from vitruvius import space
from vitruvius.bo import initial_design
from vitruvius.bo.methods.bayesian import BayesianOptimization
from vitruvius.bo.methods.resolver import method
from vitruvius.bo.methods.sources.gather import propose_candidates
from vitruvius.bo.methods.sources.resolver import sources_of
from vitruvius.bo.methods.sources.source import Asked
from vitruvius.bo.problem import Problem
from vitruvius.bo.trial import History, Proposal, Trial
from vitruvius.core.seeding import derive_seed
from vitruvius.evaluators import Evaluation
from vitruvius.evaluators.training import TrainingEvaluator
from vitruvius.generators.diffusion import GraphDiffusion
from vitruvius.generators.resolver import generator_for

DATA = Path(__file__).parents[1].parent / "shared" / "data"
BASE = "bo:sources=mutation;climbers=0"
CLIMBED = "bo:sources={};climbers=12"
METHODS = (
    "random",
    "evolution",
    BASE,
    "bo:sources=renoising;climbers=0",
    "bo:sources=diffusion;climbers=0",
    "bo:sources=diffusion+mutation;climbers=0",
    CLIMBED.format("mutation"),
    *(
        CLIMBED.format(f"mutation+{source}")
        for source in ("uniform", "conditioned", "renoising", "ranked")
    ),
)
BUDGET, INITIAL, AT = 100, 5, (10, 25, 40, 60, 100)
# Sources whose candidates are valued along a run, and how many climb.
VALUED = (
    ("mutation", 0), ("mutation", 12), ("uniform", 12), ("crossover", 12), ("drawn", 12),
    ("conditioned", 12), ("renoising", 12), ("ranked", 12), ("diffusion", 0), ("diffusion", 12),
    ("mutation+uniform", 12), ("mutation+renoising", 12), ("mutation+conditioned", 12),
)  # fmt: skip
STAGES = (12, 25, 50, 100)
# Sources that bring uniform draws, or nothing, where no generator ships.
ASKING = {"diffusion", "drawn", "conditioned", "renoising", "ranked"}
POOL = 1000
# What is found with many more: all sources, ten times the candidates, and ten times the climbers.
ALL, MANY, CLIMBERS = "mutation+crossover+uniform+drawn+conditioned+renoising", 10_000, 120
# Versions of the sources; bump to run their jobs anew.
VERSION = 1


def main() -> None:
    """Runs what is missing, then writes the tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--case", choices=CASES, nargs="+", default=list(CASES))
    parser.add_argument("--methods", nargs="+", default=list(METHODS))
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--valued", type=int, default=3, help="runs along which sources are valued")
    parser.add_argument("--train-darts", type=int, default=0)
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--out", type=Path, default=Path("benchmarks/results"))
    parser.add_argument("--kept", type=Path, help="jobs; large_search.jsonl of --out by default")
    parser.add_argument("--data-folder", type=Path, default=DATA)
    arguments = parser.parse_args()
    kept = arguments.kept or arguments.out / "large_search.jsonl"
    wanted = [name for name in arguments.case if _there(name, arguments)]
    seeds = range(arguments.seeds)
    jobs = [
        *(
            ("search", *job)
            for job in product(wanted, arguments.methods, seeds)
            if _has_sources(job[0], _sources(job[1]), arguments)
        ),
        *(("value", name, BASE, seed) for name in wanted for seed in range(arguments.valued)),
    ]
    with ProcessPoolExecutor(
        arguments.workers, mp_context=get_context("spawn"), initializer=_one_thread
    ) as pool:
        _train(pool, arguments)
        done = {row["key"] for row in kept_rows(kept)}
        running = {
            pool.submit(_run, *job, arguments.data_folder, arguments.out): job
            for job in jobs
            if _key(*job) not in done
        }
        for finished in as_completed(running):
            print(*running[finished], flush=True)
            with kept.open("a") as file:
                print(json.dumps({"key": _key(*running[finished]), **finished.result()}), file=file)
    found = kept_rows(kept)
    parts = []
    for name in wanted:
        rows = [row for row in found if row["case"] == name]
        rows = [row for row in rows if _has_sources(name, _sources(row["method"]), arguments)]
        note = held_out(problem_of(name, arguments.data_folder, arguments.out))
        parts.append(f"**{CASES[name].title}.** {note}".strip())
        valued = [each for each in VALUED if _has_sources(name, each[0], arguments)]
        parts += [_regrets(name, rows, arguments), _shares(rows), _values(rows, valued)]
    write(arguments.out, "large_search", {"runs": found}, "\n\n".join(filter(None, parts)))


def _there(name: str, arguments: argparse.Namespace) -> bool:
    files = [arguments.data_folder / file for file in CASES[name].files]
    if name == "darts" and not arguments.train_darts:
        files = [arguments.out / DARTS_FILE]
    missing = [file.name for file in files if not file.is_file()]
    if missing:
        print(f"{name} is skipped: {', '.join(missing)} not there")
    return not missing


def _has_sources(case: str, names: str, arguments: argparse.Namespace) -> bool:
    """Whether there is a generator to ask where sources ask one."""
    kind = problem_of(case, arguments.data_folder, arguments.out).space
    return ASKING.isdisjoint(names.split("+")) or isinstance(generator_for(kind), GraphDiffusion)


def _sources(method: str) -> str:
    return method.partition("sources=")[2].partition(";")[0]


def _key(what: str, case: str, text: str, seed: int) -> str:
    return f"{what} {case} {text} {seed} {VERSION}"


def _one_thread() -> None:
    torch.set_num_threads(1)


def _run(what: str, case: str, text: str, seed: int, folder: Path, results: Path) -> dict[str, Any]:
    problem = problem_of(case, folder, results)
    found = (_search if what == "search" else _value)(problem, text, seed)
    if what == "search":
        found["best"] = curve(case, found.pop("values"), folder, results)
    return {"what": what, "case": case, "method": text, "seed": seed, **found}


def _initial(problem: Problem, seed: int) -> list[Proposal]:
    """The same architectures for every method."""
    rows = initial_design(problem.space, 400, derive_seed(seed, "initial"))
    return [
        Proposal(tuple(row), "initial") for row in rows[problem.possible(rows)][:INITIAL].tolist()
    ]


def _steps(
    problem: Problem, text: str, seed: int
) -> Iterator[tuple[list[Trial], dict[str, float], float]]:
    """Evaluates one proposal after the other; gives all trials, what was seen and CPU time."""
    searcher, proposals = method(text), _initial(problem, seed)
    trials: list[Trial] = []
    while len(trials) < BUDGET:
        number, started = len(trials), time.process_time()
        proposal = (
            proposals[number]
            if number < len(proposals)
            else searcher.propose(History(problem, trials), derive_seed(seed, "propose", number))
        )
        seconds = time.process_time() - started
        assert proposal is not None
        told = problem.evaluator.evaluate(proposal.row).metrics
        seen = {name: told[name] for name in problem.learned}
        architecture = problem.space.architecture(proposal.row)
        trials.append(Trial(number, proposal).finish(Evaluation(architecture, seen)))
        yield trials, dict(told), seconds


def _search(problem: Problem, text: str, seed: int) -> dict[str, Any]:
    told, seconds, sources, rows = [], [], [], []
    for trials, metrics, spent in _steps(problem, text, seed):
        told.append(metrics)
        seconds.append(round(spent, 4))
        sources.append(trials[-1].proposal.source)
        rows.append(trials[-1].proposal.row)
    measured = {name: torch.tensor([each[name] for each in told]) for name in told[0]}
    values = {**problem.exact(torch.tensor(rows)), **measured}
    return {"values": values, "sources": sources, "cpu_seconds": seconds}


def _value(problem: Problem, text: str, seed: int) -> dict[str, Any]:
    """Along one run, what each source finds; its candidates stand for none of the run's."""
    generator = generator_for(problem.space)
    kept: dict[str, Any] = {}
    for trials, _, _ in _steps(problem, text, seed):
        if len(trials) not in STAGES:
            continue
        history, asker = History(problem, trials), BayesianOptimization()
        drawn = derive_seed(seed, "valued", len(trials))
        asked = Asked(history, partial(_worth, asker, history, drawn), generator)
        asker.score(history, history.x[:1], drawn)
        found = {}
        for names, climbers in (*VALUED, (ALL, CLIMBERS)):
            many = MANY if climbers == CLIMBERS else POOL
            started = time.process_time()
            x, _ = propose_candidates(asked, sources_of(names), many, drawn, climbers=climbers)
            best = float(asked.value(x).max()) if len(x) else None
            found[f"{names}, {climbers}"] = [best, time.process_time() - started, len(x)]
        kept[str(len(trials))] = found
    return {"found": kept}


def _worth(
    asker: BayesianOptimization, history: History, seed: int, x: torch.Tensor
) -> torch.Tensor:
    return asker.score(history, x, seed).acquisition


def _train(pool: ProcessPoolExecutor, arguments: argparse.Namespace) -> None:
    """Trains random networks of DARTS that are not in the file yet."""
    path, kind = arguments.out / DARTS_FILE, space(DARTS)
    done = {row["architecture"] for row in kept_rows(path)}
    drawn = [str(kind.architecture(row)) for row in kind.sample(arguments.train_darts, 0)]
    left = [text for text in drawn if text not in done]
    running = {pool.submit(_trained, text, arguments.data_folder): text for text in left}
    for finished in as_completed(running):
        with path.open("a") as file:
            print(json.dumps(finished.result()), file=file)


def _trained(text: str, folder: Path) -> dict[str, Any]:
    raw = fashion(folder / "fashion_mnist.npz")
    trainer = TrainingEvaluator(space(DARTS), raw, **{**IMAGES, "epochs": 5})
    found = trainer.evaluate(text, seed=0)
    return {"architecture": text, "accuracy": 100 * found.metrics["accuracy"]}


# -- tables ---------------------------------------------------------------------------------------


def _curves(
    name: str, rows: list[dict[str, Any]], arguments: argparse.Namespace
) -> dict[str, list[tuple[list[float], list[float]]]]:
    """By method: the regret of every run after each evaluation, and its CPU seconds till then."""
    found: dict[str, list[tuple[list[float], list[float]]]] = {}
    for row in rows:
        if row["what"] == "search":
            spent = torch.tensor(row["cpu_seconds"]).cumsum(0).tolist()
            found.setdefault(row["method"], []).append((row["best"], spent))
    top = max(best[-1] for runs in found.values() for best, _ in runs)
    several = problem_of(name, arguments.data_folder, arguments.out).multiple
    share = top if several else 1.0
    return {
        text: [([(top - value) / share for value in best], spent) for best, spent in runs]
        for text, runs in found.items()
    }


def _regrets(name: str, rows: list[dict[str, Any]], arguments: argparse.Namespace) -> str:
    if all(row["what"] != "search" for row in rows):
        return ""
    curves = _curves(name, rows, arguments)
    base = curves.get(BASE, [])
    goal = mean(best[-1] for best, _ in base) if base else None
    allowed = mean(spent[-1] for _, spent in base) if base else None
    lines = []
    for text, runs in curves.items():
        means = [mean(best[i] for best, _ in runs) for i in range(BUDGET)]
        reached = next((i + 1 for i, value in enumerate(means) if goal and value <= goal), None)
        last = [_at_time(best, spent, allowed) for best, spent in runs] if allowed else []
        lines.append(
            [
                text, len(runs), *(_spread([best[i - 1] for best, _ in runs]) for i in AT),
                reached or f"> {BUDGET}", _spread(last) if last else None,
                mean(spent[-1] / BUDGET for _, spent in runs),
            ]
        )  # fmt: skip
    columns = [
        "method", "seeds", *(f"regret @{i}" for i in AT), "evaluations to mutations' last",
        "regret at mutations' CPU time", "CPU s / proposal",
    ]  # fmt: skip
    return markdown(columns, lines)


def _at_time(best: list[float], spent: list[float], allowed: float) -> float:
    """The regret of what was proposed within a CPU time."""
    return next((b for b, s in zip(best[::-1], spent[::-1], strict=True) if s <= allowed), best[0])


def _spread(values: list[float]) -> str:
    error = standard_error(values)
    return f"{mean(values):.4f}" + ("" if error is None else f" ± {error:.4f}")


def _shares(rows: list[dict[str, Any]]) -> str:
    """Proposals, and those that were better than all before, by source."""
    lines = []
    for text in dict.fromkeys(row["method"] for row in rows if row["what"] == "search"):
        runs = [r for r in rows if r["what"] == "search" and r["method"] == text]
        sources = [s for run in runs for s in run["sources"] if s != "initial"]
        kinds = sorted(set(sources))
        if len(kinds) < 2:
            continue
        gains = [s for run in runs for s in _gains(run)]
        for kind in kinds:
            share = gains.count(kind) / len(gains) if gains else 0.0
            lines.append([text, kind, sources.count(kind) / len(sources), share])
    columns = ["method", "source", "share of proposals", "share of improvements"]
    return markdown(columns, lines) if lines else ""


def _gains(run: dict[str, Any]) -> list[str]:
    """The sources of what was better than all before."""
    steps = zip(run["best"], run["best"][1:], run["sources"][1:], strict=False)
    return [source for before, after, source in steps if after > before and source != "initial"]


def _values(rows: list[dict[str, Any]], valued: list[tuple[str, int]]) -> str:
    runs = [row["found"] for row in rows if row["what"] == "value"]
    if not runs:
        return ""
    lines = []
    for names, climbers in valued:
        key, cells = f"{names}, {climbers}", []
        spent: list[float] = []
        for stage in map(str, STAGES):
            gaps = []
            for run in runs:
                top = max(best for best, _, _ in run[stage].values() if best is not None)
                best, seconds, _ = run[stage][key]
                spent.append(seconds)
                if best is not None:
                    gaps.append(best - top)
            cells.append(f"{mean(gaps):.2f}" if gaps else "–")
        lines.append([names, climbers, *cells, mean(spent)])
    columns = ["sources", "climbers", *(f"after {i}" for i in STAGES), "CPU s"]
    return markdown(columns, lines)


if __name__ == "__main__":
    main()
