"""The third verb: take a trained generator to a new data set."""

from __future__ import annotations

import json
import logging
import math
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from jaxtyping import Float, Int
from torch import Tensor

from ..bo.methods.warm_start import WarmStart
from ..bo.progress import Progress
from ..bo.trial import History
from ..core.device import resolve_device
from ..core.errors import UnknownNameError, UsageError
from ..core.output import check_writable, writing
from ..core.progress import in_notebook
from ..core.seeding import derive_seed
from ..core.torch_state import own_torch_state
from ..datasets.labelled import Labelled
from ..datasets.raw_data import RawData, is_raw, load_raw
from ..datasets.task import read_task
from ..encoders.tasks.task_description import TaskDescription
from ..evaluators.evaluator import Evaluator
from ..evaluators.resolver import EvaluatorLike, data_sets, evaluator as make_evaluator
from ..evaluators.targets import Target, Targets
from ..generators.across_tasks import SCORE, for_task
from ..generators.adapters import adapt
from ..generators.card import transfer_card
from ..generators.diffusion import GraphDiffusion
from ..generators.steering import reference_set
from ..predictors.goal import Goal
from ..predictors.multi_task import MultiTask
from ..predictors.source_task import SourceTask
from ..predictors.source_tasks import SourceTasks
from ..predictors.transferred import Transferred
from ..reports import write_text
from ..spaces import Space, names, space as make_space
from .checks import check_at_least, checked_executor
from .finished import source_of_run
from .labels import FEWEST
from .sample_result import SampleResult
from .sampler import Sampler
from .search import new_search, run_to_end
from .transfer_method import (
    BUILTIN,
    NewTask,
    base_generator,
    recipe_of,
    source_names,
    source_tasks,
)

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["BUILTIN", "TransferResult", "transfer"]

_SAY = logging.getLogger(__name__)

# What is asked for where no target names a value, and what the adapters learn from: the best of
# this share, and in a small space at least so many.
BEST, ENOUGH = 0.05, 256
PREDICTORS: Mapping[str, type[Transferred]] = {each.name: each for each in (Transferred, MultiTask)}


@dataclass(frozen=True, repr=False)
class TransferResult:
    """What `transfer` returns; a notebook shows what is proposed as a table and drawings.

    Args:
        generator: Adapted to the new task.
        sampled: What it proposes, the best by prediction first.
        summary: How it came about; see the documentation of ``vitruvius transfer``.
    """

    generator: GraphDiffusion
    sampled: SampleResult
    summary: dict[str, Any]

    def __repr__(self) -> str:
        told = self.summary
        data = f" for {told['data']}" if told["data"] else ""
        best = f", best {told['metric']} {told['best_value']:.6g}" if told["best"] else ""
        return f"TransferResult({told['space']}{data}: {told['labels']} labels{best})"

    def _repr_html_(self) -> str:
        return f"<p>{escape(repr(self))}</p>\n{self.sampled._repr_html_()}"

    def to_dataframe(self) -> pd.DataFrame:
        """Returns what is proposed, as `SampleResult.to_dataframe` does."""
        return self.sampled.to_dataframe()

    def to_json(self) -> dict[str, Any]:
        """Returns the JSON form that the command line prints."""
        return {**self.sampled.to_json(), "transfer": self.summary}

    def save(self, folder: str | Path) -> None:
        """Writes the generator with its model card, ``transfer.json``, and the candidates drawn.

        Args:
            folder: Made where it does not exist.

        Raises:
            OutputError: Where it cannot be written to.
        """
        folder = Path(folder)
        write_text(folder / "transfer.json", json.dumps(self.summary, indent=2) + "\n")
        with writing(folder):
            self.generator.save_pretrained(folder)
        write_text(folder / "README.md", transfer_card(self.summary))
        self.sampled.save(folder / "candidates")


