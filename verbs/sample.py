"""The first verb: sample architectures that meet target properties, at once, without a search."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..core.device import resolve_device
from ..core.errors import UsageError
from ..core.options import split_options
from ..core.torch_state import own_torch_state
from ..evaluators.resolver import (
    EvaluatorLike,
    data_sets,
    evaluator as make_evaluator,
    evaluators_of,
    listed,
)
from ..generators.generator import Generator
from ..generators.resolver import generator_for
from ..generators.steering import check_forms
from ..predictors.resolver import AUTO, new_predictor
from ..spaces import Space, space as make_space
from .checks import check_at_least, checked_executor
from .labels import Labelling
from .sample_result import SampleResult
from .sampler import Clock, Sampler

if TYPE_CHECKING:
    from ..bo.progress import Progress

__all__ = ["sample"]


@own_torch_state()
def sample(
    space: str | Space,
    *,
    data: EvaluatorLike | Sequence[EvaluatorLike] | None = None,
    target: str = "",
    n: int = 10,
    labels: int | None = None,
    labels_from: str | Path | None = None,
    generator: str | Generator = "auto",
    guidance: str = "auto",
    predictor: str = AUTO,
    steps: int = 16,
    seed: int = 0,
    task: str = "",
    architecture_column: str = "",
    metrics: str = "",
    tables: Sequence[str | Path] = (),
    workers: int = 1,
    executor: str = "auto",
    timeout: float | None = None,
    run: str | Path | None = None,
    storage: str | None = None,
    device: str = "auto",
    batch_size: int | None = None,
    progress: Progress | None = None,
) -> SampleResult:
    """Samples distinct architectures that meet target properties.

    1. ``labels`` random architectures are evaluated, and a predictor is fitted to each metric of
       the targets that cannot be counted.
    2. The generator proposes architectures, guided towards the targets.
    3. Exact metrics are counted; what misses them is not returned unless nothing better was found.
       The rest is ranked by the predicted probability of meeting the targets.
       Labelled architectures are, only where the space holds too few others.
    4. Only then are the returned architectures looked up, where that costs nothing, to report how
       many did.

    To ask several times on the same labels, use `Sampler`.

    Args:
        space: A space or its name.
        data: Where true values come from, as the ``evaluator`` of `vitruvius.search`; or a file or
            folder of raw data, which says what architectures are counted for.
        target: For example ``"valid_perf>=0.8, latency<=5ms"`` (see `parse_targets`).
        n: How many architectures to return.
        labels: Evaluations that may be spent; where the targets name a metric that has to be
            predicted, by default all that a user's own table holds (at most 1,000, for the time it
            takes to learn from them), 200 of a published one, of anything else none, and none
            beside ``labels_from``.
        labels_from: Finished results to learn from: the folder of a run, or a JSON or CSV file of
            results. They count as labels.
        generator: ``auto``, ``uniform``, a shipped name, a folder, or a generator.
        guidance: ``auto``, ``none``, or some of ``classifier-free``, ``gradient`` and
            ``resampling`` joined by ``+``.
        predictor: One of `vitruvius.predictors.predictor_names`, options included, such as
            ``"gp:views=[proxies.csv]"``.
        steps: Reverse steps of the diffusion.
        seed: Seed of everything random; the same seed gives the same result.
        task: What architectures are built and counted for, as for `vitruvius.search`.
        architecture_column: Column of a user's table that holds native strings.
        metrics: Metrics of a user's table, ``"accuracy=column, latency_ms=other"``.
        tables: Further files to join to a user's table.
        workers: Labels evaluated at the same time.
        executor: What evaluates them, as for `vitruvius.search`.
        timeout: Seconds after which the evaluation of a label has failed.
        run: Folder of a run that keeps the labels, or with ``storage`` its name there: the same
            call goes on where it was stopped.
        storage: As for `vitruvius.search`.
        device: Where the generator computes: ``auto``, ``cpu`` or ``cuda``.
        batch_size: Proposals computed together; by default as suits the device.
        progress: Where to report the evaluation of labels to; by default a table in notebooks,
            else nothing.

    Raises:
        UsageError: For ``n``, ``labels``, ``steps`` or ``batch_size`` out of range, or for guidance
            that the generator or the targets do not allow.
        TargetError: For targets that contradict each other or that nothing in the space can meet.
        UnknownNameError: For an unknown space, data set, metric, predictor, generator or guidance.
        TableError: For a table that cannot be read.
        CheckpointError: For a folder that holds no generator of this space.
        MissingExtraError: Where the package that brings the data set is not installed.

    Example:
        >>> result = sample("mobilenetv3", target="params<=4.5e6, macs<=200e6", n=3)
        >>> [entry.meets_target for entry in result.samples]
        [True, True, True]
    """
    if n < 1:
        raise UsageError(f"`n` must be at least 1, got {n}.", "Ask for one or more.")
    found = make_space(space) if isinstance(space, str) else space
    found, data = _for_task(found, data, task)
    options: dict[str, Any] = {
        "architecture_column": architecture_column,
        "metrics": metrics,
        "tables": tables,
    }
    configs = evaluators_of(found, data, **options)[0]
    source = None if data is None else make_evaluator(found, data, named=target, **options)
    clock = Clock()
    # A mistake must not cost labels.
    if isinstance(generator, str):
        generator_for(found, generator)
    if split_options(predictor)[0] != AUTO:
        new_predictor(predictor, found)
    check_forms(guidance)
    check_at_least(
        workers=(workers, 1),
        steps=(steps, 1),
        batch_size=(1 if batch_size is None else batch_size, 1),
    )
    checked_executor(executor)
    resolve_device(device)
    sampler = Sampler(
        found,
        data=source,
        target=target,
        labels=labels,
        labels_from=labels_from,
        predictor=predictor,
        seed=seed,
        labelling=Labelling(
            workers=workers,
            executor=executor,
            timeout=timeout,
            run=run,
            storage=storage,
            configs=configs,
            task=str(found.task) if task else "",
            progress=progress,
        ),
    )
    return sampler.sample(
        n,
        generator=generator,
        guidance=guidance,
        steps=steps,
        device=device,
        batch_size=batch_size,
        clock=clock,
    )


def _for_task(
    space: Space, data: EvaluatorLike | Sequence[EvaluatorLike] | None, task: str
) -> tuple[Space, EvaluatorLike | Sequence[EvaluatorLike] | None]:
    """The space for the user's task, and what is left of the data where that was raw."""
    given = [] if data is None else listed(data)
    raw = [each for each in given if isinstance(each, str | Path) and _is_raw(space, each)]
    if raw:
        from ..datasets.raw_data import load_raw

        if len(raw) > 1:
            raise UsageError(
                f"Several raw data sets were given: {', '.join(map(str, raw))}.",
                "Architectures are counted for one.",
            )
        space = space.for_task(load_raw(raw[0]).task)
        data = [each for each in given if each is not raw[0]] or None
    if task:
        from ..datasets.task import read_task

        space = space.for_task(read_task(task, space.task))
    return space, data


def _is_raw(space: Space, source: str | Path) -> bool:
    from ..datasets.raw_data import is_raw

    return str(source) not in data_sets(space.name) and is_raw(source)
