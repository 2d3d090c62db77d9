"""Commands around runs: search, resume, show, runs, ask, score, tell."""

from __future__ import annotations

import json
import shlex
import sys
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ..core.errors import VitruviusError
from ..core.output import talk_to_stderr
from ._app import (
    Column,
    Evaluators,
    ExecutorName,
    Format,
    Metrics,
    Output,
    RunFolder,
    Seed,
    SpaceName,
    Storage,
    Tables,
    TaskText,
    Timeout,
    Workers,
    command,
    first_table,
    resumable,
)
from ._printing import print_json, print_table, quantity, say

if TYPE_CHECKING:
    from ..bo.result import SearchResult

__all__ = ["ask", "resume", "runs", "score", "search", "show", "tell"]

RunName = Annotated[str, typer.Argument(help="Folder of the run; with --storage its name there.")]


@command()
def search(
    space: SpaceName,
    evaluators: Evaluators = None,
    maximize: Annotated[str, typer.Option(help="Metrics, joined by commas.")] = "",
    minimize: Annotated[str, typer.Option(help="Metrics, joined by commas.")] = "",
    where: Annotated[str, typer.Option(help='Constraints, e.g. "params<=2M, latency<=5ms".')] = "",
    budget: Annotated[int, typer.Option(help="Evaluations.")] = 100,
    method: Annotated[str, typer.Option(help="One of {methods}; options may follow.")] = "bo",
    batch: Annotated[
        int | None,
        typer.Option(
            help="Evaluations at the same time, over all processes; by default --workers."
        ),
    ] = None,
    initial: Annotated[
        int | None,
        typer.Option(
            help="Random architectures before the method decides; 5, or 0 with --from.",
            show_default=False,
        ),
    ] = None,
    warm_start: Annotated[
        list[str] | None,
        typer.Option(
            "--warm-start",
            "--from",
            help="An earlier run on the same space to start from; repeatable.",
        ),
    ] = None,
    workers: Workers = 1,
    executor: ExecutorName = "auto",
    timeout: Timeout = None,
    pruner: Annotated[str, typer.Option(help="Stops what falls behind: {pruners}.")] = "none",
    run: RunFolder = None,
    storage: Storage = None,
    seed: Seed = 0,
    table: Tables = None,
    architecture_column: Column = "arch_str",
    metrics: Metrics = "",
    task: TaskText = "",
    output: Output = Format.table,
) -> None:
    """Search for the best architectures by evaluating as few as possible."""
    evaluators, others = first_table(evaluators, table)
    kept = run or _fresh_name(space, storage)
    settings: dict[str, Any] = {
        "evaluator": evaluators,
        "maximize": maximize,
        "minimize": minimize,
        "where": where,
        "budget": budget,
        "method": method,
        "batch": workers if batch is None else batch,
        "initial": initial,
        "warm_start": warm_start or (),
        "workers": workers,
        "executor": executor,
        "timeout": timeout,
        "pruner": pruner,
        "run": kept,
        "storage": storage,
        "seed": seed,
        "architecture_column": architecture_column,
        "metrics": metrics,
        "tables": others,
        "task": task,
    }
    if evaluators is None:
        from ..verbs.search import new_search

        made = new_search(space, **settings)
        typer.echo(
            f"{made.log.run.location} is there. Ask with: vitruvius ask {_again(kept, storage)}"
        )
        return
    from ..bo.progress import progress
    from ..verbs.search import search as run_search

    with resumable(f"vitruvius resume {_again(kept, storage)}", lambda: _there(kept, storage)):
        result = run_search(space, **settings, progress=progress())
    _print_result(result, output)


@command()
def resume(
    run: RunName,
    storage: Storage = None,
    budget: Annotated[int | None, typer.Option(help="Evaluations in the end.")] = None,
    workers: Annotated[int | None, typer.Option(help="As for search.")] = None,
    executor: Annotated[str | None, typer.Option(help="As for search.")] = None,
    timeout: Timeout = None,
    evaluators: Annotated[
        list[str] | None,
        typer.Option("--evaluator", help="Where the evaluator is now, if not where it was."),
    ] = None,
    retry_failed: Annotated[
        bool, typer.Option("--retry-failed", help="Evaluate again what has failed.")
    ] = False,
    output: Output = Format.table,
) -> None:
    """Go on with a run: after an interruption, beside other processes, or with more budget."""
    from ..bo.progress import progress
    from ..verbs.search import resume as go_on

    with resumable(f"vitruvius resume {_again(run, storage)}"):
        result = go_on(
            run,
            storage,
            budget=budget,
            workers=workers,
            executor=executor,
            timeout=timeout,
            evaluator=evaluators or None,
            retry_failed=retry_failed,
            progress=progress(),
        )
    _print_result(result, output)


@command()
def show(run: RunName, storage: Storage = None, output: Output = Format.table) -> None:
    """Print the best and the trials of a run, finished or not; writes nothing."""
    from ..verbs.search import show as look

    with talk_to_stderr():
        result = look(run, storage)
    _print_result(result, output)


@command()
def runs(
    folder: Annotated[str, typer.Argument(help="Holds runs, or is one.")] = "runs",
    storage: Storage = None,
    output: Output = Format.table,
) -> None:
    """List runs: state, evaluations, prior results, failures, best."""
    from dataclasses import asdict

    from ..bo.store import list_runs

    found = list_runs(folder, storage)
    if output is Format.json:
        print_json([asdict(entry) for entry in found])
        return
    if not found:
        say(f"There are no runs in {storage or folder}.")
    rows = []
    for entry in found:
        if entry.problem:
            continue
        best = ", ".join(f"{name} {value:.6g}" for name, value in entry.best.items())
        if entry.front is not None:
            worst = ", ".join(f"{name} {value:.4g}" for name, value in entry.reference.items())
            best = f"front of {entry.front}, hypervolume {entry.hypervolume:.4g} from ({worst})"
        cells = (entry.run, entry.state, entry.space, entry.method)
        done = f"{entry.evaluated}/{entry.budget}"
        rows.append((*cells, done, str(entry.prior or "–"), str(entry.failed), best or "–"))
    heads = ("run", "state", "space", "method", "evaluated", "prior", "failed", "best")
    print_table(heads, rows, copied="run")
    for entry in found:
        if entry.problem:
            say(f"{entry.run}: {entry.problem}")