@own_torch_state()
def transfer(
    space: str | Space | None = None,
    *,
    generator: str | GraphDiffusion = BUILTIN,
    data: str | Evaluator | RawData,
    evaluator: EvaluatorLike | Sequence[EvaluatorLike] | None = None,
    labels: int = 0,
    search: int = 0,
    target: str = "",
    maximize: str = "",
    minimize: str = "",
    sources: Sequence[str | SourceTask] | None = None,
    warm_start: Sequence[str | Path] = (),
    predictor: str = Transferred.name,
    n: int = 10,
    task: str = "",
    metrics: str = "",
    workers: int = 1,
    executor: str = "auto",
    timeout: float | None = None,
    run: str | Path | None = None,
    out: str | Path | None = None,
    seed: int = 0,
    device: str = "auto",
    progress: Progress | None = None,
) -> TransferResult:
    """Takes a trained generator to a new data set, with few labels of it or none.

    1. The new task is described: by its raw data, else by what is declared of it, else by probe
       architectures, which are the first labels.
    2. Earlier tasks say what to expect of it, each as far as it is alike (`SourceTasks`). Labels
       are spent one by one where Bayesian optimisation that starts from there wants them, and
       correct it: tasks that rank them well are believed, tasks that mislead are dropped.
    3. Low-rank adapters move the generator towards what then probably meets the target (`adapt`);
       one that was trained across tasks is first set to the new one (`for_task`).

    Args:
        space: A space or its name; by default the one that the data or the generator is for.
        generator: ``builtin``, the folder of a trained one, or a generator.
        data: The new task: a file or folder of raw data (see `load_raw`), a data set known for the
            space, a table, or any of these loaded.
        evaluator: Where labels come from, as for `vitruvius.search`; by default ``data`` where that
            is a table.
        labels: Evaluations that may be spent on the new task.
        search: Further evaluations, spent the same way, to find the best.
        target: As for `vitruvius.sample`; by default the best 5 % by prediction.
        maximize: The metric that counts; by default the first of the sources of which more is
            better.
        minimize: Instead of ``maximize``, a metric of which less is better.
        sources: Earlier tasks: data sets known for the space, or tables, after a colon with metrics
            of theirs (``"table.npz:accuracy=c10"``). By default those that the generator was
            trained across, else all that are known but the new one.
        warm_start: Folders of finished runs, which are earlier tasks too.
        predictor: What tells, from labels and earlier tasks, what to adapt to: ``transfer`` (see
            `Transferred`) or ``multi-task`` (see `MultiTask`).
        n: How many architectures to return.
        metrics: Metrics of ``data`` where that is a user's table, ``"accuracy=column"``.
        task: What architectures are built and counted for, as for `vitruvius.search`; by default
            what ``data`` says.
        workers: Labels evaluated at the same time.
        executor: What evaluates them, as for `vitruvius.search`.
        timeout: Seconds after which the evaluation of a label has failed.
        run: Folder of the run that keeps the labels, by default ``run`` in ``out``: the same call
            goes on where it was stopped.
        out: Folder to save the result in.
        seed: Seed of everything random.
        device: Where the generator computes: ``auto``, ``cpu`` or ``cuda``.
        progress: The display that is reported to; by default a table in notebooks, else none.

    Raises:
        UsageError: For counts out of range, a generator that cannot be adapted, or nothing to
            transfer from.
        UnknownNameError: For an unknown space, data set or metric.
        TableError: For data that cannot be read.
        TargetError: For targets that contradict each other.
        CheckpointError: For a folder that holds no generator of this space.

    Example:
        >>> result = transfer("nas-bench-graph", data="cora", sources=["citeseer"], n=3)
        >>> len(result.sampled.samples), result.summary["labels"]
        (3, 0)
    """
    if min(labels, search) < 0 or n < 1:
        raise UsageError(
            f"`labels` and `search` must not be negative and `n` at least 1, got {labels}, "
            f"{search} and {n}.",
            "0 spends none.",
        )
    if predictor not in PREDICTORS:
        raise UnknownNameError.of("predictor for transfer", predictor, list(PREDICTORS))
    check_at_least(workers=(workers, 1))
    checked_executor(executor)
    started = time.process_time()
    found = _space(space, data)
    if maximize and minimize:
        raise UsageError(
            f"One metric counts, got maximize={maximize!r} and minimize={minimize!r}.",
            "Give one of them; the other can be a target.",
        )
    if out is not None:
        check_writable(out)
    new = NewTask.read(found, data, metrics)
    if new.task is not None:
        found = found.for_task(new.task)
    if task:
        found = found.for_task(read_task(task, found.task))
    base = base_generator(found, generator, new.name)
    runs = [source_of_run(found, each) for each in warm_start]
    if sources is None:
        sources = source_names(found, new.name, base.tasks, alone=not runs)
    there = source_tasks(found, sources, runs)
    tasks = SourceTasks(there, new.description)
    metric = maximize or minimize or tasks.metric()
    if not tasks.having(metric):
        raise UnknownNameError.of(
            "metric of the earlier tasks",
            metric,
            sorted({m for each in there for m in each.metrics}),
        )
    lower = bool(minimize) or (not maximize and tasks.lower_is_better(metric))
    source = new.evaluator
    if evaluator is not None:
        source = make_evaluator(found, evaluator, named=f"{metric}, {target}")
    # A mistake in the targets must not cost labels.
    Sampler(found, data=source, target=target, labels=0, seed=seed)
    resolve_device(device)
    if run is None and out is not None:
        run = Path(out) / "run"
    rows: Int[Tensor, "K V"] = torch.zeros(0, len(found.variables), dtype=torch.long)
    fitted: dict[str, Transferred] = {}
    values: dict[str, Tensor] = {}
    failed = 0
    measured: list[dict[str, float]] = []
    _SAY.info("Learning from earlier tasks: %s.", ", ".join(each.name for each in there) or "none")
    if labels + search:
        asked = _asked(source)
        method = WarmStart(tasks, metric, generator=base)
        # By name where it has one, so that the run can be resumed.
        by_name = isinstance(data, str) and evaluator is None
        made = new_search(
            found,
            evaluator=data if isinstance(data, str) and by_name else evaluator or asked,
            metrics=metrics if by_name else "",
            maximize="" if lower else metric,
            minimize=metric if lower else "",
            where=target,
            budget=labels + search,
            method=method,
            initial=0,
            workers=workers,
            batch=workers,
            executor=executor,
            timeout=timeout,
            run=run,
            task=str(found.task) if task or new.task is not None else "",
            seed=seed,
            transfer=recipe_of(data, metrics, generator, sources, runs, metric),
        )
        result = run_to_end(made, labels + search, workers, executor, timeout, progress).check()
        history = History(result.problem, result.trials)
        tasks, rows = method.described(history), history.x
        failed = sum(trial.status == "failed" for trial in result.trials)
        measured = [dict(trial.metrics) for trial in history.ok]
        values = {name: history.values[name] for name in result.problem.learned}
        if len(rows) >= FEWEST:
            fitted = _fitted(predictor, tasks, rows, values, seed)
    if SCORE in base.conditions:
        base = for_task(base, found, tasks.description)
    base.to(resolve_device(device))
    best = None
    if named := [found.to_string(row) for row in rows.tolist()]:
        best = int(values[metric].argmin() if lower else values[metric].argmax())
    known = None if source is None else source.rows
    x = reference_set(found, seed) if known is None else known
    sampler = Sampler(found, data=source, target=target, labels=0, exclude=rows, seed=seed)
    predictors = fitted or {metric: Transferred(tasks, metric)}
    sampler.goal = _goal(sampler, metric, predictors, x, lower=lower)
    chance, top = sampler.goal.log_value(x).topk(max(round(BEST * len(x)), min(ENOUGH, len(x))))
    _SAY.info("Adapting the generator %s.", base.name)
    adapted = adapt(
        base, found, x[top], chance.softmax(0), seed=derive_seed(seed, "adapt"), show=in_notebook()
    )
    spent = round(time.process_time() - started, 1)
    sampled = sampler.sample(n, generator=adapted, seed=derive_seed(seed, "sample"))
    if not fitted:
        sampled.notes.append(
            f"Too few labels to know the unit of {metric}: what is predicted are normal scores, "
            "expected from the earlier tasks."
        )
    if new.name in base.tasks:
        sampled.notes.append(
            f"The generator was trained on the whole table of {new.name}: what it proposes there "
            "has cost more labels than are counted."
        )
    twins = [each.name for each in there if _same(each, tasks.description)]
    if twins:
        sampled.notes.append(
            f"{new.name or 'The new data'} is described just as {' and '.join(twins)}: where it is "
            "the same data, what is expected of it was measured there."
        )
    sampled.summary.update(labels_used=len(rows) + failed, labels_failed=failed)
    summary = {
        "space": found.name,
        "data": new.name,
        "description": None if tasks.description is None else tasks.description.to_json(),
        "metric": metric,
        "better": "lower" if lower else "higher",
        "sources": [task.name for task in there],
        "believed": {
            name: {"weights": each.weights, "dropped": list(each.dropped)}
            for name, each in fitted.items()
        },
        "task": str(found.task if source is None else source.task),
        "labels": len(rows),
        "labelled": [
            {"architecture": name, "metrics": metrics}
            for name, metrics in zip(named, measured, strict=True)
        ],
        "labels_failed": failed,
        "best": named[best] if best is not None else None,
        "best_value": float(values[metric][best]) if best is not None else None,
        "generator": base.name,
        "cpu_seconds": spent,
        "seed": seed,
    }
    done = TransferResult(adapted, sampled, summary)
    if out is not None:
        done.save(out)
    return done


