"""An ensemble of graph networks that also scores relaxed and noisy architectures."""

from __future__ import annotations

import math
from typing import ClassVar

import torch
from jaxtyping import Float, Int
from torch import Tensor

from ..core.seeding import derive_seed, make_generator
from ..encoders.feature_sets import Features
from ..encoders.message_graph import MessageGraph
from ..spaces import Space
from .losses import loss as named_loss, squared
from .posterior import Posterior, log_interval
from .predictor import NOISE, Predictor

__all__ = ["GraphNetwork"]

CHUNK = 4096


class GraphNetwork(Predictor):
    """Deep ensemble (arXiv 1612.01474) of networks that pass messages both ways along the DAG.

    A layer adds to a node what its predecessors and its successors say:
    ``h + relu(h W + A^T h U / d_in + A h V / d_out)``. Every member weighs the labels by a random
    bootstrap of its own; half of the training rows have some variables blurred to their uniform
    distribution, so that architectures half way through the reverse process are scored sensibly.
    The choice for gradient guidance; for ranking, `GaussianProcess` or `Boosting` need fewer
    labels.

    Args:
        space: The space.
        seed: Seed of weights, bootstraps and blurring.
        members: Networks in the ensemble.
        width: Channels of a node.
        layers: Message-passing layers.
        steps: Optimiser steps.
        loss: What is made small: ``squared`` errors, or of the order of labels ``pairwise``,
            ``kendall`` or ``list`` (see `vitruvius.predictors.losses`); scores are then brought to
            the scale of the labels by a line.

    Raises:
        UnknownNameError: For another loss.

    Example:
        >>> from vitruvius.spaces import space
        >>> cells = space("nasbench201")
        >>> x = cells.sample(30, 0)
        >>> network = GraphNetwork(cells, steps=5).fit(x, cells.statistics(x)["params"])
        >>> p = network.graph.one_hot(x).requires_grad_()
        >>> network.relaxed_log_probability(p, 1e5, 1e6).sum().backward()
        >>> p.grad.shape
        torch.Size([30, 6, 5])
    """

    name: ClassVar[str] = "gnn"

    def __init__(
        self,
        space: Space,
        *,
        seed: int = 0,
        members: int = 4,
        width: int = 32,
        layers: int = 2,
        steps: int = 150,
        loss: str = "squared",
    ) -> None:
        super().__init__(space, seed=seed)
        self._loss = named_loss(loss)
        self.members, self.width, self.layers, self.steps = members, width, layers, steps
        self.graph = MessageGraph(space)

    def _fit(self, data: Features, z: Float[Tensor, " n"], fidelity: Int[Tensor, " n"]) -> None:
        x, z = data.x, z.float()
        generator = make_generator(derive_seed(self.seed, "graph network"))
        self._initialise(generator)
        self._line = torch.ones(self.members, 1), torch.zeros(self.members, 1)
        clean = self.graph.one_hot(self.space.canonical(x))
        mask = self.space.choice_mask.float()
        uniform = (mask / mask.sum(1, keepdim=True)).expand_as(clean)
        bootstrap = torch.zeros(self.members, len(x)).exponential_(generator=generator)
        optimizer = torch.optim.AdamW(self._weights, lr=1e-2, weight_decay=0.05)
        for step in range(self.steps):
            for group in optimizer.param_groups:
                group["lr"] = 1e-2 * 0.5 * (1 + math.cos(math.pi * step / self.steps))
            share = torch.rand(len(x), 1, generator=generator)
            share *= torch.rand(len(x), 1, generator=generator) < 0.5
            blur = torch.rand(clean.shape[:2], generator=generator) < share
            scores = self._score(torch.where(blur[..., None], uniform, clean))
            # Blurred rows say less; they count in proportion to what is left of them.
            loss = self._loss(scores, z, bootstrap * (1 - share[:, 0]))
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        with torch.no_grad():
            self._rescale(self._score(clean), z)
            residual = (self._score(clean) - z).square()
            # Labels a member hardly saw are its held-out ones.
            unseen = bootstrap < 0.3
            self._noise = max(NOISE, float(residual[unseen].mean())) if unseen.any() else 1.0

    def _rescale(self, scores: Float[Tensor, "E B"], z: Float[Tensor, " B"]) -> None:
        """Brings scores that were learned by their order to the scale of the labels."""
        if self._loss is squared:
            return
        centred = scores - scores.mean(1, keepdim=True)
        spread = centred.square().sum(1).clamp(min=1e-9)
        slope = ((centred * (z - z.mean())).sum(1) / spread).clamp(min=0.0)
        self._line = slope[:, None], z.mean() - slope[:, None] * scores.mean(1, keepdim=True)

    @torch.no_grad()
    def _posterior(self, data: Features, joint: bool) -> Posterior:
        parts = [
            self.relaxed_scores(self.graph.one_hot(self.space.canonical(chunk)))
            for chunk in data.x.split(CHUNK)
        ]
        mean, std = (torch.cat(part) for part in zip(*parts, strict=True))
        return Posterior.gaussian(mean, std, joint=joint)

    def relaxed_scores(
        self, p: Float[Tensor, "B V C"]
    ) -> tuple[Float[Tensor, " B"], Float[Tensor, " B"]]:
        """Returns mean and standard deviation of the normal score, differentiable in ``p``.

        Args:
            p: Probabilities of the choices of every variable.
        """
        votes = self._score(p)
        return votes.mean(0), (votes.var(0) + self._noise).sqrt()

    def relaxed_log_probability(
        self, p: Float[Tensor, "B V C"], low: float, high: float
    ) -> Float[Tensor, " B"]:
        """As `log_probability`, for relaxed architectures and differentiable in ``p``.

        Args:
            p: Probabilities of the choices of every variable, of the canonical form.
            low: Lower bound in the unit of the labels, or -inf.
            high: Upper bound, or inf.
        """
        mean, std = self.relaxed_scores(p)
        return log_interval(mean.double(), std.double(), self._bounds(low, high)).float()

    def _initialise(self, generator: torch.Generator) -> None:
        def weight(*shape: int) -> Tensor:
            scale = shape[-2] ** -0.5
            drawn = scale * torch.randn(self.members, *shape, generator=generator)
            return drawn.requires_grad_()

        width = self.width
        self._embed = weight(self.graph.features, width)
        with torch.no_grad():  # a node has few words, not ``features`` many
            self._embed *= (self.graph.features / 3) ** 0.5
        self._layers = [
            (weight(width, width), weight(width, width), weight(width, width))
            for _ in range(self.layers)
        ]
        self._biases = [
            weight(1, 1, width).detach().mul_(0).requires_grad_() for _ in range(self.layers)
        ]
        self._head, self._out = weight(2 * width, width), weight(width, 1)
        self._weights = [
            self._embed,
            *(w for layer in self._layers for w in layer),
            *self._biases,
            self._head,
            self._out,
        ]

    def _score(self, p: Float[Tensor, "B V C"]) -> Float[Tensor, "E B"]:
        features, edges = self.graph(p)
        h = torch.einsum("bmf,efd->ebmd", features, self._embed)
        out = edges / edges.sum(2, keepdim=True).clamp(min=1.0)
        into = (edges / edges.sum(1, keepdim=True).clamp(min=1.0)).transpose(1, 2)
        for (own, before, after), bias in zip(self._layers, self._biases, strict=True):
            message = (
                torch.einsum("ebmd,edf->ebmf", h, own)
                + torch.einsum("ebmd,edf->ebmf", into @ h, before)
                + torch.einsum("ebmd,edf->ebmf", out @ h, after)
            )
            h = h + torch.relu(message + bias)
        pooled = torch.cat([h.mean(2), h.amax(2)], -1)
        hidden = torch.relu(torch.einsum("ebd,edf->ebf", pooled, self._head))
        slope, start = self._line
        return start + slope * torch.einsum("ebf,efo->eb", hidden, self._out)
