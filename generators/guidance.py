"""Guidance: what steers the reverse process, alone or combined."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor

from ..core.distinct import first_of_each
from ..spaces import Space
from .schedulers import draw

__all__ = ["ClassifierFree", "Gradient", "Guidance", "Resampling", "SoftValue", "Value"]

Value = Callable[[Int[Tensor, "B V"]], Float[Tensor, " B"]]
SoftValue = Callable[[Float[Tensor, "B V C"]], Float[Tensor, " B"]]

# Halvings after which the length of a shift is known to a thousandth.
BISECTIONS = 10


@dataclass(frozen=True)
class ClassifierFree:
    """Classifier-free guidance (Ho & Salimans, arXiv 2207.12598) with trained-in conditions.

    The logits become ``unconditional + scale * (conditional - unconditional)``.

    Args:
        conditions: Draws the conditions of ``n`` architectures as raw property values, each
            ``[n]``, given a generator.
        scale: 1 samples from the conditional distribution; more sharpens it at twice the cost.

    Example:
        >>> ClassifierFree(lambda n, generator: {"params": torch.full((n,), 5e5)}).scale
        1.0
    """

    conditions: Callable[[int, torch.Generator], dict[str, Tensor]]
    scale: float = 1.0


@dataclass(frozen=True)
class Gradient:
    """Guidance by the gradient of a differentiable log-value at the expected clean architecture.

    The value is asked on the CPU, where predictors are, wherever the generator computes.
    Every variable holds its distribution under the denoiser, one that is known its choice; choice
    ``c`` of variable ``v`` gains ``scale * dV/dp[v, c]``, the first-order change of the log-value
    (as DiGress, arXiv 2209.14734, section 5).

    The scale is 1, which is Bayes' rule where the value is the logarithm of a probability, and is
    lowered where the first order would promise more than Bayes' rule can keep: ``q ~ p exp(V)``
    lies at most ``max V - E_p[V]`` nats from ``p``, so no step moves the clean distribution
    further than ``best - V`` at the expected architecture.

    Args:
        value: Log-value of relaxed architectures ``[B, V, C]``, differentiable.
        scale: Largest scale; 1 is the posterior for a log-probability.
        best: Largest log-value there can be, 0 for a log-probability; by default there is no such
            value, and the scale is never lowered.

    Example:
        >>> likes_last = Gradient(lambda p: p[..., -1].sum(1))
        >>> likes_last.shift(torch.zeros(1, 1, 3)).tolist()
        [[[0.0, 0.0, 1.0]]]
    """

    value: SoftValue
    scale: float = 1.0
    best: float = math.inf

    def shift(self, logits: Float[Tensor, "B V C"]) -> Float[Tensor, "B V C"]:
        """Returns what to add to the logits.

        Args:
            logits: Of the clean choices; of a known variable -inf but for its choice.
        """
        with torch.enable_grad():
            relaxed = logits.detach().softmax(-1).requires_grad_()
            value = self.value(relaxed.cpu()).to(relaxed.device)
            (slope,) = torch.autograd.grad(value.sum(), relaxed)
        if math.isinf(self.best):
            return self.scale * slope
        room = (self.best - value.detach()).clamp(min=0)
        return _within(room, logits, self.scale * slope)


def _within(
    room: Float[Tensor, " B"], logits: Float[Tensor, "B V C"], shift: Float[Tensor, "B V C"]
) -> Float[Tensor, "B V C"]:
    """Shrinks shifts so that they move a row of distributions by no more than ``room`` nats.

    The divergence grows with the length of the shift, so that bisection finds it.
    """
    before = logits.log_softmax(-1)

    def moved(length: Float[Tensor, " B"]) -> Float[Tensor, " B"]:
        after = (logits + length[:, None, None] * shift).log_softmax(-1)
        gap = torch.where(before.isinf(), 0.0, after - before)
        return (after.exp() * gap).sum((1, 2))

    low, high = torch.zeros_like(room), torch.ones_like(room)
    low = torch.where(moved(high) <= room, high, low)
    for _ in range(BISECTIONS):
        middle = (low + high) / 2
        inside = moved(middle) <= room
        low, high = torch.where(inside, middle, low), torch.where(inside, high, middle)
    return low[:, None, None] * shift


@dataclass(frozen=True)
class Resampling:
    """Importance resampling of particles by any black-box log-value (Feynman-Kac steering).

    After each reverse step every particle's clean architecture is drawn from the denoiser and
    valued; particles are resampled in proportion to how much their value rose
    (arXiv 2501.06848, the difference potential). Finished architectures are then resampled by
    value, partly corrupted again and regenerated, ``rounds`` times in all. Values are asked on the
    CPU, wherever the generator computes.

    Args:
        value: Log-value of clean architectures ``[B, V]``; -inf for what must not be.
        temperature: Values are divided by it; smaller is greedier.
        rounds: Times the population is generated: 1 from noise, the rest from survivors.
        renoise: Share of the reverse process that a further round goes through again.

    Example:
        >>> count = Resampling(lambda x: 40.0 * x.sum(1))
        >>> logits = torch.tensor([[[0.0, -torch.inf]], [[-torch.inf, 0.0]]])
        >>> keep, _ = count.resample(logits, None, torch.Generator())
        >>> keep.tolist()
        [1, 1]
    """

    value: Value
    temperature: float = 1.0
    rounds: int = 4
    renoise: float = 0.5

    def resample(
        self,
        logits: Float[Tensor, "B V C"],
        before: Float[Tensor, " B"] | None,
        generator: torch.Generator,
    ) -> tuple[Int[Tensor, " B"], Float[Tensor, " B"]]:
        """Chooses the surviving particles.

        Args:
            logits: Of the clean choices; of a known variable -inf but for its choice.
            before: Log-values at the last call, None at the first.
            generator: Source of randomness, where the logits are.

        Returns:
            Their numbers, and their log-values for the next call's ``before``, both on the CPU.
        """
        value = self.tempered(self.value(draw(logits, generator).cpu()))
        weight = value - (before if before is not None else 0.0)
        keep = systematic(weight, len(weight), generator)
        return keep, value[keep]

    def survivors(
        self,
        space: Space,
        x: Int[Tensor, "B V"],
        value: Float[Tensor, " B"],
        n: int,
        generator: torch.Generator,
    ) -> Int[Tensor, "n V"] | None:
        """Draws among the best finished architectures, in random encodings; None if none is valid.

        Args:
            space: The space.
            x: What is finished, valid or not.
            value: Their log-values.
            n: How many to draw.
            generator: Source of randomness, on the CPU.
        """
        valid = space.is_valid(x)
        if not valid.any():
            return None
        x, value = x[valid], value[valid]
        # One particle an architecture, so that survivors are many and not copies of one.
        _, first = first_of_each(space.hashes(x))
        weight = self.tempered(value[first])
        best = weight.argsort(descending=True)[: max(n // 2, 1)]
        chosen = first[best[systematic(weight[best], n, generator)]]
        return space.shuffle(x[chosen], generator)

    def tempered(self, value: Float[Tensor, " B"]) -> Float[Tensor, " B"]:
        """Divides by the temperature and lifts what is hopeless to 50 below the best.

        Args:
            value: Log-values, which may be -inf.
        """
        # Relative to the best: where every value is low, the less low must still win.
        value = (value / self.temperature).clamp(min=-1e9)
        return value.clamp(min=value.max() - 50.0)


@dataclass(frozen=True)
class Guidance:
    """The forms of guidance in force; each may be absent.

    Args:
        classifier_free: Trained-in conditions.
        gradient: Gradient of a differentiable value.
        resampling: Importance resampling by any value.

    Example:
        >>> Guidance(gradient=Gradient(lambda p: p.sum((1, 2)))).name
        'gradient'
    """

    classifier_free: ClassifierFree | None = None
    gradient: Gradient | None = None
    resampling: Resampling | None = None

    @property
    def name(self) -> str:
        """Names of the forms joined by ``+``, or ``none``."""
        forms = {
            "classifier-free": self.classifier_free,
            "gradient": self.gradient,
            "resampling": self.resampling,
        }
        return "+".join(name for name, form in forms.items() if form is not None) or "none"


def systematic(
    log_weight: Float[Tensor, " B"], n: int, generator: torch.Generator
) -> Int[Tensor, " n"]:
    """Draws ``n`` indices in proportion to the weights by systematic resampling.

    Args:
        log_weight: Logarithms of the weights, up to a constant; on the CPU.
        n: How many to draw.
        generator: Source of randomness, on any device.

    Example:
        >>> systematic(torch.tensor([0.0, -99.0]), 3, torch.Generator()).tolist()
        [0, 0, 0]
    """
    weight = (log_weight.double() - log_weight.double().max()).exp().nan_to_num()
    edges = weight.cumsum(0) / weight.sum()
    offset = torch.rand(1, generator=generator, device=generator.device, dtype=torch.float64)
    return torch.searchsorted(edges, (torch.arange(n) + offset.cpu()) / n).clamp(
        max=len(weight) - 1
    )