def _same(task: SourceTask, description: TaskDescription | None) -> bool:
    if description is None or task.description is None:
        return False
    return description.is_of_the_same(task.description)


def _asked(
    evaluator: EvaluatorLike | Sequence[EvaluatorLike] | None,
) -> EvaluatorLike | Sequence[EvaluatorLike]:
    """What gives labels."""
    if evaluator is None:
        raise UsageError(
            "Labels need somebody who evaluates architectures, which raw data does not.",
            "Give `evaluator`, as for search; or spend no labels.",
        )
    return evaluator


def _fitted(
    predictor: str,
    tasks: SourceTasks,
    rows: Int[Tensor, "K V"],
    values: Mapping[str, Float[Tensor, " K"]],
    seed: int,
) -> dict[str, Transferred]:
    """A predictor of every metric that earlier tasks have too."""
    fitted = {}
    for name, column in values.items():
        if tasks.having(name):
            fitted[name] = PREDICTORS[predictor](tasks, name, seed=seed)
            fitted[name].fit(rows, column)
    return fitted


def _space(space: str | Space | None, data: object) -> Space:
    """The space that was named, or the one that the data is for."""
    if space is not None:
        return make_space(space) if isinstance(space, str) else space
    if isinstance(data, Evaluator):
        return data.space
    if isinstance(data, str) and is_raw(data):
        data = load_raw(data)
    if isinstance(data, Labelled):
        fitting = [name for name in names() if type(make_space(name).task) is type(data.task)]
        # Transfer starts from earlier tasks, which not every space has.
        fitting = [name for name in fitting if data_sets(name)] or fitting
    else:
        fitting = [name for name in names() if data in data_sets(name)]
    if not fitting:
        raise UsageError(
            f"No space knows the data set {str(data)!r}, and it is no raw data.",
            "Is the name or path right? For a table, name the space.",
        )
    if len(fitting) > 1:
        raise UsageError(f"The data is for several spaces: {', '.join(fitting)}.", "Name one.")
    return make_space(fitting[0])


def _goal(
    sampler: Sampler,
    metric: str,
    predictors: Mapping[str, Transferred],
    x: Int[Tensor, "R V"],
    *,
    lower: bool,
) -> Goal:
    """The targets that can be told; where none is on a predicted metric, the best of one."""
    known = {name: each for name, each in predictors.items() if each.weights}
    counted = sampler.goal.targets.names
    told = [each for each in sampler.targets if each.metric in (*counted, *known)]
    used = {each.metric: known[each.metric] for each in told if each.metric in known}
    if not used:
        bound = float(predictors[metric].predict(x)[0].quantile(BEST if lower else 1 - BEST))
        ends = (-math.inf, bound) if lower else (bound, math.inf)
        told.append(Target(metric, *ends, f"{metric} in the best {BEST:.0%}"))
        used = {metric: predictors[metric]}
    return Goal(sampler.space, Targets(told), sampler.exact, used, seed=sampler.seed)
