"""Feature sets of an architecture that kernels compare: what two designs can have in common."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property, lru_cache

import torch
from jaxtyping import Float, Int
from torch import Tensor

from ..core.errors import UsageError
from ..spaces import Space
from .encoder import Encoder
from .resolver import PLAIN, encoder
from .view import View

__all__ = ["FEATURE_SETS", "FeatureSets", "Features", "feature_sets_of", "fitting_sets"]

# Architectures that paths, neighbourhoods and scales are taken from.
REFERENCE = 2048
FEATURE_SETS = PLAIN
# Where wiring is fixed, choices say what is next to what; where it is chosen, they do not.
FIXED_WIRING = ("one-hot", "path", "computed path", "subset paths", "counts", "depth")
CHOSEN_WIRING = ("one-hot", "neighbours", "subset paths", "counts", "depth")


@dataclass(frozen=True)
class Features:
    """Architectures, and what the encoders say of them.

    Args:
        x: Choice indices.
        features: One matrix an encoder.
        told: What earlier tasks say of each metric, one column a task.
        trend: What a mean function is linear in, one column a view; None where there is no view.
    """

    x: Int[Tensor, "B V"]
    features: tuple[Float[Tensor, "B _"], ...]
    told: Mapping[str, Float[Tensor, "B _"]] = field(default_factory=dict)
    trend: Float[Tensor, "B T"] | None = None

    def __len__(self) -> int:
        return len(self.x)

    def __getitem__(self, index: Tensor | slice) -> Features:
        return Features(
            self.x[index],
            tuple(each[index] for each in self.features),
            {metric: scores[index] for metric, scores in self.told.items()},
            None if self.trend is None else self.trend[index],
        )

    def double(self) -> Features:
        """Returns the same in double precision."""
        return replace(self, features=tuple(each.double() for each in self.features))

    def join(self, other: Features) -> Features:
        """Appends other architectures.

        Args:
            other: Encoded alike.
        """
        pairs = zip(self.features, other.features, strict=True)
        trend = self.trend
        if trend is not None and other.trend is not None:
            trend = torch.cat([trend, other.trend])
        return Features(
            torch.cat([self.x, other.x]),
            tuple(torch.cat(pair) for pair in pairs),
            {name: torch.cat([scores, other.told[name]]) for name, scores in self.told.items()},
            trend,
        )


class FeatureSets:
    """Encodes architectures in several ways, each scaled so that two draws are at distance 1.

    Encoders that a space does not have (paths in a chain, counts in a space without any) are left
    out.

    Args:
        space: The space.
        names: Which encoders, of `encoder_names`; by default all that need no training.
        views: What evaluators tell, after those.

    Raises:
        UnknownNameError: For another name.
        UsageError: Where the space has none of them.

    Example:
        >>> from vitruvius.spaces import space
        >>> encode = FeatureSets(space("nasbench201"), ("one-hot", "depth"))
        >>> [each.shape for each in encode(space("nasbench201").sample(3, 0)).features]
        [torch.Size([3, 30]), torch.Size([3, 1])]
    """

    def __init__(
        self, space: Space, names: tuple[str, ...] = FEATURE_SETS, views: tuple[View, ...] = ()
    ) -> None:
        self.views = views
        made = {name: encoder(name, space) for name in names}
        self.space = space
        self._unfitted = {name: there for name, there in made.items() if there is not None}
        if not self._unfitted:
            raise UsageError(
                f"The space {space.name} has nothing that {', '.join(names)} could encode.",
                "Use one-hot, which every space has.",
            )

    @property
    def names(self) -> tuple[str, ...]:
        """The encoders there are, in order."""
        return tuple(self._unfitted)

    def __call__(self, x: Int[Tensor, "B V"]) -> Features:
        """Encodes architectures.

        Args:
            x: Valid choice indices.

        Returns:
            One matrix an encoder or view; the mean squared distance of two uniform draws is 1 in
            each.
        """
        pairs = zip(self._encoders.values(), self._centre_and_scale, strict=True)
        features = [(each.transform(x) - centre) / scale for each, (centre, scale) in pairs]
        if not self.views:
            return Features(x, tuple(features))
        seen = [view(x) for view in self.views]
        trend = torch.stack(
            [view.trend(each) for view, each in zip(self.views, seen, strict=True)], 1
        )
        features += [each / (2 * each.shape[1]) ** 0.5 for each in seen]
        return Features(x, tuple(features), trend=trend)

    @cached_property
    def _reference(self) -> Int[Tensor, "R V"]:
        return self.space.sample(REFERENCE, 0)

    @cached_property
    def _encoders(self) -> Mapping[str, Encoder]:
        return {name: each.fit(self._reference) for name, each in self._unfitted.items()}

    @cached_property
    def _centre_and_scale(self) -> list[tuple[Tensor, float]]:
        # Distances by inner products lose their digits far from the origin.
        made = []
        for each in self._encoders.values():
            features = each.transform(self._reference)
            scale = (2 * features.var(0).sum()).sqrt().item()
            made.append((features.mean(0), max(scale, 1e-6)))
        return made


def fitting_sets(space: Space) -> tuple[str, ...]:
    """Returns the few that search compares: paths, or neighbours where wiring is chosen.

    Args:
        space: The space.

    Example:
        >>> from vitruvius.spaces import space
        >>> fitting_sets(space("nasbench101"))
        ('one-hot', 'neighbours', 'subset paths', 'counts', 'depth')
    """
    chosen = any(variable.kind in ("edge", "parent") for variable in space.variables)
    return CHOSEN_WIRING if chosen else FIXED_WIRING


@lru_cache(maxsize=16)
def feature_sets_of(
    space: Space, names: tuple[str, ...], views: tuple[View, ...] = ()
) -> FeatureSets:
    """Returns the feature sets of a space, fitted once however many ask.

    Args:
        space: The space.
        names: As for `FeatureSets`.
        views: As for `FeatureSets`.

    Example:
        >>> from vitruvius.spaces import space
        >>> cells = space("nasbench201")
        >>> feature_sets_of(cells, ("path",)) is feature_sets_of(cells, ("path",))
        True
    """
    return FeatureSets(space, names, views)
