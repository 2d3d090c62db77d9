"""Plans: what a design trains, where, and for how long, from the data and the time there is."""

from __future__ import annotations

import math
import os
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import torch
from pydantic import BaseModel, ConfigDict

from ..bo.problem import Problem
from ..core.errors import UsageError
from ..datasets import RawData, RawGraph, RawImages, RawSeries, Splits
from ..evaluators.context import Context
from ..evaluators.function import metrics_named
from ..evaluators.training import TrainingEvaluator
from ..evaluators.training.recipe import Recipe
from ..spaces import Space, space as make_space

__all__ = ["Plan", "make_plan", "seconds_an_epoch", "suited_space"]

# Shares of the time for the search and the training of what it finds; the rest is slack.
SEARCHING, RETRAINING = 0.6, 0.25
# Candidates that are worth having before they are trained for longer.
CANDIDATES = 24
# Most candidates: more of them, a little better each, are no longer told apart.
MOST = 150
# Largest images that networks of constant resolution in their first stage are quick on.
SMALL_IMAGES = 64
# From as many epochs on, candidates that fall behind are stopped; that saves about half the time.
STOPPABLE, SAVED = 9, 2.0
TEST = 0.15
# Share of a space that constraints have to leave.
LEFT = 0.05
# Networks that are timed, and examples of each class they are timed on at most.
TIMED, TIMED_EXAMPLES = 3, 4_000


