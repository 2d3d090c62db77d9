"""Labels: evaluations of a random design, spent on any evaluator, or finished elsewhere."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from jaxtyping import Float, Int
from torch import Tensor

from ..core.errors import UsageError
from ..core.evaluator_config import EvaluatorConfig
from ..evaluators.evaluator import Evaluator
from ..evaluators.metric import Metric
from ..spaces import Space

if TYPE_CHECKING:
    from ..bo.problem import Problem
    from ..bo.progress import Progress
    from ..bo.trial import History

__all__ = ["FEWEST", "Labelling", "Labels", "finished_labels", "spend_labels"]

# With fewer labels nobody can tell the unit of a metric.
FEWEST = 3


@dataclass(frozen=True)
class Labels:
    """Architectures and what was measured of them.

    Args:
        x: Canonical choice indices.
        values: One column per metric; NaN where it was not measured.
        failed: How many more were evaluated and failed.
        reason: Why the last of these did.
    """

    x: Int[Tensor, "K V"]
    values: Mapping[str, Float[Tensor, " K"]]
    failed: int = 0
    reason: str = ""

    def __len__(self) -> int:
        return len(self.x)

    def join(self, other: Labels) -> Labels:
        """Returns these and others; what only one of them has is NaN in the other.

        Args:
            other: On the same space.
        """
        names = dict.fromkeys([*self.values, *other.values])
        return Labels(
            torch.cat([self.x, other.x]),
            {name: torch.cat([each._column(name) for each in (self, other)]) for name in names},
            self.failed + other.failed,
            other.reason or self.reason,
        )

    def of(self, metric: str) -> tuple[Int[Tensor, "k V"], Float[Tensor, " k"]]:
        """Returns the architectures that have a value of a metric, and these values.

        Args:
            metric: Its name.

        Raises:
            UsageError: Where they are too few for a predictor.
        """
        values = self._column(metric)
        there = ~values.isnan()
        if int(there.sum()) < FEWEST:
            raise UsageError(
                f"{int(there.sum())} labels have a value of {metric!r}, {self.failed} failed; a "
                f"predictor needs at least {FEWEST}.",
                f"The reason of the last failure: {self.reason}" if self.reason else "",
            )
        return self.x[there], values[there]

    def _column(self, name: str) -> Float[Tensor, " K"]:
        return self.values.get(name, torch.full((len(self),), torch.nan, dtype=torch.float64))


@dataclass(frozen=True)
class Labelling:
    """How labels are evaluated.

    Args:
        workers: Evaluations at the same time.
        executor: What runs them: ``"serial"``, ``"process"``, ``"ray"`` or ``"auto"``.
        timeout: Seconds after which an evaluation has failed.
        run: Folder of the run that keeps them, or with ``storage`` its name there; None keeps
            none. One that is there goes on.
        storage: As for `vitruvius.search`.
        configs: The evaluator as text, kept with the run; blank where only Python has it.
        task: The task as text, kept with the run.
        progress: The display that is reported to.
    """

    workers: int = 1
    executor: str = "auto"
    timeout: float | None = None
    run: str | Path | None = None
    storage: str | None = None
    configs: tuple[EvaluatorConfig, ...] = ()
    task: str = ""
    progress: Progress | None = None


def spend_labels(
    evaluator: Evaluator,
    metrics: Sequence[str],
    n: int,
    seed: int,
    how: Labelling,
    exclude: Int[Tensor, "E V"],
) -> Labels:
    """Evaluates random architectures.

    A table is looked up at once; anything else, and whatever a run shall keep, is a search whose
    method is a fixed design, with workers and a time limit, which goes on where it was stopped.

    Args:
        evaluator: The evaluator.
        metrics: What has to be measured; the first is the objective of the run.
        n: How many evaluations.
        seed: Of the design.
        how: How they are evaluated.
        exclude: Canonical rows that have labels already.

    Raises:
        UsageError: Where the first of them all fail alike.
    """
    from ..bo.draws import initial_design
    from ..bo.methods.design import Design

    rows, space = evaluator.rows, evaluator.space
    if evaluator.batched and how.run is None:
        x = initial_design(space if rows is None else rows, n, seed, exclude)
        return Labels(x, evaluator.label(x))
    from ..bo.search import Search
    from ..bo.store import Run, RunConfig
    from ..bo.trial import History
    from .search import automatic_executor

    problem = _problem(evaluator, metrics)
    design = Design(n=n, draw=seed, exclude=exclude)
    config = RunConfig(
        space=space.text,
        evaluators=how.configs or (EvaluatorConfig(source=""),),
        task=how.task,
        maximize=_named(evaluator.metrics, metrics, "higher"),
        minimize=_named(evaluator.metrics, metrics, "lower"),
        method=design.text,
        initial=0,
        batch=how.workers,
        budget=n,
        workers=how.workers,
        executor=how.executor,
        timeout=how.timeout,
    )
    if how.run is None:
        run = Run.in_memory(config, problem.objectives)
    else:
        run = Run.create(config, problem.objectives, how.run, how.storage)
    search = Search(problem, design, run)
    result = search.run(
        n,
        workers=how.workers,
        executor=automatic_executor(how.executor, evaluator, how.workers),
        timeout=how.timeout,
        progress=how.progress,
    ).check()
    return _of(History(problem, result.trials))


def finished_labels(space: Space, source: str | Path, metrics: Mapping[str, Metric]) -> Labels:
    """Takes finished results as labels.

    Args:
        space: The space of the architectures.
        source: Folder of a run, or a file of results as for ``vitruvius tell``.
        metrics: What may be among them.

    Raises:
        UsageError: For what is neither, or holds no result of such a metric.
        ArchitectureError: For what is no architecture of the space.
    """
    from ..bo.store.external import read_results
    from .search import finished_trials

    path = Path(source)
    if path.is_dir():
        told = [(t.proposal.row, t.metrics) for t in finished_trials(space, path)]
    else:
        told = []
        for position, result in enumerate(read_results(path)):
            if result.architecture and result.status == "ok" and result.fidelity is None:
                with result.named(position):
                    row = space.architecture(result.architecture).canonical
                told.append((row, result.metrics))
    names = [name for name in metrics if any(name in values for _, values in told)]
    if not names:
        raise UsageError(
            f"{source} holds no result of {', '.join(metrics)}.",
            "Results need one of these metrics, at full fidelity.",
        )
    rows = torch.tensor([row for row, _ in told], dtype=torch.long)
    return Labels(
        rows.reshape(-1, len(space.variables)),
        {
            name: torch.tensor(
                [values.get(name, torch.nan) for _, values in told], dtype=torch.float64
            )
            for name in names
        },
    )


def _problem(evaluator: Evaluator, metrics: Sequence[str]) -> Problem:
    from ..bo.problem import Problem

    return Problem.of(
        evaluator,
        maximize=_named(evaluator.metrics, metrics, "higher"),
        minimize=_named(evaluator.metrics, metrics, "lower"),
    )


def _named(known: Mapping[str, Metric], names: Sequence[str], better: str) -> str:
    return ",".join(name for name in names if known[name].better == better)


def _of(history: History) -> Labels:
    learned: dict[str, Any] = {name: history.values[name] for name in history.problem.learned}
    failed = [trial for trial in history.trials if trial.done and trial.status != "ok"]
    return Labels(history.x, learned, len(failed), failed[-1].reason if failed else "")
