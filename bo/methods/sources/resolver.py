"""From names to sources of candidates: the ones that ship, and outside packages by entry point."""

from __future__ import annotations

from ....core.registry import Registry
from .source import Source

__all__ = ["SOURCES", "sources_of"]

SOURCES = Registry(
    "source of candidates",
    "vitruvius.sources",
    {
        "mutation": "bo.methods.sources.mutation:Mutation",
        "crossover": "bo.methods.sources.crossover:Crossover",
        "uniform": "bo.methods.sources.uniform:UniformDraws",
        "diffusion": "bo.methods.sources.guided:Guided",
        "drawn": "bo.methods.sources.drawn:Drawn",
        "conditioned": "bo.methods.sources.conditioned:Conditioned",
        "renoising": "bo.methods.sources.renoising:Renoising",
        "ranked": "bo.methods.sources.ranked:Ranked",
    },
)


def sources_of(names: str) -> dict[str, Source]:
    """Makes the sources of some names.

    Args:
        names: Some of `SOURCES`, joined by ``+``.

    Raises:
        UnknownNameError: For another name.

    Example:
        >>> list(sources_of("mutation + uniform"))
        ['mutation', 'uniform']
    """
    wanted = [part.strip() for part in names.split("+")]
    return {name: SOURCES.get(name)() for name in wanted}