class Plan(BaseModel):
    """What a design does; kept beside its results, so that it goes on as it began.

    Args:
        space: Text of the space.
        options: Options of the training of a candidate.
        maximize: The metric that counts.
        budget: Candidates, as long as they take what was measured.
        pruner: As for `search`.
        workers: As for `search`.
        retrain: Options of the training of the best.
        seconds: What an epoch was measured to take, in seconds.
        why: A sentence for each choice.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    space: str
    options: dict[str, Any]
    maximize: str
    budget: int
    pruner: str
    workers: int
    retrain: dict[str, Any]
    seconds: float
    why: list[str]


def suited_space(raw: RawData, where: str = "") -> tuple[str, str]:
    """Chooses the space for data, and says why.

    Networks are as wide as constraints that are counted, such as ``params<=100k``, leave a choice.

    Args:
        raw: The data.
        where: Constraints.

    Example:
        >>> images = torch.zeros(4, 1, 8, 8, dtype=torch.uint8)
        >>> suited_space(RawImages(images, torch.tensor([0, 1, 0, 1])))[0]
        'resnet-size:width=16'
    """
    widths = ("resnet-size:width=16", "resnet-size:width=8", "resnet-size:width=4")
    if isinstance(raw, RawImages):
        side = max(raw.images.shape[2:])
        why = f"residual networks of any size suit {side} pixels"
        if side > SMALL_IMAGES:
            widths = ("mnasnet:width=0.5", "mnasnet:width=0.35", "mnasnet:width=0.25")
            why = f"mobile networks halve {side} pixels early"
        return _widest(widths, raw, where), why
    if isinstance(raw, RawSeries):
        return _widest(widths, raw, where), "residual networks also go along series"
    return "autognn", "graph networks of two layers, by attention and aggregation"


def _widest(texts: Sequence[str], raw: RawData, where: str) -> str:
    """The first space of which constraints leave a part; else the last."""
    for text in texts if where else texts[:1]:
        found = make_space(text).for_task(raw.task)
        counted = [term for term in where.split(",") if not metrics_named(found, term)]
        named = metrics_named(found, "score")
        problem = Problem(found, named, maximize="score", where=",".join(counted))
        if not counted or problem.share_possible() >= LEFT:
            return text
    return texts[-1]


def seconds_an_epoch(
    trainer: TrainingEvaluator, device: str, seed: int, percent: int = 100
) -> float:
    """Measures how long an epoch takes, the mean over a few random architectures.

    Args:
        trainer: Trains for one epoch.
        device: Where.
        seed: Of the architectures.
        percent: Of the examples.

    Raises:
        UsageError: Where one of these trainings fails.
    """
    fidelity = None if percent == 100 else percent
    rows = trainer.space.sample(TIMED + 1, seed)
    taken = []
    for row in rows:
        start = time.monotonic()
        context = Context(device=device)
        told = trainer.evaluate(tuple(row.tolist()), fidelity, seed=seed, context=context)
        if not told.ok:
            raise UsageError(
                f"A training of one epoch came to nothing: {told.reason}.",
                "Give another space, or options of the training behind the data.",
            )
        taken.append(time.monotonic() - start)
    # The first one waits for libraries, too.
    return sum(taken[1:]) / TIMED


def make_plan(
    raw: RawData,
    splits: Splits,
    *,
    minutes: float,
    where: str = "",
    space: str = "",
    workers: int | None = None,
    device: str = "cpu",
    seed: int = 0,
    given: Mapping[str, Any] | None = None,
) -> Plan:
    """Makes the plan for data and a time.

    An epoch is timed. The search has 60 % of the time: with less time candidates are trained for
    fewer epochs, down to one, with more time there are more of them.

    Args:
        raw: The data.
        splits: Their parts.
        minutes: The time there is.
        where: Constraints.
        space: Instead of the space that suits the data.
        workers: Trainings at once; by default one on a GPU, else one a core.
        device: Where to train.
        seed: Of everything random.
        given: Options of the training that are chosen already.

    Raises:
        UsageError: Where there is too little time for a single training.
    """
    given = dict(given or {})
    text, suits = (space, "as you said") if space else suited_space(raw, where)
    found = make_space(text)
    options: dict[str, Any] = {}
    if raw.splits is None or not len(raw.splits.test):
        options["test"] = TEST
    examples = len(splits.train)
    if not isinstance(raw, RawGraph):
        options["batch"] = 32 if examples < 2_000 else 64 if examples < 20_000 else 128
    options |= given
    why = [f"space {text}: {suits}"]
    if workers is None:
        workers = 1 if device.startswith("cuda") else len(os.sched_getaffinity(0))
    seconds = _timed(found, raw, splits, options, device, seed)
    # Processes that train at once slow each other down a little.
    each = seconds * (1.0 if workers == 1 else 1.2)
    time_of_search = SEARCHING * 60 * minutes * workers
    full = int(given.get("epochs") or Recipe.of(_recipe(options), raw.task).epochs)
    epochs = int(given.get("epochs") or min(full, time_of_search / (CANDIDATES * each)))
    pruner = "none"
    if epochs < 1:
        epochs = 1
        if time_of_search < 2 * each:
            raise UsageError(
                f"An epoch takes {each:.3g} s here, and {minutes:g} minutes are not enough for a "
                "search.",
                f"Give at least {math.ceil(8 * each / 60 / SEARCHING)} minutes, or smaller data.",
            )
    saved = 1.0
    if epochs >= STOPPABLE:
        pruner, saved = f"asha:min_resource={max(1, epochs // 9)},reduction_factor=3", SAVED
    budget = max(2, min(MOST, int(saved * time_of_search / (epochs * each))))
    whole = (len(splits.train) + len(splits.val)) / len(splits.train)
    longest = RETRAINING * 60 * minutes / (seconds * whole)
    retrained = max(epochs, min(3 * full, int(longest)))
    metric = "r2" if raw.regression else "balanced_accuracy" if _unbalanced(raw) else "accuracy"
    why += [
        f"an epoch takes {seconds:.2g} s here (mean of {TIMED} random networks)",
        f"{budget} candidates of {epochs} epochs on {workers} workers: 60 % of the time"
        + (", those that fall behind are stopped" if pruner != "none" else ""),
        f"the best is trained for {retrained} epochs on train and validation together",
        f"{metric} counts" + (": classes are unbalanced" if "balanced_" in metric else ""),
    ]
    return Plan(
        space=text,
        options={**options, "epochs": epochs},
        maximize=metric,
        budget=budget,
        pruner=pruner,
        workers=workers,
        retrain={"epochs": retrained},
        seconds=seconds,
        why=why,
    )


def _timed(
    space: Space,
    raw: RawData,
    splits: Splits,
    options: Mapping[str, Any],
    device: str,
    seed: int,
) -> float:
    percent = 100
    if not isinstance(raw, RawGraph) and len(splits.train) > TIMED_EXAMPLES:
        # Time goes with the number of examples.
        percent = max(1, round(100 * TIMED_EXAMPLES / len(splits.train)))
        few = splits.val[torch.linspace(0, len(splits.val) - 1, TIMED_EXAMPLES // 10).long()]
        splits = Splits(splits.train, few.unique())
    told = {k: v for k, v in options.items() if k in (*Recipe.model_fields, "fanout", "cache")}
    if percent < 100:
        told |= {"fidelity": "data", "fidelities": [percent]}
    trainer = TrainingEvaluator(space, replace(raw, splits=splits), **{**told, "epochs": 1})
    return seconds_an_epoch(trainer, device, seed, percent) * 100 / percent


def _recipe(options: Mapping[str, Any]) -> dict[str, Any]:
    return {k: v for k, v in options.items() if k in Recipe.model_fields}


def _unbalanced(raw: RawData) -> bool:
    if raw.regression:
        return False
    counts = torch.bincount(raw.labels[raw.labels >= 0])
    counts = counts[counts > 0]
    return int(counts.max()) > 3 * int(counts.min())
