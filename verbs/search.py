"""The second verb: search for the best architectures by evaluating as few as possible."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import yaml

from ..bo.method import Method
from ..bo.progress import Progress
from ..bo.result import SearchResult, result_of
from ..bo.search import Search
from ..bo.store import Run, RunConfig, TrialLog
from ..bo.store.moved import replaced
from ..core.errors import UsageError, VitruviusError
from ..core.texts import read_text
from ..core.torch_state import own_torch_state
from ..datasets.task import read_task
from ..evaluators.evaluator import Evaluator
from ..evaluators.resolver import (
    EvaluatorLike,
    evaluators_of,
)
from ..spaces import ProductSpace, Space, space as make_space
from ..spaces.resolver import preset
from .checks import AUTO, check_at_least, checked_executor
from .configured import AGAIN, method_of, problem_of, space_of
from .finished import (
    finished_trials,
    named_problem,
    source_of_run,
    warm_start_task,
)

__all__ = [
    "AUTO",
    "EvaluatorLike",
    "automatic_executor",
    "finished_trials",
    "new_search",
    "open_search",
    "resume",
    "run_to_end",
    "search",
    "show",
    "warm_start_task",
]

_SAY = logging.getLogger(__name__)


@own_torch_state()
def search(
    space: str | Space,
    *,
    evaluator: EvaluatorLike | Sequence[EvaluatorLike],
    maximize: str = "",
    minimize: str = "",
    where: str = "",
    budget: int = 100,
    method: str | Method = "bo",
    seed: int = 0,
    batch: int | None = None,
    initial: int | None = None,
    warm_start: Sequence[str | Path] = (),
    workers: int = 1,
    executor: str = AUTO,
    timeout: float | None = None,
    pruner: str = "none",
    run: str | Path | None = None,
    storage: str | None = None,
    architecture_column: str = "arch_str",
    metrics: str = "",
    tables: Sequence[str | Path] = (),
    task: str = "",
    progress: Progress | None = None,
) -> SearchResult:
    """Searches for the architectures that are best by evaluation.

    1. ``initial`` random architectures are evaluated.
    2. The method proposes one architecture after the other, up to ``batch`` of them before their
       results are in; nothing is proposed twice.
    3. A result or a failure is written to the run as soon as it is there. A run that was
       interrupted, however, goes on with `resume`, to the same end.

    Args:
        space: A space or its name.
        evaluator: A data set known for the space, the path of a table, ``file.py:name`` or
            ``package.module:name``, an `Evaluator`, or a function from an architecture to numbers
            (see `vitruvius.evaluator`); several are joined.
        maximize: Metrics, joined by commas.
        minimize: Metrics, joined by commas; several objectives give a front.
        where: Constraints, as the targets of `sample`.
        budget: Evaluations.
        method: ``"bo"`` or another of `vitruvius.bo.methods.names`, or a method.
        seed: Seed of everything random; the same seed and batch give the same trials.
        batch: Evaluations at the same time, over all processes; by default ``workers``.
        initial: Random architectures before the method decides; by default five, or none where
            there are earlier runs.
        warm_start: Folders of runs on the same space, from which the method ``bo`` starts as far as
            results bear them out.
        workers: Evaluations at the same time in this process.
        executor: ``"serial"``, ``"process"``, ``"ray"``, or ``"auto"``: serial for a table and one
            worker, else processes.
        timeout: Seconds after which an evaluation has failed.
        pruner: What stops evaluations whose reports fall behind: ``none``, ``asha``,
            ``hyperband`` or ``median`` (see `vitruvius.bo.pruners.pruner`).
        run: Folder to keep the run in, or with ``storage`` its name there; by default it ends with
            this process. A run that is there is joined.
        storage: ``postgresql://…``, ``sqlite:///FILE`` or ``journal:///FILE``.
        architecture_column: Column of a user's table that holds native strings.
        metrics: Metrics of a user's table, ``"accuracy=column, latency_ms=other"``.
        tables: Further files to join to a user's table.
        task: What architectures are built and counted for, ``"classes=6, features=3703"`` or the
            path of raw data, where neither the space nor the evaluator says it.
        progress: The display that is reported to; by default a table in notebooks, else none.

    Raises:
        UsageError: For arguments out of range, or a run that is there with other settings.
        TargetError: For constraints that cannot be read.
        UnknownNameError: For an unknown space, data set, metric, method or executor.
        TableError: For a table that cannot be read.
        MissingExtraError: For a data set, database or executor whose package is not installed.

    Example:
        >>> result = search(
        ...     "nas-bench-graph",
        ...     evaluator="cora",
        ...     maximize="valid_perf",
        ...     budget=20,
        ...     method="random",
        ... )
        >>> len(result.trials), result.summary["failed"]
        (20, 0)
    """
    made = new_search(
        space,
        evaluator=evaluator,
        maximize=maximize,
        minimize=minimize,
        where=where,
        budget=budget,
        method=method,
        seed=seed,
        batch=workers if batch is None else batch,
        initial=initial,
        warm_start=warm_start,
        workers=workers,
        executor=executor,
        timeout=timeout,
        pruner=pruner,
        run=run,
        storage=storage,
        architecture_column=architecture_column,
        metrics=metrics,
        tables=tables,
        task=task,
    )
    return run_to_end(made, budget, workers, executor, timeout, progress)


@own_torch_state()
def new_search(
    space: str | Space,
    *,
    evaluator: EvaluatorLike | Sequence[EvaluatorLike] | None = None,
    maximize: str = "",
    minimize: str = "",
    where: str = "",
    method: str | Method = "bo",
    run: str | Path | None = None,
    storage: str | None = None,
    architecture_column: str = "arch_str",
    metrics: str = "",
    tables: Sequence[str | Path] = (),
    task: str = "",
    warm_start: Sequence[str | Path] = (),
    **settings: Any,
) -> Search:
    """Makes a search, or joins the one that is there, without evaluating anything yet.

    Args:
        space: As for `search`.
        evaluator: As for `search`; None where results will be told (`Search.tell`).
        maximize: As for `search`.
        minimize: As for `search`.
        where: As for `search`.
        method: As for `search`.
        run: As for `search`.
        storage: As for `search`.
        architecture_column: As for `search`.
        metrics: As for `search`.
        tables: As for `search`.
        task: As for `search`.
        warm_start: As for `search`.
        **settings: Others of `RunConfig`: ``seed``, ``batch``, ``initial``, ``budget``,
            ``workers``, ``executor``, ``timeout``, ``pruner``, ``transfer``.

    Raises:
        UsageError: As for `search`.
        TargetError: For counted constraints that nothing can meet.
        UnknownNameError: As for `search`.

    Example:
        >>> made = new_search("nasbench201", maximize="accuracy", method="random")
        >>> trial = made.ask()[0]
        >>> made.tell(trial.number, {"accuracy": 93.1}).metrics
        {'accuracy': 93.1}
    """
    if storage is not None and run is None:
        raise UsageError("A run in a storage needs a name.", "Give one as `run`.")
    if settings.get("initial") is None:
        from ..bo.methods import initial_of

        settings["initial"] = 0 if warm_start else initial_of(method)
    least = {"budget": 1, "batch": 1, "initial": 0, "workers": 1}
    check_at_least(**{name: (settings.get(name, low), low) for name, low in least.items()})
    checked_executor(settings.get("executor", AUTO))
    found = make_space(space) if isinstance(space, str) else space
    if task:
        found = found.for_task(read_task(task, found.task))
    configs, given = evaluators_of(
        found,
        evaluator,
        architecture_column=architecture_column,
        metrics=metrics,
        tables=tables,
    )
    config = RunConfig(
        space=found.text,
        declaration=_declaration(space, found),
        evaluators=configs,
        task=str(found.task) if task else "",
        maximize=maximize,
        minimize=minimize,
        where=where,
        method=method if isinstance(method, str) else method.name,
        warm_start=tuple(source_of_run(found, each) for each in warm_start),
        **settings,
    )
    problem = problem_of(config, found, given)
    problem.check_names()
    left = problem.check_reachable()
    if problem.exact_constraints:
        _SAY.info(
            "%s leaves %s of what could be proposed.",
            problem.exact_constraints,
            f"{left:.2g}" if 0 < left < 0.001 else f"{left:.1%}" if left else "hardly any",
        )
    chosen = method_of(config, method, found)
    if run is None:
        return Search(problem, chosen, Run.in_memory(config, problem.objectives))
    return Search(problem, chosen, Run.create(config, problem.objectives, run, storage))


@own_torch_state()
def open_search(
    run: str | Path,
    storage: str | None = None,
    *,
    space: Space | None = None,
    evaluator: EvaluatorLike | Sequence[EvaluatorLike] | None = None,
    method: Method | None = None,
) -> Search:
    """Opens the search of a run.

    Args:
        run: Its folder, or with ``storage`` its name there.
        storage: As for `search`.
        space: Where it was made with a Python object that has no name.
        evaluator: Where it was made with a Python object; or, as text, where its evaluator is now.
        method: Where it was made with a Python object.

    Raises:
        UsageError: Where there is no such run, or a Python object has to be given again.
    """
    opened = Run.open(run, storage)
    config = opened.config
    found = space or space_of(config)
    configs, given = evaluators_of(found, evaluator)
    if evaluator is not None and not given:
        config = config.model_copy(update={"evaluators": replaced(config.evaluators, configs)})
    elif evaluator is None and not all(each.source for each in config.evaluators):
        raise UsageError(
            f"{opened.location} was made with an evaluator that only Python has.",
            AGAIN.format("evaluator"),
        )
    if config.task:
        found = found.for_task(read_task(config.task, found.task))
    problem = problem_of(config, found, given)
    made = Search(problem, method_of(config, method, found), opened)
    opened.relocate(config.evaluators)
    return made


@own_torch_state()
def show(run: str | Path, storage: str | None = None) -> SearchResult:
    """Sums up what a run holds, and writes nothing.

    Where its evaluator cannot be had here, what is counted is counted for the task of the space.

    Args:
        run: Its folder, or with ``storage`` its name there.
        storage: As for `search`.

    Raises:
        UsageError: Where there is no such run, or it is on a space that only Python has.

    Example:
        >>> import tempfile
        >>> made = new_search("nasbench201", maximize="accuracy", run=tempfile.mkdtemp())
        >>> made.tell((3,) * 6, {"accuracy": 93.0}).number
        0
        >>> show(made.log.run.location).best[0].metrics
        {'accuracy': 93.0}
    """
    opened = Run.open(run, storage, writable=False)
    config, notes = opened.config, []
    space = space_of(config)
    if config.task:
        space = space.for_task(read_task(config.task, space.task))
    try:
        if not all(each.source for each in config.evaluators):
            raise UsageError("Only Python has it.")
        problem = problem_of(config, space, ())
    except (VitruviusError, AttributeError) as error:
        problem = named_problem(config, space)
        why = str(error).rstrip(".")
        notes = [f"Its evaluator is not to be had here ({why}); counts are for: {space.task}."]
    more = {"method": config.method, "batch": config.batch, "seed": config.seed}
    told = result_of(problem, opened, TrialLog(opened, problem).read(), more)
    return replace(told, notes=[*told.notes, *notes])


@own_torch_state()
def resume(
    run: str | Path,
    storage: str | None = None,
    *,
    budget: int | None = None,
    workers: int | None = None,
    executor: str | None = None,
    timeout: float | None = None,
    space: Space | None = None,
    evaluator: EvaluatorLike | Sequence[EvaluatorLike] | None = None,
    method: Method | None = None,
    retry_failed: bool = False,
    progress: Progress | None = None,
) -> SearchResult:
    """Goes on with a run: after an interruption, beside other processes, or with more budget.

    Args:
        run: Its folder, or with ``storage`` its name there.
        storage: As for `search`.
        budget: Evaluations in the end, where that shall be more than before.
        workers: As for `search`; by default, as the next two, what the run was made with.
        executor: As for `search`.
        timeout: As for `search`.
        space: As for `open_search`.
        evaluator: As for `open_search`.
        method: As for `open_search`.
        retry_failed: Whether to evaluate again what has failed.
        progress: The display that is reported to; by default a table in notebooks, else none.

    Raises:
        UsageError: As for `open_search`, for a budget below that of the run, or other arguments out
            of range, or where the run has no evaluator.
    """
    opened = open_search(run, storage, space=space, evaluator=evaluator, method=method)
    config = opened.config
    if opened.problem.evaluator is None:
        raise no_evaluator(opened.log.run.location)
    if budget is not None:
        opened.log.run.check_budget(budget)
    workers = config.workers if workers is None else workers
    timeout = config.timeout if timeout is None else timeout
    executor = checked_executor(executor or config.executor)
    check_at_least(workers=(workers, 1))
    return run_to_end(
        opened, budget or config.budget, workers, executor, timeout, progress, retry_failed
    )


def run_to_end(
    made: Search,
    budget: int,
    workers: int,
    executor: str,
    timeout: float | None,
    progress: Progress | None,
    retry_failed: bool = False,
) -> SearchResult:
    """Runs a search until its budget is spent.

    Args:
        made: The search.
        budget: As for `search`.
        workers: As for `search`.
        executor: As for `search`.
        timeout: As for `search`.
        progress: As for `search`.
        retry_failed: As for `resume`.
    """
    evaluator = made.problem.evaluator
    if evaluator is not None:
        executor = automatic_executor(executor, evaluator, workers)
    return made.run(
        budget,
        workers=workers,
        executor=executor,
        timeout=timeout,
        retry_failed=retry_failed,
        progress=progress,
    )


def automatic_executor(name: str, evaluator: Evaluator, workers: int) -> str:
    """Returns the name of an executor: where it is ``auto``, serial for what is looked up.

    Args:
        name: As for `search`.
        evaluator: What it evaluates with.
        workers: Evaluations at the same time.
    """
    if name != AUTO:
        return name
    return "serial" if evaluator.batched and workers == 1 else "process"


def no_evaluator(location: str) -> UsageError:
    """Makes the error of a run that nobody here can evaluate for.

    Args:
        location: How users call the run.
    """
    return UsageError(
        f"{location} has no evaluator to run: its results are told.",
        "Use `ask` and `tell`; `vitruvius show` prints what it holds.",
    )


def _declaration(space: str | Space, found: Space) -> dict[str, Any] | None:
    """What the file of a space says; a product is made again of the text of its parts."""
    if not isinstance(space, str) or isinstance(found, ProductSpace):
        return None
    if not space.endswith((".yaml", ".yml")):
        return None
    declared: dict[str, Any] = yaml.safe_load(read_text(preset(space)))
    return declared
