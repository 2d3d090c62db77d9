"""Steering: from a goal and a choice of forms to the guidance of a generator."""

from __future__ import annotations

from collections.abc import Callable, Collection

import torch
from jaxtyping import Int
from torch import Tensor

from ..core.errors import UnknownNameError, UsageError
from ..core.seeding import derive_seed, make_generator
from ..predictors.goal import Goal
from ..spaces import Space
from .choices import FORMS
from .generator import Generator
from .guidance import ClassifierFree, Gradient, Guidance, Resampling
from .training import tail_sample

__all__ = ["REFERENCE_ROWS", "check_forms", "reference_set", "steer"]

# Uniform draws that stand for a large space: they estimate base rates to about 0.1 %.
REFERENCE_ROWS = 20_000
# Architectures whose properties serve as conditions, even where fewer meet the targets.
ENOUGH = 64
# Architectures looked at for conditions where valuing them takes a predictor.
PREDICTED_ROWS = 2048


def reference_set(space: Space, seed: int) -> Int[Tensor, "R V"]:
    """Returns architectures that stand for the space: all of it where it is small.

    Args:
        space: The space.
        seed: Seed of the draws from a larger one.

    Returns:
        Canonical choice indices.

    Example:
        >>> from vitruvius.spaces import space
        >>> len(reference_set(space("nasbench201"), 0)), len(reference_set(space("mobilenetv3"), 0))
        (6466, 20000)
    """
    if space.architecture_count <= 5 * REFERENCE_ROWS:
        return space.enumerate()
    return space.sample(REFERENCE_ROWS, derive_seed(seed, "reference"))


def check_forms(forms: str) -> None:
    """Checks the names of forms of guidance.

    Args:
        forms: As for `steer`.

    Raises:
        UnknownNameError: For one that is none.
    """
    known = ["auto", "none", *FORMS]
    for form in (part.strip() for part in forms.split("+")):
        if form not in known:
            raise UnknownNameError.of("guidance", form, known, "Join several by '+'.")


def steer(
    goal: Goal,
    source: Generator,
    forms: str = "auto",
    *,
    units: Collection[str] = (),
    seed: int = 0,
) -> Guidance:
    """Builds the guidance that makes a generator meet a goal.

    ``auto`` takes conditions for what the generator was trained on, and resampling for what only a
    predictor tells.

    Args:
        goal: What is asked for.
        source: The generator.
        forms: ``auto``, ``none``, or some of `FORMS` joined by ``+``.
        units: Metrics whose unit is not that of the generator's conditions.
        seed: Seed of the draws that conditions come from.

    Raises:
        UnknownNameError: For another form.
        UsageError: Where there is nothing to guide by.

    Example:
        >>> from vitruvius.evaluators import exact_metrics, parse_targets
        >>> from vitruvius.generators import load
        >>> from vitruvius.spaces import space
        >>> cells = space("nasbench201")
        >>> targets = parse_targets("params<=400k", exact_metrics(cells))
        >>> steer(Goal(cells, targets, cells.statistics, {}), load("nasbench201")).name
        'classifier-free'
    """
    conditioned = [name for name in goal.targets.names if name in source.conditions]
    if forms == "auto":
        chosen = ["classifier-free"] if conditioned else []
        rest = bool(goal.predictors) or len(conditioned) < len(goal.targets)
        if rest and source.guidable:
            chosen.append("resampling")
    else:
        chosen = [form for form in (part.strip() for part in forms.split("+")) if form != "none"]
    check_forms(forms)
    if chosen and not goal.targets:
        raise UsageError(
            f"Guidance {forms!r} needs a target that can be told.",
            "Give a target, and labels above 0 for metrics that have to be predicted.",
        )
    if "classifier-free" in chosen and not conditioned:
        raise UsageError(
            "Classifier-free guidance needs a target on one of the generator's conditions "
            f"({', '.join(source.conditions) or 'none'}), got {str(goal.targets)!r}.",
            "Use resampling or gradient guidance, or train a generator with that property.",
        )
    conditions = (
        _conditions(goal, conditioned, units, seed) if "classifier-free" in chosen else None
    )
    return Guidance(
        classifier_free=ClassifierFree(conditions) if conditions is not None else None,
        # Its value is the logarithm of a probability, which bounds how far Bayes' rule can go.
        gradient=Gradient(goal.relaxed_log_value, best=0.0) if "gradient" in chosen else None,
        resampling=Resampling(goal.log_value) if "resampling" in chosen else None,
    )


def _conditions(
    goal: Goal, names: list[str], units: Collection[str], seed: int
) -> Callable[[int, torch.Generator], dict[str, Tensor]]:
    """Draws conditions from architectures that meet the targets, or come closest."""
    space = goal.space
    x = reference_set(space, seed)
    if not space.constrained and not space.enumerable:
        x = torch.cat([x, tail_sample(space, REFERENCE_ROWS, derive_seed(seed, "conditions"))])
    if goal.predictors:
        few = torch.randperm(len(x), generator=make_generator(derive_seed(seed, "few")))
        x = x[few[:PREDICTED_ROWS]]
    distance = -goal.log_value(x)
    x = x[distance.argsort(stable=True)[: max(ENOUGH, int((distance == 0).sum()))]]
    values = space.statistics(x)
    for target in goal.targets:
        name = target.metric
        if name in goal.predictors:
            values[name] = goal.predictors[name].predict(x)[0]
        if name in goal.predictors or name not in units:
            values[name] = values[name].clamp(target.low, target.high)

    def draw(n: int, generator: torch.Generator) -> dict[str, Tensor]:
        pick = torch.randint(len(x), (n,), generator=generator)
        return {name: values[name][pick] for name in names}

    return draw
