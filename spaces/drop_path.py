"""Drop path: leaves out whole paths of a network while it learns."""

from __future__ import annotations

from jaxtyping import Float
from torch import Tensor, nn

__all__ = ["DropPath"]


class DropPath(nn.Module):
    """Drops a path for some examples and scales it by ``1 / (1 - p)`` for the others.

    Introduced by FractalNet (arXiv 1605.07648); with a probability that grows linearly over
    training it is the ScheduledDropPath of NASNet (arXiv 1707.07012). A trainer sets ``p`` of all
    of them: ``for each in network.modules(): if isinstance(each, DropPath): each.p = p``. Draws
    come from torch's global generator, as those of ``nn.Dropout``; at evaluation nothing is done.

    Args:
        p: Probability of a path to be dropped; 0 until a trainer says otherwise.

    Example:
        >>> import torch
        >>> path = DropPath(0.5)
        >>> sorted(set(path(torch.ones(64, 1, 1, 1)).flatten().tolist()))
        [0.0, 2.0]
    """

    def __init__(self, p: float = 0.0) -> None:
        super().__init__()
        self.p = p

    def forward(self, x: Float[Tensor, "B *shape"]) -> Float[Tensor, "B *shape"]:
        if not self.training or self.p == 0.0:
            return x
        kept = x.new_empty((len(x),) + (1,) * (x.dim() - 1)).bernoulli_(1.0 - self.p)
        return x * kept / (1.0 - self.p)

    def extra_repr(self) -> str:
        return f"p={self.p}"
