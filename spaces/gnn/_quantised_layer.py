"""The attention layer in few bits, as LPGNAS quantises it."""

from __future__ import annotations

import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from ..quantisation import FakeQuantisation
from ._attention_layer import VECTORS, AttentionLayer

__all__ = ["COMPONENTS", "QuantisedAttentionLayer", "RoundedLinear"]

COMPONENTS = ("weights", "vectors", "values", "coefficients", "sums")
"""What has a format of its own: two kinds of parameters, three of activations."""


class QuantisedAttentionLayer(AttentionLayer):
    """An `AttentionLayer` whose parameters and activations are rounded to formats.

    ``weights`` are those of linear layers, ``vectors`` what attention learns; ``values`` are the
    nodes', ``coefficients`` the weights of messages, ``sums``
    what is gathered of them. The bias stays as it is.

    Args:
        width: As for `AttentionLayer`.
        out: As for `AttentionLayer`.
        heads: As for `AttentionLayer`.
        attention: As for `AttentionLayer`.
        aggregator: As for `AttentionLayer`.
        concat: As for `AttentionLayer`.
        formats: Format of each of `COMPONENTS`, in their order.
    """

    def __init__(
        self,
        width: int,
        out: int,
        heads: int,
        attention: str,
        aggregator: str,
        *,
        concat: bool,
        formats: tuple[str, ...],
    ) -> None:
        super().__init__(width, out, heads, attention, aggregator, concat=concat)
        weights, vectors, *activations = formats
        self.linear = RoundedLinear.of(self.linear, weights)
        if self.pool is not None:
            self.pool = nn.Sequential(
                *(
                    RoundedLinear.of(each, weights)
                    for each in self.pool
                    if isinstance(each, nn.Linear)
                )
            )
        if self.scorer is not None:
            self.scorer = RoundedLinear.of(self.scorer, vectors)
        self.rounded_vectors = FakeQuantisation(vectors)
        self.rounded_values, self.rounded_coefficients, self.rounded_sums = map(
            FakeQuantisation, activations
        )

    def _hidden(self, x: Float[Tensor, "N F"]) -> Float[Tensor, "N K"]:
        return self.rounded_values(self.linear(x))

    def _scaled(self, h: Float[Tensor, "N H O"]) -> list[Float[Tensor, "N H O"]]:
        vectors = self.rounded_vectors(self.vectors)
        return [h * vectors[i] for i in range(VECTORS[self.attention])]

    def _quantised_weight(self, weight: Float[Tensor, "E H"]) -> Float[Tensor, "E H"]:
        return self.rounded_coefficients(weight)

    def _quantised_sum(self, gathered: Float[Tensor, "N H O"]) -> Float[Tensor, "N H O"]:
        return self.rounded_sums(gathered)


class RoundedLinear(nn.Linear):
    """A linear layer whose weight is rounded to a format."""

    rounded: FakeQuantisation

    @classmethod
    def of(cls, linear: nn.Linear, name: str) -> RoundedLinear:
        """Makes one of the size and with the parameters of a linear layer.

        Args:
            linear: The layer.
            name: The format.
        """
        made = cls(linear.in_features, linear.out_features, bias=linear.bias is not None)
        made.weight, made.bias = linear.weight, linear.bias
        made.rounded = FakeQuantisation(name)
        return made

    def forward(self, x: Float[Tensor, "*B I"]) -> Float[Tensor, "*B O"]:
        return F.linear(x, self.rounded(self.weight), self.bias)
