"""The third verb: take a trained generator to a new data set."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor

from ..bo.methods.warm_start import WarmStart
from ..bo.progress import Progress
from ..bo.trial import History
from ..core.device import resolve_device
from ..core.errors import UnknownNameError, UsageError
from ..core.seeding import derive_seed
from ..datasets.raw_data import RawGraph, RawImages, is_raw, load_raw
from ..datasets.task import read_task
from ..encoders.tasks.graph_task import describe_graph
from ..encoders.tasks.image_task import describe_images
from ..encoders.tasks.task_description import TaskDescription, describe_task
from ..evaluators.evaluator import Evaluator
from ..evaluators.resolver import EvaluatorLike, data_sets, evaluator as make_evaluator
from ..evaluators.targets import Target, Targets
from ..generators.across_tasks import SCORE, for_task
from ..generators.adapters import adapt
from ..generators.card import transfer_card
from ..generators.diffusion import GraphDiffusion
from ..generators.generator import Generator
from ..generators.resolver import across, generator_for
from ..generators.steering import reference_set
from ..predictors.goal import Goal
from ..predictors.multi_task import MultiTask
from ..predictors.source_task import SourceTask
from ..predictors.source_tasks import SourceTasks, named_tasks
from ..predictors.transferred import Transferred
from ..reports import write_text
from ..spaces import Space, Task, names, space as make_space
from .labels import FEWEST
from .sample import Sampler
from .sample_result import SampleResult
from .search import search as run_search, warm_start_task

__all__ = ["BUILTIN", "TransferResult", "transfer"]

BUILTIN = "builtin"
# What is asked for where no target names a value, and what the adapters learn from: the best of
# this share, and in a small space at least so many.
BEST, ENOUGH = 0.05, 256
PREDICTORS: Mapping[str, type[Transferred]] = {each.name: each for each in (Transferred, MultiTask)}


@dataclass(frozen=True)
class TransferResult:
    """What `transfer` returns.

    Args:
        generator: Adapted to the new task.
        sampled: What it proposes, the best by prediction first.
        summary: How it came about; see the documentation of ``vitruvius transfer``.
    """

    generator: GraphDiffusion
    sampled: SampleResult
    summary: dict[str, Any]

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
        self.generator.save_pretrained(folder)
        write_text(folder / "README.md", transfer_card(self.summary))
        self.sampled.save(folder / "candidates")


def transfer(
    space: str | Space | None = None,
    *,
    generator: str | GraphDiffusion = BUILTIN,
    data: str | Evaluator | RawGraph | RawImages,
    evaluator: EvaluatorLike | Sequence[EvaluatorLike] | None = None,
    labels: int = 0,
    search: int = 0,
    target: str = "",
    maximize: str = "",
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
        progress: The display that is reported to.

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
    started = time.process_time()
    found = _space(space, data)
    new = _NewTask.read(found, data, metrics)
    if new.task is not None:
        found = found.for_task(new.task)
    if task:
        found = found.for_task(read_task(task, found.task))
    base = _base(found, generator, new.name)
    there = _source_tasks(found, new.name, base.tasks, sources, warm_start)
    tasks = SourceTasks(there, new.description)
    metric = maximize or tasks.metric()
    source = new.evaluator
    if evaluator is not None:
        source = make_evaluator(found, evaluator, named=f"{metric}, {target}")
    # A mistake in the targets must not cost labels.
    Sampler(found, data=source, target=target, labels=0, seed=seed)
    if run is None and out is not None:
        run = Path(out) / "run"
    rows: Int[Tensor, "K V"] = torch.zeros(0, len(found.variables), dtype=torch.long)
    fitted: dict[str, Transferred] = {}
    values: dict[str, Tensor] = {}
    if labels + search:
        method = WarmStart(tasks, metric, generator=base)
        result = run_search(
            found,
            evaluator=_asked(source if source is new.evaluator else evaluator),
            maximize=metric,
            where=target,
            budget=labels + search,
            method=method,
            initial=0,
            workers=workers,
            executor=executor,
            timeout=timeout,
            run=run,
            task=str(found.task) if task or new.task is not None else "",
            seed=seed,
            progress=progress,
        ).check()
        history = History(result.problem, result.trials)
        tasks, rows = method.described(history), history.x
        values = {name: history.values[name] for name in result.problem.learned}
        if len(rows) >= FEWEST:
            fitted = _fitted(predictor, tasks, rows, values, seed)
    if SCORE in base.conditions:
        base = for_task(base, found, tasks.description)
    base.to(resolve_device(device))
    known = None if source is None else source.rows
    x = reference_set(found, seed) if known is None else known
    sampler = Sampler(found, data=source, target=target, labels=0, exclude=rows, seed=seed)
    sampler.goal = _goal(sampler, metric, fitted or {metric: Transferred(tasks, metric)}, x)
    chance, best = sampler.goal.log_value(x).topk(max(round(BEST * len(x)), min(ENOUGH, len(x))))
    adapted = adapt(base, found, x[best], chance.softmax(0), seed=derive_seed(seed, "adapt"))
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
    named = [found.to_string(row) for row in rows.tolist()]
    summary = {
        "space": found.name,
        "data": new.name,
        "description": None if tasks.description is None else tasks.description.to_json(),
        "metric": metric,
        "sources": [task.name for task in there],
        "believed": {
            name: {"weights": each.weights, "dropped": list(each.dropped)}
            for name, each in fitted.items()
        },
        "task": str(found.task if source is None else source.task),
        "labels": len(rows),
        "labelled": [
            {
                "architecture": name,
                "metrics": {metric: float(column[i]) for metric, column in values.items()},
            }
            for i, name in enumerate(named)
        ],
        "best": named[int(values[metric].argmax())] if named else None,
        "generator": base.name,
        "cpu_seconds": spent,
        "seed": seed,
    }
    done = TransferResult(adapted, sampled, summary)
    if out is not None:
        done.save(out)
    return done


@dataclass(frozen=True)
class _NewTask:
    """What the new data is: its name, its description, its evaluator and its task, if known."""

    name: str
    description: TaskDescription | None
    evaluator: Evaluator | None
    task: Task | None = None

    @classmethod
    def read(
        cls, space: Space, data: str | Evaluator | RawGraph | RawImages, metrics: str
    ) -> _NewTask:
        name = data if isinstance(data, str) else type(data).__name__
        if isinstance(data, str):
            if data not in data_sets(space.name) and is_raw(data):
                name = Path(data).name
                data = load_raw(data)
            else:
                data = make_evaluator(space, data, metrics=metrics)
        if isinstance(data, RawGraph):
            return cls(name, describe_graph(data), None, data.task)
        if isinstance(data, RawImages):
            return cls(name, describe_images(data), None, data.task)
        declared = None if data.task == space.task else describe_task(data.task)
        return cls(name, declared, data)


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
    if isinstance(data, RawGraph | RawImages):
        fitting = [name for name in names() if type(make_space(name).task) is type(data.task)]
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


def _base(space: Space, generator: str | GraphDiffusion, new: str) -> GraphDiffusion:
    """The generator to start from; of those that ship, none that has seen the new task."""
    if isinstance(generator, str) and generator != BUILTIN:
        return _diffusion(generator_for(space, generator))
    if isinstance(generator, GraphDiffusion):
        return generator
    best = _diffusion(generator_for(space, across(space)))
    return _diffusion(generator_for(space)) if new in best.tasks else best


def _diffusion(generator: Generator) -> GraphDiffusion:
    if not isinstance(generator, GraphDiffusion):
        raise UsageError(
            f"Adapters are for graph diffusion, and {generator.name} is none.",
            "Train one: vitruvius train SPACE --out FOLDER",
        )
    return generator


def _source_tasks(
    space: Space,
    new: str,
    trained_across: Sequence[str],
    sources: Sequence[str | SourceTask] | None,
    warm_start: Sequence[str | Path],
) -> list[SourceTask]:
    if sources is None:
        known = data_sets(space.name)
        sources = [name for name in trained_across if name in known]
        if not sources and not warm_start:
            sources = known
        sources = [name for name in sources if name != new]
    there: list[SourceTask] = []
    for source in sources:
        if isinstance(source, SourceTask):
            there.append(source)
        else:
            there += named_tasks(space, [source])
    there += [warm_start_task(space, run) for run in warm_start]
    if not there:
        raise UsageError(
            f"There is no earlier task on {space.name} to transfer from.",
            "Give tables as `sources`, or finished runs as `warm_start`.",
        )
    return there


def _goal(
    sampler: Sampler, metric: str, predictors: Mapping[str, Transferred], x: Int[Tensor, "R V"]
) -> Goal:
    """The targets that can be told; where none is on a predicted metric, the best of one."""
    known = {name: each for name, each in predictors.items() if each.weights}
    counted = sampler.goal.targets.names
    told = [each for each in sampler.targets if each.metric in (*counted, *known)]
    used = {each.metric: known[each.metric] for each in told if each.metric in known}
    if not used:
        bound = float(predictors[metric].predict(x)[0].quantile(1 - BEST))
        told.append(Target(metric, bound, math.inf, f"{metric} in the best {BEST:.0%}"))
        used = {metric: predictors[metric]}
    return Goal(sampler.space, Targets(told), sampler.exact, used, seed=sampler.seed)
