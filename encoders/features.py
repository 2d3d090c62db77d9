"""Hand-made feature vectors of architectures."""

from __future__ import annotations

from collections.abc import Collection

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor

from ..spaces import Space

__all__ = ["Counts", "OneHot", "one_hot", "statistics"]


def one_hot(space: Space, x: Int[Tensor, "B V"]) -> Float[Tensor, "B D"]:
    """Concatenates the one-hot choices of the canonical form.

    Args:
        space: The space.
        x: Choice indices.

    Returns:
        One column per choice of every variable.

    Example:
        >>> from vitruvius.spaces import space
        >>> cells = space("nasbench201")
        >>> one_hot(cells, cells.sample(2, 0)).shape
        torch.Size([2, 30])
    """
    relaxed = F.one_hot(space.canonical(x), space.choice_mask.shape[1]).float()
    return relaxed[:, space.choice_mask]


def statistics(space: Space, x: Int[Tensor, "B V"]) -> Float[Tensor, "B S"]:
    """Stacks the logarithms of what can be counted exactly (parameters, MACs, depth).

    Args:
        space: The space.
        x: Valid choice indices.

    Returns:
        One column per statistic, in the order of their names.

    Example:
        >>> from vitruvius.spaces import space
        >>> cells = space("nasbench201")
        >>> statistics(cells, cells.sample(2, 0)).shape
        torch.Size([2, 3])
    """
    counts = space.statistics(x)
    columns = [counts[name].log1p() for name in sorted(counts)]
    return torch.stack(columns, 1).float() if columns else torch.zeros(len(x), 0)


class OneHot:
    """The one-hot choices of the canonical form: operations, edges, sizes, whatever is chosen.

    Args:
        space: The space.

    Example:
        >>> from vitruvius.spaces import space
        >>> cells = space("nasbench201")
        >>> OneHot(cells).transform(cells.sample(2, 0)).shape
        torch.Size([2, 30])
    """

    def __init__(self, space: Space) -> None:
        self.space = space

    def fit(self, x: Int[Tensor, "B V"]) -> OneHot:
        """Takes nothing: the space says it all.

        Args:
            x: Valid choice indices.
        """
        return self

    def transform(self, x: Int[Tensor, "B V"]) -> Float[Tensor, "B D"]:
        """As `one_hot`.

        Args:
            x: Valid choice indices.
        """
        return one_hot(self.space, x)


class Counts:
    """Logarithms of some exact statistics, each in its standard deviations.

    Args:
        space: The space.
        names: Which statistics.

    Example:
        >>> from vitruvius.spaces import space
        >>> cells = space("nasbench201")
        >>> counts = Counts(cells, ["params", "macs"]).fit(cells.sample(100, 0))
        >>> counts.transform(cells.sample(2, 0)).shape
        torch.Size([2, 2])
    """

    def __init__(self, space: Space, names: Collection[str]) -> None:
        self.space = space
        there = sorted(space.statistics(space.sample(1, 0)))
        self._columns = [i for i, name in enumerate(there) if name in names]
        self._deviation = torch.ones(len(self._columns))

    def fit(self, x: Int[Tensor, "B V"]) -> Counts:
        """Takes the standard deviations.

        Args:
            x: Valid choice indices.
        """
        self._deviation = statistics(self.space, x)[:, self._columns].std(0).clamp(min=1e-6)
        return self

    def transform(self, x: Int[Tensor, "B V"]) -> Float[Tensor, "B D"]:
        """Counts, without building anything.

        Args:
            x: Valid choice indices.
        """
        # Isomorphic cells can differ in parameters that nothing reaches.
        return statistics(self.space, self.space.canonical(x))[:, self._columns] / self._deviation
