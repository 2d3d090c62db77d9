"""Views of an architecture that kernels compare: what two designs can have in common."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property

import torch
from jaxtyping import Float, Int
from torch import Tensor

from ...encoders.features import one_hot, statistics
from ...encoders.path import PathEncoding
from ...encoders.weisfeiler_lehman import WeisfeilerLehman
from ...errors import UnknownNameError
from ...spaces import Space

__all__ = ["DEFAULT", "VIEWS", "Encoded", "Views"]

# Architectures that paths, neighbourhoods and scales are taken from.
REFERENCE = 2048
VIEWS = ("one-hot", "path", "computed path", "weisfeiler-lehman", "counts", "depth")
DEFAULT = ("one-hot", "path", "computed path", "counts", "depth")

Encoder = Callable[[Int[Tensor, "B V"]], Float[Tensor, "B D"]]


@dataclass(frozen=True)
class Encoded:
    """Architectures, and what the views say of them.

    Args:
        x: Choice indices.
        features: One matrix a view.
    """

    x: Int[Tensor, "B V"]
    features: tuple[Float[Tensor, "B _"], ...]

    def __len__(self) -> int:
        return len(self.x)

    def __getitem__(self, index: Tensor | slice) -> Encoded:
        return Encoded(self.x[index], tuple(view[index] for view in self.features))

    def double(self) -> Encoded:
        """Returns the same in double precision."""
        return Encoded(self.x, tuple(view.double() for view in self.features))

    def join(self, other: Encoded) -> Encoded:
        """Appends other architectures.

        Args:
            other: Of the same views.
        """
        pairs = zip(self.features, other.features, strict=True)
        return Encoded(torch.cat([self.x, other.x]), tuple(torch.cat(pair) for pair in pairs))


class Views:
    """Encodes architectures in several ways, each scaled so that two draws are at distance 1.

    ========================  ==================================================================
    ``one-hot``               the choices of the canonical form
    ``path``                  words along the paths from input to output (arXiv 1910.11858)
    ``computed path``         the same without words that compute nothing, such as skips
    ``weisfeiler-lehman``     counts of neighbourhoods (arXiv 2006.07556), of unit length
    ``counts``                logarithms of parameters and multiply-adds, which cost no label
    ``depth``                 logarithm of the number of layers on the longest path
    ========================  ==================================================================

    Views that a space does not have (paths in a chain, counts in a space without any) are left
    out.

    Args:
        space: The space.
        names: Which views, of `VIEWS`.

    Raises:
        UnknownNameError: For another view.

    Example:
        >>> from vitruvius.spaces import space
        >>> views = Views(space("nasbench201"), ("one-hot", "depth"))
        >>> [view.shape for view in views(space("nasbench201").sample(3, 0)).features]
        [torch.Size([3, 30]), torch.Size([3, 1])]
    """

    def __init__(self, space: Space, names: tuple[str, ...] = DEFAULT) -> None:
        for name in names:
            if name not in VIEWS:
                raise UnknownNameError.of("view", name, VIEWS)
        self.space, self._wanted = space, names

    @property
    def names(self) -> tuple[str, ...]:
        """The views there are, in order."""
        return tuple(self._encoders)

    def __call__(self, x: Int[Tensor, "B V"]) -> Encoded:
        """Encodes architectures.

        Args:
            x: Valid choice indices.

        Returns:
            One matrix a view; the mean squared distance of two uniform draws is 1 in each.
        """
        pairs = zip(self._encoders.values(), self._centre_and_scale, strict=True)
        return Encoded(x, tuple((encode(x) - centre) / scale for encode, (centre, scale) in pairs))

    @cached_property
    def _reference(self) -> Int[Tensor, "R V"]:
        return self.space.sample(REFERENCE, 0)

    @cached_property
    def _encoders(self) -> Mapping[str, Encoder]:
        made = {name: self._encoder(name) for name in self._wanted}
        return {name: encode for name, encode in made.items() if encode is not None}

    @cached_property
    def _centre_and_scale(self) -> list[tuple[Tensor, float]]:
        # Distances by inner products lose their digits far from the origin.
        made = []
        for encode in self._encoders.values():
            view = encode(self._reference)
            made.append((view.mean(0), max((2 * view.var(0).sum()).sqrt().item(), 1e-6)))
        return made

    def _encoder(self, name: str) -> Encoder | None:
        space = self.space
        if name == "one-hot":
            return lambda x: one_hot(space, x)
        if name in ("path", "computed path"):
            paths = PathEncoding(space, computed=name != "path")
            there = paths.branches and (name == "path" or paths.shortens)
            return paths.fit(self._reference).transform if there else None
        if name == "weisfeiler-lehman":
            return self._neighbourhoods
        columns = [
            i
            for i, count in enumerate(sorted(space.statistics(self._reference[:1])))
            if (count == "depth") == (name == "depth")
        ]
        if not columns:
            return None
        centre = statistics(space, self._reference)[:, columns]
        spread = centre.std(0).clamp(min=1e-6)
        # Isomorphic cells can differ in parameters that nothing reaches.
        return lambda x: statistics(space, space.canonical(x))[:, columns] / spread

    @cached_property
    def _refined(self) -> WeisfeilerLehman:
        return WeisfeilerLehman(self.space).fit(self._reference)

    def _neighbourhoods(self, x: Int[Tensor, "B V"]) -> Float[Tensor, "B K"]:
        counts = self._refined.transform(x)
        return counts / counts.norm(dim=1, keepdim=True).clamp(min=1e-9)