@command()
def ask(
    run: RunName,
    q: Annotated[int, typer.Option("-q", help="How many architectures.")] = 1,
    pool: Annotated[
        Path | None,
        typer.Option(help="Text file, one architecture a line; nothing else is proposed."),
    ] = None,
    storage: Storage = None,
    output: Output = Format.table,
) -> None:
    """Ask a run what to evaluate next, to evaluate it elsewhere."""
    from ..spaces.reading import read_rows
    from ..verbs.search import open_search

    with talk_to_stderr():
        made = open_search(run, storage)
    space = made.problem.space
    rows = None if pool is None else read_rows(space, pool)
    told = [
        {
            "number": trial.number,
            "architecture": str(space.architecture(trial.proposal.row)),
            "source": trial.proposal.source,
            "fidelity": trial.proposal.fidelity,
        }
        for trial in made.ask(q, rows)
    ]
    if output is Format.json:
        print_json({"run": run, "trials": told})
    else:
        keys = ("number", "architecture", "source")
        rows_told = [tuple(str(entry[key]) for key in keys) for entry in told]
        print_table(("trial", *keys[1:]), rows_told, copied="architecture")
    if len(told) < q:
        say(f"There are only {len(told)} left to propose.", "yellow")


@command()
def score(
    run: RunName,
    pool: Annotated[Path, typer.Argument(help="Text file, one architecture a line.")],
    storage: Storage = None,
    output: Output = Format.table,
) -> None:
    """Score architectures of your own by what a run has learnt, without evaluating them."""
    from ..spaces.reading import read_rows
    from ..verbs.search import open_search

    with talk_to_stderr():
        made = open_search(run, storage)
    space = made.problem.space
    rows = read_rows(space, pool)
    scores = made.score(rows)
    names = list(scores.predicted)
    told: list[dict[str, Any]] = [
        {
            "architecture": str(space.architecture(rows[i])),
            "acquisition": float(scores.acquisition[i]),
            "predicted": {
                name: {"mean": float(mean[i]), "std": float(std[i])}
                for name, (mean, std) in scores.predicted.items()
            },
        }
        for i in scores.acquisition.argsort(descending=True, stable=True).tolist()
    ]
    if output is Format.json:
        print_json({"run": run, "scores": told})
        return
    listed = []
    for entry in told:
        guesses = [entry["predicted"][name] for name in names]
        cells = [f"{guess['mean']:.5g} ± {guess['std']:.2g}" for guess in guesses]
        listed.append((entry["architecture"], *cells, f"{entry['acquisition']:.4g}"))
    print_table(("architecture", *names, "acquisition"), listed, copied="architecture")


@command()
def tell(
    run: RunName,
    file: Annotated[str, typer.Argument(help="JSON or CSV of results, or - for stdin.")],
    storage: Storage = None,
    output: Output = Format.table,
) -> None:
    """Tell a run results: of what was asked for, or of anything evaluated before."""
    from ..bo.store.external import parse_results, read_results
    from ..core.texts import decode
    from ..verbs.search import open_search

    if file == "-":
        results = parse_results(decode(sys.stdin.buffer.read(), "stdin"))
    else:
        results = read_results(file)
    with talk_to_stderr():
        told = open_search(run, storage).tell_all(results)
    if output is Format.json:
        typer.echo(json.dumps(told))
    else:
        typer.echo("  ".join(f"{name} {count}" for name, count in told.items()))


def _fresh_name(space: str, storage: str | None) -> str:
    # Without the options of the space, whose colon no folder should have.
    bare = Path(space).stem.partition(":")[0]
    name = f"{bare}-{datetime.now():%Y%m%d-%H%M%S}"
    return name if storage else str(Path("runs") / name)


def _there(run: str, storage: str | None) -> bool:
    """Whether a run is there; one that was interrupted at its start is not."""
    from ..bo.store import Run

    try:
        Run.open(run, storage, writable=False)
    except VitruviusError:
        return False
    return True


def _again(run: str, storage: str | None) -> str:
    return shlex.join([run, "--storage", storage] if storage else [run])


def _print_result(result: SearchResult, output: Format) -> None:
    if output is Format.json:
        print_json(result.to_json())
    else:
        problem = result.problem
        named = [entry.metric for entry in problem.objectives]
        named += [name for name in problem.constraints.names if name not in named]
        heads = [problem.metrics[name].head for name in named]
        rows = []
        for trial in result.best:
            values = result.metrics(trial)
            cells = [quantity(values[name]) for name in named]
            rows.append((str(result.architecture(trial)), *cells, str(trial.number)))
        print_table(("architecture", *heads, "trial"), rows, copied="architecture")
        shown = (
            "evaluated", "prior", "failed", "duplicates_avoided", "threads", "cpu_seconds",
            "wall_seconds", "run",
        )  # fmt: skip
        told = {key: result.summary[key] for key in shown if result.summary.get(key) is not None}
        typer.echo("  ".join(f"{key} {value}" for key, value in told.items()))
    for note in result.notes:
        say(note, "yellow")
    if not result.best:
        raise typer.Exit(3)
