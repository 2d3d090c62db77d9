"""NAO and SemiNAS as searches (Luo et al., arXiv 1808.07233 and 2002.10389)."""

from __future__ import annotations

from copy import deepcopy
from typing import ClassVar

import torch
from jaxtyping import Float, Int
from torch import Tensor

from ...core.normal_scores import NormalScores
from ...core.seeding import derive_seed
from ...encoders.ascent import ascend
from ...encoders.autoencoder import Autoencoder
from ...encoders.autoencoding import Labelled, pretrained, train_autoencoder
from ...encoders.latent_head import LatentHead
from ...spaces import Space
from ..ranking import merit
from ..trial import History, Proposal
from .neighbourhood import fresh_uniform

__all__ = ["NAOSearch"]

# Fewer labels than this say nothing; from these on the network itself learns them, anew whenever
# their number has doubled.
LEAST, TUNED = 3, 16
# Architectures that label themselves, and those that fine-tuning goes on reconstructing.
GUESSED = 1000
RATE = 1e-3


class NAOSearch:
    """Optimises the best architectures in the embedding and proposes what they decode to.

    1. Encoder and decoder are trained once for a space, on architectures without labels.
    2. Whenever the number of labels has doubled, encoder, predictor and decoder are trained
       together on labels and reconstruction (see `train_autoencoder`); as SemiNAS also on
       architectures that the predictor labels by itself.
    3. A Gaussian process in the embedding learns all labels, which takes milliseconds
       (`LatentHead`); it stands in for the paper's predictor, which would have to be trained
       again after every label.
    4. The best architectures are the seeds; their embeddings climb the prediction by growing
       steps until they decode to something new that is predicted to be better (`ascend`).
    5. Of what they decode to, the one with the highest prediction is proposed. Where there is
       nothing, all others are seeds; then a uniform draw is proposed.

    With several objectives or constraints it learns the rank (see `merit`).

    Args:
        semi: Whether it labels architectures by itself, as SemiNAS.
        seeds: How many of the best are optimised.
        steps: Optimiser steps of the training without labels; of fine-tuning a quarter of it.

    Attributes:
        failed: Seeds so far whose decoding never became new and better.

    Example:
        >>> from vitruvius.bo.problem import Problem
        >>> from vitruvius.bo.trial import Trial
        >>> from vitruvius.evaluators import Evaluation
        >>> from vitruvius.spaces import space
        >>> cells = space("nasbench201")
        >>> problem = Problem(cells, {}, minimize="params")
        >>> rows = map(tuple, cells.sample(5, 0).tolist())
        >>> trials = [Trial.of(i, Evaluation(cells.architecture(r))) for i, r in enumerate(rows)]
        >>> NAOSearch(steps=20).propose(History(problem, trials), seed=0) is not None
        True
    """

    name: ClassVar[str] = "nao"

    def __init__(self, *, semi: bool = False, seeds: int = 20, steps: int = 600) -> None:
        self.semi, self.seeds, self.steps = semi, seeds, steps
        self.failed = 0
        self._tuned: tuple[bytes, Autoencoder] | None = None

    def propose(self, history: History, seed: int) -> Proposal | None:
        if len(history.ok) < LEAST:
            return fresh_uniform(history, seed)
        space, value = history.problem.space, merit(history)
        network = self._network(history)
        x = space.canonical(history.x)
        with torch.no_grad():
            embedding = network.encode(x)
        head = LatentHead(embedding, NormalScores(value)(value))
        order = value.argsort(descending=True, stable=True)
        # The others are seeds where nothing seems better than the best.
        for seeds in (order[: self.seeds], order[self.seeds :]):
            ended = ascend(network, space, x[seeds], head, excluded=history.hashes)
            self.failed += int((~ended.moved).sum())
            found = history.fresh(ended.x[ended.moved])
            if len(found):
                with torch.no_grad():
                    predicted = head(network.encode(found))
                return Proposal(tuple(found[predicted.argmax()].tolist()), "embedding")
        return fresh_uniform(history, seed)

    def _network(self, history: History) -> Autoencoder:
        """The network that has learnt the first 16, 32, 64, … labels, or none."""
        space = history.problem.space
        network = pretrained(space, self.steps)
        if len(history.ok) < TUNED:
            return network
        seen = TUNED
        while 2 * seen <= len(history.ok):
            seen *= 2
        first = History(history.problem, history.ok[:seen])
        value = merit(first)
        key = first.x.numpy().tobytes() + value.numpy().tobytes()
        if self._tuned is None or self._tuned[0] != key:
            z = NormalScores(value)(value).float()
            tuned = self._tune(deepcopy(network), space, space.canonical(first.x), z)
            self._tuned = key, tuned
        return self._tuned[1]

    def _tune(
        self, network: Autoencoder, space: Space, x: Int[Tensor, "n V"], z: Float[Tensor, " n"]
    ) -> Autoencoder:
        rows = space.sample(GUESSED, derive_seed(0, "guessed", len(x)))
        labelled = Labelled(x, z, torch.ones(len(x)))
        for turn in range(2 if self.semi else 1):
            if turn:
                with torch.no_grad():
                    guess = network.score(network.encode(rows))
                # Labelled architectures are few; they come as often as the others.
                again = -(-len(rows) // len(x))
                both = torch.cat([x.repeat(again, 1), rows])
                scores = torch.cat([z.repeat(again), guess])
                labelled = Labelled(both, scores, torch.ones(len(both)))
            train_autoencoder(
                network,
                space,
                rows,
                labelled=labelled,
                steps=max(self.steps // 4, 1),
                learning_rate=RATE,
                seed=len(x),
            )
        return network
