"""Graph networks pre-trained without labels, whose embeddings any predictor can use."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor, nn

from ..core.seeding import derive_seed, make_generator
from ..spaces import Space
from .graph_encoder import GraphEncoder
from .graph_layers import AttentionLayer, GINLayer, GraphLayer, TransformerLayer

__all__ = ["NETWORKS", "LearnedEncoder"]

NETWORKS: dict[str, type[GraphLayer]] = {
    "gin": GINLayer,
    "attention": AttentionLayer,
    "transformer": TransformerLayer,
}
SIZE = 64
STEPS, BATCH, RATE = 600, 128, 3e-3
CHUNK = 2048


class LearnedEncoder:
    """The embedding of a graph network that was trained to fill in what is masked.

    A random share of the variables of every architecture, up to a half, is replaced by the even
    mixture of its choices; from the embedding of what is left, a linear map tells every choice.
    (Masked language models for graphs: Hu et al., ICLR 2020, arXiv 1905.12265, section 3.1; for
    architectures without labels: Yan et al., NeurIPS 2020, arXiv 2006.06936.) What was masked can
    be told as far as the constraints and the canonical form of the space imply it; what was not
    has to be kept, which is what makes the embedding of use.

    Args:
        space: The space.
        network: ``gin`` (Xu et al., ICLR 2019), ``attention`` (Velickovic et al., ICLR 2018) or
            ``transformer``; all pass messages along the edges of the DAG and against them.
        steps: Optimiser steps.
        seed: Of weights, masks and batches.

    Example:
        >>> from vitruvius.spaces import space
        >>> cells = space("nasbench201")
        >>> learned = LearnedEncoder(cells, "gin", steps=2).fit(cells.sample(64, 0))
        >>> learned.transform(cells.sample(3, 1)).shape
        torch.Size([3, 64])
    """

    def __init__(self, space: Space, network: str, *, steps: int = STEPS, seed: int = 0) -> None:
        self.space, self.steps, self.seed = space, steps, seed
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(derive_seed(seed, "learned encoder"))
            self.network = GraphEncoder(space, layer=NETWORKS[network], size=SIZE)
            self.reader = nn.Linear(SIZE, space.choice_mask.numel())

    def fit(self, x: Int[Tensor, "B V"]) -> LearnedEncoder:
        """Pre-trains on architectures.

        Args:
            x: Valid choice indices.
        """
        x = self.space.canonical(x)
        generator = make_generator(derive_seed(self.seed, "masks"))
        weights = [*self.network.parameters(), *self.reader.parameters()]
        optimizer = torch.optim.AdamW(weights, lr=RATE, weight_decay=1e-2)
        for step in range(self.steps):
            for group in optimizer.param_groups:
                group["lr"] = RATE * 0.5 * (1 + math.cos(math.pi * step / self.steps))
            clean = x[torch.randint(len(x), (BATCH,), generator=generator)]
            loss = F.cross_entropy(
                self._logits(self._masked(clean, generator)).transpose(1, 2), clean
            )
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        return self

    @torch.no_grad()
    def transform(self, x: Int[Tensor, "B V"]) -> Float[Tensor, "B D"]:
        """Embeds architectures.

        Args:
            x: Valid choice indices.
        """
        return torch.cat([self.network(chunk) for chunk in x.split(CHUNK)])

    @torch.no_grad()
    def reconstruct(self, x: Int[Tensor, "B V"]) -> Int[Tensor, "B V"]:
        """Reads the likeliest choices off the embeddings of architectures.

        Args:
            x: Valid choice indices.
        """
        p = self.network.graph.one_hot(self.space.canonical(x))
        return self._logits(p).argmax(-1)

    def _masked(self, x: Int[Tensor, "B V"], generator: torch.Generator) -> Float[Tensor, "B V C"]:
        share = 0.5 * torch.rand(len(x), 1, generator=generator)
        hidden = torch.rand(x.shape, generator=generator) < share
        mask = self.space.choice_mask.float()
        even = (mask / mask.sum(1, keepdim=True)).expand(len(x), -1, -1)
        return torch.where(hidden[..., None], even, self.network.graph.one_hot(x))

    def _logits(self, p: Float[Tensor, "B V C"]) -> Float[Tensor, "B V C"]:
        mask = self.space.choice_mask
        logits = self.reader(self.network.relaxed(p)).view(len(p), *mask.shape)
        return logits.masked_fill(~mask, -torch.inf)
