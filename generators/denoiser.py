"""The denoiser: a graph transformer over node, edge and graph tokens."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import torch
import torch.nn.functional as F
from diffusers import ConfigMixin, ModelMixin
from diffusers.configuration_utils import register_to_config
from jaxtyping import Float, Int
from torch import Tensor, nn

from ..core.errors import UnknownNameError, UsageError
from ..encoders.layout import RELATIONS, Layout, Vocabulary
from ..spaces import Space, Variable

__all__ = ["GraphDenoiser", "fingerprints", "schema_of"]

# Positions are learned per node number; product spaces of the shipped ones stay far below.
MAX_NODES = 128
# Odd and large, so that hashes of two spaces do not meet.
STRIDE = 0x3C6EF372FE94F82B


def schema_of(space: Space) -> dict[str, Any]:
    """Returns the JSON form of a space's variables, which a checkpoint keeps.

    Roles are no part of it: the denoiser does not read them.

    Args:
        space: The space.
    """
    variables = [
        {"name": v.name, "choices": list(v.choices), "kind": v.kind, "place": list(v.place)}
        for v in space.variables
    ]
    return {"space": space.name, "variables": variables}


def fingerprints(space: Space, x: Int[Tensor, "B V"], number: int) -> Int[Tensor, " B"]:
    """Returns the numbers by which a checkpoint remembers the architectures it was trained on.

    Args:
        space: The space.
        x: Valid choice indices.
        number: Number of the space among those of the denoiser; keeps alike rows of two apart.
    """
    return space.hashes(x) + torch.tensor(STRIDE) * number


class GraphDenoiser(ModelMixin, ConfigMixin):
    """Predicts the clean choice of every variable from a corrupted architecture.

    Tokens are the places of the DAG that hold variables (see `Layout`). A token starts as the sum
    of its variables' words and its position in topological order; attention adds a learned bias
    for how two tokens stand to each other on the graph (Dwivedi & Bresson, arXiv 2012.09699); time
    and conditions modulate every layer (adaptive layer norm of Peebles & Xie, arXiv
    2212.09748). One set of weights can serve several spaces that share a vocabulary.

    Args:
        schemas: One per space, as written by `schema_of`.
        conditions: Names of the properties it can be conditioned on.
        knots: Per space and condition, equally spaced quantiles of the property in the training
            data; they map a raw value to a normal score.
        width: Channels of a token.
        layers: Transformer layers.
        heads: Attention heads.
        process: The corruption it was trained for: ``"absorbing"``, ``"uniform"`` or
            ``"continuous"``.
        seen_count: Number of architectures in the training set, whose hashes the buffer ``seen``
            keeps so that novelty can be told.
        tasks: Names of the tasks it was trained across, if any.

    Raises:
        UsageError: For a space of more than 128 nodes.

    Example:
        >>> from vitruvius.spaces import space
        >>> cells = space("nasbench201")
        >>> denoiser = GraphDenoiser([schema_of(cells)], width=16, layers=1)
        >>> denoiser(cells.sample(3, 0), torch.zeros(3)).shape
        torch.Size([3, 6, 5])
    """

    _supports_gradient_checkpointing = False

    @register_to_config
    def __init__(
        self,
        schemas: list[dict[str, Any]],
        conditions: list[str] | None = None,
        knots: dict[str, dict[str, list[float]]] | None = None,
        width: int = 64,
        layers: int = 3,
        heads: int = 4,
        process: str = "absorbing",
        seen_count: int = 0,
        tasks: list[str] | None = None,
    ) -> None:
        super().__init__()
        variables = [
            [Variable(v["name"], tuple(v["choices"]), v["kind"], tuple(v["place"])) for v in schema]
            for schema in (entry["variables"] for entry in schemas)
        ]
        last = max((node for schema in variables for v in schema for node in v.place), default=0)
        if last >= MAX_NODES:
            raise UsageError(
                f"A denoiser takes spaces of at most {MAX_NODES} nodes, got node {last}.",
                "Split the space, or leave nodes without decisions out.",
            )
        self.space_names = [entry["space"] for entry in schemas]
        self.condition_names = list(conditions or [])
        self.tasks = tuple(tasks or ())
        vocabulary = Vocabulary(variables)
        self._layouts = [Layout.of(schema) for schema in variables]
        for i, (schema, layout) in enumerate(zip(variables, self._layouts, strict=True)):
            self.register_buffer(f"words_{i}", vocabulary.ids(schema), persistent=False)
            for name in ("token", "relation", "source", "target", "kind", "choices"):
                self.register_buffer(f"{name}_{i}", getattr(layout, name), persistent=False)
        self.register_buffer("seen", torch.zeros(seen_count, dtype=torch.long))
        self.words = nn.Embedding(len(vocabulary), width)
        self.node_from = nn.Embedding(MAX_NODES, width)
        self.node_to = nn.Embedding(MAX_NODES, width)
        self.place_kind = nn.Embedding(3, width)
        self.spaces = nn.Embedding(len(schemas), width)
        self.absent = nn.Parameter(torch.zeros(len(self.condition_names), width))
        self.condition_in = nn.ModuleList(
            nn.Sequential(nn.Linear(9, width), nn.SiLU(), nn.Linear(width, width))
            for _ in self.condition_names
        )
        self.time_in = nn.Sequential(nn.Linear(9, width), nn.SiLU(), nn.Linear(width, width))
        self.blocks = nn.ModuleList(_Block(width, heads) for _ in range(layers))
        self.modulate_out = nn.Linear(width, 2 * width)
        self.words_out = nn.Embedding(len(vocabulary), width)
        self.bias_out = nn.Embedding(len(vocabulary), 1)
        self._initialise(width)

    def _initialise(self, width: int) -> None:
        for embedding in (self.words, self.node_from, self.node_to, self.place_kind, self.spaces):
            nn.init.normal_(embedding.weight, std=0.5)
        nn.init.normal_(self.words_out.weight, std=width**-0.5)
        nn.init.zeros_(self.bias_out.weight)
        nn.init.zeros_(self.modulate_out.weight)
        nn.init.zeros_(self.modulate_out.bias)

    def space_index(self, name: str) -> int:
        """Returns the number of a space among those it serves.

        Args:
            name: Name of the space.

        Raises:
            UnknownNameError: Where it was not trained for that space.
        """
        if name not in self.space_names:
            raise UnknownNameError.of(
                "space for this generator", name, self.space_names, "Train one for your space."
            )
        return self.space_names.index(name)

    def scores(self, space: int, values: Mapping[str, Tensor]) -> Float[Tensor, "B K"]:
        """Maps raw property values to normal scores; properties not given become NaN (absent).

        Args:
            space: Number of the space.
            values: Property name to ``[B]`` values in its own unit.

        Raises:
            ValueError: Where no property is given at all.
        """
        if not values:
            raise ValueError("`values` must name at least one property.")
        knots = (self.config.knots or {}).get(self.space_names[space], {})
        size = len(next(iter(values.values())))
        columns = []
        for name in self.condition_names:
            if name in values and name in knots:
                columns.append(_normal_score(values[name], knots[name]))
            else:
                columns.append(torch.full((size,), math.nan))
        return torch.stack(columns, 1).to(self.device)

    def forward(
        self,
        x: Int[Tensor, "B V"] | Float[Tensor, "B V C"],
        time: Float[Tensor, "#B"],
        conditions: Float[Tensor, "B K"] | None = None,
        space: int = 0,
        wanted: Int[Tensor, "B W"] | None = None,
    ) -> Float[Tensor, "B _ C"]:
        """Returns the logits of the clean choices; columns that are no choice are -inf.

        Args:
            x: Choice indices, -1 where masked; or relaxed ones (see `relax`) with Gaussian noise.
            time: Share of the variables that is corrupted, in [0, 1]; or the noise's deviation.
                One number for all rows, where it is the same, saves work.
            conditions: Normal scores, NaN where absent; None for no condition at all.
            space: Number of the space.
            wanted: Variables of every row whose logits are wanted, of discrete choices; by default
                all. The last layer then works for their tokens only.
        """
        words, token, choices = (
            self.get_buffer(f"{name}_{space}") for name in ("words", "token", "choices")
        )
        variables = torch.arange(x.shape[1], device=x.device)
        evidence = None
        if x.is_floating_point():
            # What the noisy choices say each by itself: Bayes' rule for Gaussian noise.
            evidence = (x / time[:, None, None].square()).masked_fill(~choices, -torch.inf)
            embedded = torch.einsum("bvc,vcd->bvd", evidence.softmax(-1), self.words(words[:, :-1]))
            time = time.atan() * (2 / math.pi)
        else:
            embedded = self.words(words[variables, x])  # index -1 is the mask word
        position = (
            self.node_from(self.get_buffer(f"source_{space}"))
            + self.node_to(self.get_buffer(f"target_{space}"))
            + self.place_kind(self.get_buffer(f"kind_{space}"))
        )
        if len(position) == x.shape[1] and torch.equal(token, variables):
            h = embedded + position
        else:
            h = position.expand(len(x), -1, -1).index_add(1, token, embedded)
        c = self._context(time, conditions, space)
        relation = self.get_buffer(f"relation_{space}")
        at = None if wanted is None else token[wanted]
        *first, last = self.blocks
        for block in first:
            h = block(h, c, relation)
        h = last(h, c, relation, at)
        scale, shift = self.modulate_out(c)[:, None].chunk(2, -1)
        h = _modulated_norm(h, scale, shift)
        words = words[:, :-1]
        if wanted is None:
            logits = torch.einsum("bvd,vcd->bvc", h[:, token], self.words_out(words))
        else:
            # Of all words, which are few: a word serves many variables.
            words, choices = words[wanted], choices[wanted]
            logits = (h @ self.words_out.weight.T).gather(2, words)
        logits = logits + self.bias_out(words)[..., 0]
        if evidence is not None:
            logits = logits + evidence
        return logits.masked_fill(~choices, -torch.inf)

    def _context(
        self, time: Float[Tensor, "#B"], conditions: Float[Tensor, "B K"] | None, space: int
    ) -> Float[Tensor, "#B D"]:
        c = self.time_in(_fourier(time)) + self.spaces.weight[space]
        for k in range(len(self.condition_in)):
            if conditions is None:
                c = c + self.absent[k]
            else:
                score = conditions[:, k]
                absent = score.isnan()[:, None]
                c = c + torch.where(absent, self.absent[k], self.encoded(k, score))
        return F.silu(c)

    def encoded(self, place: int, score: Float[Tensor, " B"]) -> Float[Tensor, "B D"]:
        """Returns what the values of a condition add to the context.

        Args:
            place: Number of the condition.
            score: Normal scores; NaN counts as 0.
        """
        return self.condition_in[place](_fourier(score.nan_to_num() / 4))


class _Block(nn.Module):
    """Attention and a network of two layers, either modulated by the context."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.qkv = nn.Linear(width, 3 * width)
        self.out = nn.Linear(width, width)
        self.bias = nn.Embedding(len(RELATIONS), heads)
        self.mlp = nn.Sequential(nn.Linear(width, 3 * width), _GELU(), nn.Linear(3 * width, width))
        self.modulate = nn.Linear(width, 6 * width)
        nn.init.zeros_(self.bias.weight)
        nn.init.zeros_(self.modulate.weight)
        nn.init.zeros_(self.modulate.bias)

    def forward(
        self,
        h: Float[Tensor, "B L D"],
        c: Float[Tensor, "#B D"],
        relation: Int[Tensor, "L L"],
        at: Int[Tensor, "B W"] | None = None,
    ) -> Float[Tensor, "B _ D"]:
        """Renews the tokens ``at``, or all; they attend to all."""
        scale_1, shift_1, gate_1, scale_2, shift_2, gate_2 = self.modulate(c)[:, None].chunk(6, -1)
        size, _, width = h.shape
        x = _modulated_norm(h, scale_1, shift_1)
        bias = self.bias(relation).permute(2, 0, 1)
        if at is None:
            q, k, v = self._heads(self.qkv(x), 3)
        else:
            rows = torch.arange(size, device=at.device)[:, None]
            weight, offset = self.qkv.weight, self.qkv.bias
            (q,) = self._heads(F.linear(x[rows, at], weight[:width], offset[:width]), 1)
            k, v = self._heads(F.linear(x, weight[width:], offset[width:]), 2)
            h, bias = h[rows, at], bias[:, at].transpose(0, 1)
        # By hand: torch's own attention takes more than twice as long with a bias on the CPU.
        score = (q @ k.transpose(-1, -2)).mul_(q.shape[-1] ** -0.5).add_(bias)
        mixed = (score.softmax(-1) @ v).transpose(1, 2).reshape(h.shape)
        h = torch.addcmul(h, 1 + gate_1, self.out(mixed))
        return torch.addcmul(h, 1 + gate_2, self.mlp(_modulated_norm(h, scale_2, shift_2)))

    def _heads(self, x: Float[Tensor, "B L _"], parts: int) -> tuple[Float[Tensor, "B H L E"], ...]:
        return x.unflatten(2, (parts, self.heads, -1)).permute(2, 0, 3, 1, 4).unbind(0)


