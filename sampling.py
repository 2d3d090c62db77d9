"""The first verb: sample architectures that meet target properties, at once, without a search."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor

from ._device import resolve_device
from ._random import derive_seed, make_generator
from .bo.design import initial_design
from .errors import TargetError, UnknownNameError, UsageError
from .evaluators.evaluator import Evaluator
from .evaluators.metric import Metric
from .evaluators.resolver import evaluator as make_evaluator
from .evaluators.table import Table
from .evaluators.targets import Target, Targets, exact_metrics, parse_targets
from .generators.diffusion import GraphDiffusion
from .generators.generator import Generator
from .generators.guidance import ClassifierFree, Gradient, Guidance, Resampling
from .generators.resolver import generator_for
from .generators.training import tilted
from .predictors.goal import Goal
from .predictors.resolver import AUTO, fit_predictor
from .spaces import Architecture, Space
from .spaces import space as make_space

__all__ = ["GUIDANCE", "Sample", "SampleResult", "sample"]

GUIDANCE = ("none", "classifier-free", "gradient", "resampling")
DEFAULT_LABELS = 200
# Uniform draws that estimate the base rate and the bounds of exact metrics in large spaces.
REFERENCE_ROWS = 20_000
# Proposals per wanted architecture: where targets are predicted, all are made and the likeliest
# kept; where they are exact, more are made until enough meet them or this many have been tried.
POOL, POOL_LOW, POOL_HIGH = 40, 1024, 6144
TRIES, TRIES_LOW = 100, 10_240
BATCH = 256


@dataclass(frozen=True)
class Sample:
    """One returned architecture.

    Args:
        architecture: The architecture.
        exact: Metrics that were counted.
        predicted: Per predicted metric its ``mean``, ``std`` and ``probability`` of meeting the
            target.
        measured: Looked up after sampling; None where there is no table or it lacks this one.
        meets_target: By count and measurement; None where that cannot be told.
    """

    architecture: Architecture
    exact: dict[str, float]
    predicted: dict[str, dict[str, float]]
    measured: dict[str, float] | None
    meets_target: bool | None

    def to_json(self) -> dict[str, Any]:
        """Returns the JSON form, with the architecture as its native string."""
        return {
            "architecture": str(self.architecture),
            "exact": self.exact,
            "predicted": self.predicted,
            "measured": self.measured,
            "meets_target": self.meets_target,
        }


@dataclass(frozen=True)
class SampleResult:
    """What `sample` returns.

    Args:
        samples: The architectures, the likeliest to meet the targets first.
        summary: How they came about; see the documentation of ``vitruvius sample``.
        metrics: The metrics named in the targets.
        notes: What the user should know, in whole sentences.
    """

    samples: list[Sample]
    summary: dict[str, Any]
    metrics: dict[str, Metric] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)

    @property
    def missed(self) -> bool:
        """Whether there were targets and none of the returned architectures meets them."""
        told = [entry.meets_target for entry in self.samples if entry.meets_target is not None]
        return bool(told) and not any(told)

    def to_json(self) -> dict[str, Any]:
        """Returns the JSON form that the command line prints."""
        return {
            "architectures": [entry.to_json() for entry in self.samples],
            "summary": self.summary,
        }


def sample(
    space: str | Space,
    *,
    data: str | Evaluator | None = None,
    target: str = "",
    n: int = 10,
    labels: int | None = None,
    generator: str | Generator = "auto",
    guidance: str = "auto",
    predictor: str = AUTO,
    steps: int = 16,
    seed: int = 0,
    architecture_column: str = "arch_str",
    metrics: str = "",
    tables: Sequence[str | Path] = (),
    device: str = "auto",
) -> SampleResult:
    """Samples distinct architectures that meet target properties.

    1. ``labels`` random architectures are looked up in the evaluator and a predictor is fitted to
       each metric of the targets that cannot be counted.
    2. The generator proposes architectures, guided towards the targets.
    3. Exact metrics are counted; what misses them is not returned unless nothing better was found.
       The rest is ranked by the predicted probability of meeting the targets.
    4. Only then are the returned architectures looked up, to report how many did.

    Args:
        space: A space or its name.
        data: A data set known for the space, the path of a table, or an evaluator.
        target: For example ``"valid_perf>=0.8, latency<=5ms"`` (see `parse_targets`).
        n: How many architectures to return.
        labels: Ground-truth look-ups that may be spent; by default 200 where the targets name a
            metric that has to be predicted, else none.
        generator: ``auto``, ``uniform``, a shipped name, a folder, or a generator.
        guidance: ``auto``, ``none``, or some of ``classifier-free``, ``gradient`` and
            ``resampling`` joined by ``+``.
        predictor: ``auto``, ``gp``, ``lightgbm`` or ``gnn``.
        steps: Reverse steps of the diffusion.
        seed: Seed of everything random; the same seed gives the same result.
        architecture_column: Column of a user's table that holds native strings.
        metrics: Metrics of a user's table, ``"accuracy=column, latency_ms=other"``.
        tables: Further files to join to a user's table.
        device: Where the generator computes: ``auto``, ``cpu`` or ``cuda``.

    Raises:
        UsageError: For ``n`` or ``labels`` out of range.
        TargetError: For targets that contradict each other or that nothing in the space can meet.
        UnknownNameError: For an unknown space, data set, metric, generator or guidance.

    Example:
        >>> result = sample("mobilenetv3", target="params<=4.5e6, macs<=200e6", n=3)
        >>> [entry.meets_target for entry in result.samples]
        [True, True, True]
    """
    started, cpu = time.perf_counter(), time.process_time()
    space = make_space(space) if isinstance(space, str) else space
    if n < 1:
        raise UsageError(f"`n` must be at least 1, got {n}.", "Ask for one or more.")
    if labels is not None and labels < 0:
        raise UsageError(f"`labels` must not be negative, got {labels}.", "0 spends none.")
    name, source = (
        generator_for(space, generator)
        if isinstance(generator, str)
        else (type(generator).__name__, generator)
    )
    if isinstance(source, GraphDiffusion):
        source.to(resolve_device(device))
    request = _Request.read(
        space, data, target, labels, predictor, seed,
        {"architecture_column": architecture_column, "metrics": metrics, "tables": tables},
    )
    steering = _guidance(guidance, request, source, seed)
    pool = _propose(request, source, steering, n, steps, seed)
    return _report(
        request, pool, n, source,
        {"seed": seed, "generator": name, "guidance": steering.name},
        (started, cpu),
    )


@dataclass(frozen=True)
class _Request:
    """What was asked for, with everything that had to be learnt to answer it."""

    space: Space
    evaluator: Evaluator | None
    targets: Targets
    metrics: dict[str, Metric]
    goal: Goal
    labelled: Int[Tensor, "K V"]
    predictor: dict[str, str]

    @classmethod
    def read(
        cls,
        space: Space,
        data: str | Evaluator | None,
        target: str,
        labels: int | None,
        predictor: str,
        seed: int,
        options: dict[str, Any],
    ) -> _Request:
        evaluator = make_evaluator(space, data, **options) if isinstance(data, str) else data
        known = exact_metrics(space)
        if evaluator is not None:
            known |= evaluator.metrics
        targets = parse_targets(target, known) if target else Targets()

        def exact(x: Tensor) -> Mapping[str, Tensor]:
            counted = space.statistics(x, evaluator.task if evaluator else None)
            return {**counted, **(evaluator.exact_values(x) if evaluator else {})}

        measured = evaluator.metrics if evaluator is not None else {}
        learnt = [m for m in targets.names if m in measured and not measured[m].exact]
        _check_reachable(space, targets.restrict(set(targets.names) - set(learnt)), exact)
        if labels is None:
            labels = DEFAULT_LABELS if learnt else 0
        x = torch.zeros(0, len(space.variables), dtype=torch.long)
        fitted = {}
        if learnt and labels and isinstance(evaluator, Table):
            x = initial_design(evaluator.rows, labels, derive_seed(seed, "labels"))
            values = evaluator.label(x)
            for metric in learnt:
                fitted[metric] = fit_predictor(predictor, space, x, values[metric], seed=seed)
        goal = Goal(space, targets.restrict(set(targets.names) - set(learnt) | set(fitted)),
                    exact, fitted, seed=seed)
        names = {metric: model.name for metric, model in fitted.items()}
        return cls(space, evaluator, targets, known, goal, x, names)

    def reference(self, seed: int) -> Int[Tensor, "R V"]:
        """Architectures that stand for the space: all of it where it is small."""
        if self.space.enumerable and self.space.architecture_count <= 5 * REFERENCE_ROWS:
            return self.space.enumerate()
        return self.space.sample(REFERENCE_ROWS, derive_seed(seed, "reference"))


def _guidance(text: str, request: _Request, source: Generator, seed: int) -> Guidance:
    """Reads the forms of guidance, or chooses them: conditions for what the generator knows,
    resampling for what only a predictor tells."""
    goal = request.goal
    conditioned = [m for m in goal.exact_targets.names if m in source.conditions]
    if text == "auto":
        forms = []
        if request.goal.targets and source.conditions:
            forms = ["classifier-free"] if conditioned else []
            if goal.predictors or len(conditioned) < len(goal.exact_targets):
                forms.append("resampling")
    else:
        forms = [part.strip() for part in text.split("+") if part.strip() != "none"]
    for form in forms:
        if form not in GUIDANCE:
            raise UnknownNameError.of("guidance", form, ["auto", *GUIDANCE], "Join several by '+'.")
    if forms and not goal.targets:
        raise UsageError(
            f"Guidance {text!r} needs a target that can be told.",
            "Give `--target`, with `--labels` above 0 for metrics that have to be predicted.",
        )
    free = None
    if "classifier-free" in forms:
        if not conditioned:
            raise UsageError(
                "Classifier-free guidance needs a target on one of the generator's conditions "
                f"({', '.join(source.conditions) or 'none'}), got {goal.targets or 'none'}.",
                "Use resampling or gradient guidance, or train a generator with that property.",
            )
        free = ClassifierFree(_conditions(request, conditioned, seed))
    return Guidance(
        classifier_free=free,
        gradient=Gradient(goal.relaxed_log_value) if "gradient" in forms else None,
        resampling=Resampling(goal.log_value) if "resampling" in forms else None,
    )


def _conditions(request: _Request, names: list[str], seed: int) -> Any:
    """Draws conditions from architectures that meet the exact targets, or come closest."""
    space = request.space
    x = request.reference(seed)
    if not space.constrained and not space.enumerable:
        x = torch.cat([x, tilted(space, REFERENCE_ROWS, derive_seed(seed, "conditions"))])
    distance = request.goal.violation(x)
    enough = max(64, int((distance == 0).sum()))
    x = x[distance.argsort(stable=True)[:enough]]
    counts = space.statistics(x)
    same_unit = {t.metric: t for t in request.goal.exact_targets
                 if request.evaluator is None or t.metric not in request.evaluator.metrics}

    def draw(n: int, generator: torch.Generator) -> dict[str, Tensor]:
        pick = torch.randint(len(x), (n,), generator=generator)
        values = {}
        for name in names:
            column = counts[name][pick]
            if name in same_unit:
                column = column.clamp(same_unit[name].low, same_unit[name].high)
            values[name] = column
        return values

    return draw


@dataclass(frozen=True)
class _Pool:
    x: Int[Tensor, "P V"]  # distinct, unlabelled, best first
    raw: int
    raw_valid: int
    raw_unique: int
    raw_feasible: int


def _propose(
    request: _Request, source: Generator, steering: Guidance, n: int, steps: int, seed: int
) -> _Pool:
    space, goal = request.space, request.goal
    ranked = bool(goal.predictors)
    generator = make_generator(derive_seed(seed, "proposals"))
    if ranked:
        size = min(max(POOL * n, POOL_LOW), max(POOL_HIGH, 2 * n))
        sizes = [size]
    else:
        tries = max(TRIES * n, TRIES_LOW)
        sizes = [min(BATCH * 8, max(n, 16))] + [BATCH] * (tries // BATCH)
    rows: list[Tensor] = []
    counts = torch.zeros(3, dtype=torch.long)
    labelled = space.hashes(request.labelled)
    hashes = torch.zeros(0, dtype=torch.long)
    found = torch.zeros(0, len(space.variables), dtype=torch.long)
    met = torch.zeros(0, dtype=torch.bool)
    for size in sizes:
        proposals = source.propose(
            space, size, guidance=steering, steps=steps, batch=BATCH, seed=generator
        )
        valid = proposals.x[proposals.valid]
        feasible = goal.feasible(valid)
        counts += torch.tensor([size, len(valid), int(feasible.sum())])
        rows.append(space.hashes(valid))
        found, hashes, met = _merge(
            (found, hashes, met), (valid, rows[-1], feasible), labelled
        )
        if not ranked and int(met.sum()) >= n:
            break
        if not ranked and len(found) >= space.architecture_count:
            break
    value = goal.log_value(found) if goal.targets else torch.zeros(len(found))
    order = (value + met * 1e6).argsort(descending=True, stable=True)
    unique = len(torch.cat(rows).unique())
    return _Pool(found[order], int(counts[0]), int(counts[1]), unique, int(counts[2]))


def _merge(
    old: tuple[Tensor, Tensor, Tensor],
    new: tuple[Tensor, Tensor, Tensor],
    excluded: Int[Tensor, " K"],
) -> tuple[Tensor, Tensor, Tensor]:
    """Appends what is new by canonical form and not among the excluded, first come first kept."""
    x, hashes, met = (torch.cat(pair) for pair in zip(old, new, strict=True))
    _, owner = hashes.unique(return_inverse=True)
    first = torch.full((int(owner.max()) + 1 if len(owner) else 0,), len(x)).scatter_reduce(
        0, owner, torch.arange(len(x)), "amin"
    )
    keep = torch.zeros(len(x), dtype=torch.bool)
    keep[first] = True
    keep &= ~torch.isin(hashes, excluded)
    return x[keep], hashes[keep], met[keep]


def _report(
    request: _Request,
    pool: _Pool,
    n: int,
    source: Generator,
    names: dict[str, Any],
    clocks: tuple[float, float],
) -> SampleResult:
    space, goal, targets = request.space, request.goal, request.targets
    feasible = goal.feasible(pool.x)
    x = pool.x[feasible][:n] if bool(feasible.any()) else pool.x[:n]
    notes = []
    if goal.exact_targets and not bool(feasible.any()):
        notes.append(f"Nothing found meets {goal.exact_targets}; these come closest.")
    elif len(x) < n:
        notes.append(f"Only {len(x)} distinct architectures were found, {n} were asked for.")
    exact = goal.exact(x)
    probabilities = goal.log_probabilities(x)
    predicted = {m: model.predict(x) for m, model in goal.predictors.items()}
    measured, meets = _measure(request, x, exact)
    samples = []
    for i, architecture in enumerate(space.architectures(x)):
        samples.append(
            Sample(
                architecture,
                {name: float(column[i]) for name, column in exact.items()},
                {
                    name: {
                        "mean": float(mean[i]),
                        "std": float(std[i]),
                        "probability": float(probabilities[name][i].exp()),
                    }
                    for name, (mean, std) in predicted.items()
                },
                measured[i],
                meets[i],
            )
        )
    told = [m for m in meets if m is not None]
    seen = source.seen(space, x)
    summary = {
        "space": space.name,
        "target": str(targets),
        "requested": n,
        "returned": len(samples),
        "proposals": pool.raw,
        "raw_validity": pool.raw_valid / pool.raw,
        "raw_unique": pool.raw_unique / max(pool.raw_valid, 1),
        "raw_yield": pool.raw_feasible / pool.raw if goal.exact_targets else None,
        "novel": None if seen is None or not len(seen) else float((~seen).float().mean()),
        "labels_used": len(request.labelled),
        "hit_rate": sum(told) / len(told) if told else None,
        "base_rate": _base_rate(request, names["seed"]),
        "predictor": request.predictor,
        "cpu_seconds": round(time.process_time() - clocks[1], 3),
        "wall_seconds": round(time.perf_counter() - clocks[0], 3),
        **names,
    }
    return SampleResult(samples, summary, {m: request.metrics[m] for m in targets.names}, notes)


def _measure(
    request: _Request, x: Int[Tensor, "B V"], exact: Mapping[str, Tensor]
) -> tuple[list[dict[str, float] | None], list[bool | None]]:
    """Looks the returned architectures up, after sampling."""
    table, targets = request.evaluator, request.targets
    if not isinstance(table, Table):
        if not targets or set(targets.names) - set(exact):
            return [None] * len(x), [None] * len(x)
        return [None] * len(x), targets.satisfied(exact).tolist()
    values = table.values(x)
    there = torch.stack(list(values.values())).isnan().logical_not().all(0)
    measured = [
        {name: float(column[i]) for name, column in values.items()} if there[i] else None
        for i in range(len(x))
    ]
    if not targets:
        return measured, [None] * len(x)
    met = targets.satisfied({**exact, **values}).tolist()
    return measured, [met[i] if there[i] else None for i in range(len(x))]


def _base_rate(request: _Request, seed: int) -> float | None:
    """Share of the space that meets the targets: of the whole table where there is one."""
    targets, table = request.targets, request.evaluator
    if not targets:
        return None
    if isinstance(table, Table):
        values = {**request.goal.exact(table.rows), **table.values(table.rows)}
        return float(targets.satisfied(values).double().mean())
    values = dict(request.goal.exact(request.reference(seed)))
    if set(targets.names) - set(values):
        return None
    return float(targets.satisfied(values).double().mean())


def _check_reachable(space: Space, targets: Targets, exact: Any) -> None:
    """Refuses a target on a counted metric that lies beyond the whole space.

    In a large space the ends are found by coordinate descent from the best of some draws; they are
    the true ends where the metric is monotone in every variable.
    """
    for target in targets:
        for sign, beyond in ((1.0, target.high), (-1.0, target.low)):
            best = _extreme(space, exact, target, sign)
            if sign * best > sign * beyond:
                side = "smallest" if sign > 0 else "largest"
                raise TargetError(
                    f"{target.text!r} cannot be met: the {side} {target.metric} in {space.name} is "
                    f"{best:.6g}.",
                    "Choose a bound within the space.",
                )


def _extreme(space: Space, exact: Any, target: Target, sign: float) -> float:
    def measure(x: Tensor) -> Float[Tensor, " B"]:
        return sign * exact(x)[target.metric]

    if space.enumerable and space.architecture_count <= 5 * REFERENCE_ROWS:
        return sign * float(measure(space.enumerate()).min())
    x = space.sample(2048, 0)
    row = x[measure(x).argmin()]
    best = float(measure(row[None]))
    while True:
        around = space.neighbours(row)
        values = measure(around)
        if float(values.min()) >= best:
            return sign * best
        best, row = float(values.min()), around[values.argmin()]


