"""The network of NAO as a checkpoint: weights as safetensors, configuration as JSON."""

from __future__ import annotations

from typing import Any

import torch
from diffusers import ConfigMixin, ModelMixin
from diffusers.configuration_utils import register_to_config
from jaxtyping import Float, Int
from torch import Tensor

from ...encoders.autoencoder import Autoencoder
from ...encoders.schema import Schema

__all__ = ["NAONetwork"]


class NAONetwork(ModelMixin, ConfigMixin):
    """An `Autoencoder` with the density of its embeddings and what it was trained on.

    Args:
        schema: Of the space, as written by `Schema.to_json`.
        width: Channels of a node.
        layers: Rounds of messages.
        size: Numbers in an embedding.
        hidden: Units of the decoder's hidden layers.
        seen_count: Number of architectures in the training set, whose hashes the buffer ``seen``
            keeps so that novelty can be told.

    Example:
        >>> from vitruvius.spaces import space
        >>> network = NAONetwork(Schema.of(space("nasbench201")).to_json(), width=8, size=16)
        >>> network.draw(3, torch.Generator()).shape
        torch.Size([3, 16])
    """

    _supports_gradient_checkpointing = False

    mean: Float[Tensor, " D"]
    factor: Float[Tensor, "D D"]
    seen: Int[Tensor, " A"]

    @register_to_config
    def __init__(
        self,
        schema: dict[str, Any],
        width: int = 64,
        layers: int = 3,
        size: int = 64,
        hidden: int = 256,
        seen_count: int = 0,
    ) -> None:
        super().__init__()
        self.autoencoder = Autoencoder(
            Schema.from_json(schema), width=width, layers=layers, size=size, hidden=hidden
        )
        self.register_buffer("mean", torch.zeros(size))
        self.register_buffer("factor", torch.eye(size))
        self.register_buffer("seen", torch.zeros(seen_count, dtype=torch.long))

    @torch.no_grad()
    def fit_density(self, x: Int[Tensor, "A V"]) -> None:
        """Fits the Gaussian of the embeddings.

        Args:
            x: Architectures.
        """
        parts = [self.autoencoder.encode(chunk.to(self.device)) for chunk in x.split(4096)]
        embedding = torch.cat(parts).double()
        covariance = torch.cov(embedding.T) + 1e-6 * torch.eye(
            embedding.shape[1], dtype=embedding.dtype, device=embedding.device
        )
        self.mean.copy_(embedding.mean(0))
        self.factor.copy_(torch.linalg.cholesky(covariance))

    def draw(self, n: int, generator: torch.Generator) -> Float[Tensor, "n D"]:
        """Draws embeddings from the Gaussian.

        Args:
            n: How many.
            generator: Source of randomness, where the network is.
        """
        noise = torch.randn(n, len(self.mean), generator=generator, device=self.mean.device)
        return self.mean + noise @ self.factor.T