class _GELU(nn.Module):
    """``nn.GELU(approximate="tanh")`` by ``x * sigmoid(2 u)``, in half the time on the CPU."""

    def forward(self, x: Float[Tensor, "*B"]) -> Float[Tensor, "*B"]:
        twice = 2 * math.sqrt(2 / math.pi)
        # In place: fresh memory costs as much as the arithmetic.
        return x * (x * x).mul_(0.044715 * twice).add_(twice).mul_(x).sigmoid_()


def _modulated_norm(
    x: Float[Tensor, "B L D"], scale: Float[Tensor, "#B 1 D"], shift: Float[Tensor, "#B 1 D"]
) -> Float[Tensor, "B L D"]:
    """Layer normalisation with the scale and shift of each row, or of all."""
    if len(scale) == 1:
        return F.layer_norm(x, x.shape[-1:], 1 + scale[0, 0], shift[0, 0])
    return torch.addcmul(shift, F.layer_norm(x, x.shape[-1:]), 1 + scale)


def _fourier(value: Float[Tensor, " B"]) -> Float[Tensor, "B 9"]:
    angles = value[:, None] * torch.tensor([1.0, 2.0, 4.0, 8.0], device=value.device) * math.pi / 2
    return torch.cat([value[:, None], angles.sin(), angles.cos()], 1)


def _normal_score(values: Tensor, knots: Sequence[float]) -> Float[Tensor, " B"]:
    """Interpolates the empirical distribution function, then the normal quantile function.

    Beyond the outermost knots the score goes on with the last slope, so that values outside the
    training range stay distinguishable.
    """
    grid = torch.tensor(knots, dtype=torch.float64)
    level = torch.linspace(0, 1, len(grid), dtype=torch.float64).clamp(0.003, 0.997)
    score = torch.special.ndtri(level)
    x = values.double().cpu()
    right = torch.searchsorted(grid, x.contiguous()).clamp(1, len(grid) - 1)
    low, high = grid[right - 1], grid[right]
    span = (high - low).clamp(min=1e-12 * grid.abs().max().clamp(min=1.0))
    weight = (x - low) / span
    return (score[right - 1] + weight * (score[right] - score[right - 1])).clamp(-6, 6).float()
