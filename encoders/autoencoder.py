"""Encoder, performance predictor and decoder of NAO (Luo et al., NeurIPS 2018, 1808.07233)."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from ..spaces import Space
from .message_graph import MessageGraph
from .schema import Schema

__all__ = ["Autoencoder", "decode"]


class Autoencoder(nn.Module):
    """Maps architectures to embeddings, embeddings to a performance and back to architectures.

    The encoder passes messages both ways along the DAG,
    ``h + relu(W h + U mean_in(h) + V mean_out(h))`` per layer, and reads all nodes one by one
    beside their mean and maximum, so that nothing is lost. Embeddings are normalised: their mean
    square is 1. Predictor and decoder are networks with one and two hidden layers. It embeds the
    encoding that it is given; isomorphic ones have embeddings of their own unless training makes
    them alike.

    Args:
        schema: What it knows of the space.
        width: Channels of a node.
        layers: Rounds of messages.
        size: Numbers in an embedding.
        hidden: Units of the decoder's hidden layers.

    Example:
        >>> from vitruvius.spaces import space
        >>> cells = space("nasbench201")
        >>> network = Autoencoder(Schema.of(cells), width=8)
        >>> embedding = network.encode(cells.sample(3, 0))
        >>> network.logits(embedding).shape, network.score(embedding).shape
        (torch.Size([3, 6, 5]), torch.Size([3]))
    """

    choices: Bool[Tensor, "V C"]

    def __init__(
        self,
        schema: Schema,
        *,
        width: int = 64,
        layers: int = 3,
        size: int = 64,
        hidden: int = 256,
    ) -> None:
        super().__init__()
        self.schema, self.size = schema, size
        self.graph = MessageGraph(schema)
        sizes = torch.tensor([variable.size for variable in schema.variables])
        choices = torch.arange(int(sizes.max())) < sizes[:, None]
        self.register_buffer("choices", choices, persistent=False)
        self.embed = nn.Linear(self.graph.features, width)
        self.own = nn.ModuleList(nn.Linear(width, width) for _ in range(layers))
        self.before = nn.ModuleList(nn.Linear(width, width, bias=False) for _ in range(layers))
        self.after = nn.ModuleList(nn.Linear(width, width, bias=False) for _ in range(layers))
        self.out = nn.Linear((2 + self.graph.size) * width, size)
        self.decoder = nn.Sequential(
            nn.Linear(size, hidden),
            nn.SiLU(),
            nn.Linear(hidden, hidden),
            nn.SiLU(),
            nn.Linear(hidden, choices.numel()),
        )
        self.head = nn.Sequential(nn.Linear(size, size), nn.SiLU(), nn.Linear(size, 1))

    def encode(self, x: Int[Tensor, "B V"]) -> Float[Tensor, "B D"]:
        """Embeds encodings.

        Args:
            x: Valid choice indices, on any device.
        """
        features, edges = self.graph(self.graph.one_hot(x.to(self.choices.device)))
        h = self.embed(features)
        out = edges / edges.sum(2, keepdim=True).clamp(min=1.0)
        into = (edges / edges.sum(1, keepdim=True).clamp(min=1.0)).transpose(1, 2)
        for own, before, after in zip(self.own, self.before, self.after, strict=True):
            h = h + torch.relu(own(h) + before(into @ h) + after(out @ h))
        read = self.out(torch.cat([h.mean(1), h.amax(1), h.flatten(1)], -1))
        return F.layer_norm(read, (self.size,))

    def logits(self, embedding: Float[Tensor, "B D"]) -> Float[Tensor, "B V C"]:
        """Returns the logits of the choices; columns that are no choice are -inf.

        Args:
            embedding: Of architectures, or anywhere near.
        """
        logits = self.decoder(embedding).view(len(embedding), *self.choices.shape)
        return logits.masked_fill(~self.choices, -torch.inf)

    def score(self, embedding: Float[Tensor, "B D"]) -> Float[Tensor, " B"]:
        """Returns the predicted performance, as a normal score.

        Args:
            embedding: Of architectures, or anywhere near.
        """
        return self.head(embedding)[:, 0]


def decode(space: Space, logits: Float[Tensor, "B V C"]) -> Int[Tensor, "B V"]:
    """Turns logits into architectures that obey the choice sets and what the space forbids.

    Every variable takes its likeliest choice. Where that breaks a constraint, the row is decided
    anew, the surest variable first, among the choices that can still end in a valid architecture
    (`Space.allowed`).

    Args:
        space: The space.
        logits: Of the choices, -inf where there is none; on the CPU.

    Example:
        >>> from vitruvius.spaces import space
        >>> cells = space("nasbench101")
        >>> mask = cells.choice_mask.expand(8, -1, -1)
        >>> logits = torch.randn(mask.shape, generator=torch.Generator().manual_seed(0))
        >>> bool(cells.is_valid(decode(cells, logits.masked_fill(~mask, -torch.inf))).all())
        True
    """
    x = logits.argmax(-1)
    wrong = ~space.is_valid(x)
    if not space.constrained or not bool(wrong.any()):
        return x
    rows = torch.arange(int(wrong.sum()))
    left, known = x[wrong], torch.zeros_like(x[wrong], dtype=torch.bool)
    log_probability = logits[wrong].log_softmax(-1)
    for _ in range(x.shape[1]):
        open_choices = space.allowed(left, known)
        best, choice = log_probability.masked_fill(~open_choices, -torch.inf).max(-1)
        surest = best.masked_fill(known, -torch.inf).argmax(1)
        left[rows, surest] = choice[rows, surest]
        known[rows, surest] = True
    x[wrong] = left
    return x
