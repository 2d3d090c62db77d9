"""Uniform draws: the baseline of every generator, and the stand-in where none is trained."""

from __future__ import annotations

import torch
from jaxtyping import Bool, Int
from torch import Tensor

from ..core.errors import UsageError
from ..core.seeding import Seed, generators_for
from ..core.torch_state import own_torch_state
from ..spaces import Space
from .generator import Proposals, check_counts
from .guidance import Guidance

__all__ = ["Uniform"]


class Uniform:
    """Draws architectures uniformly; takes no guidance while it draws.

    Example:
        >>> from vitruvius.spaces import space
        >>> bool(Uniform().propose(space("nasbench201"), 4, seed=0).valid.all())
        True
    """

    name = "uniform"
    guidable = False
    conditions: tuple[str, ...] = ()

    @classmethod
    def for_space(cls, space: Space) -> Uniform:
        """Makes the generator of a space, which is the same for all.

        Args:
            space: Of no effect.
        """
        return cls()

    def to(self, device: torch.device) -> Uniform:
        """Moves nothing: there is nothing to compute with.

        Args:
            device: Of no effect.
        """
        return self

    def seen(self, space: Space, x: Int[Tensor, "B V"]) -> Bool[Tensor, " B"] | None:
        """Tells which architectures were learnt from, which is none.

        Args:
            space: The space.
            x: Valid choice indices.
        """
        return torch.zeros(len(x), dtype=torch.bool)

    @own_torch_state()
    def propose(
        self,
        space: Space,
        n: int,
        *,
        guidance: Guidance | None = None,
        steps: int = 16,
        batch_size: int | None = None,
        seed: Seed = None,
    ) -> Proposals:
        """Draws ``n`` architectures.

        Args:
            space: The space.
            n: Number of draws, repeats included.
            guidance: None, or one without any form.
            steps: Of no effect.
            batch_size: Of no effect.
            seed: A generator, an integer seed, or None for a fresh one.

        Raises:
            UsageError: For ``n`` below 1 or for any guidance.
        """
        check_counts(n=n)
        if guidance is not None and guidance.name != "none":
            raise UsageError(
                f"Uniform draws cannot be guided, got guidance {guidance.name!r}.",
                f"Train a generator first: vitruvius train {space.name}",
            )
        host, _ = generators_for(seed, torch.device("cpu"))
        x = space.sample(n, host)
        return Proposals(x, space.is_valid(x))
