"""From a name or a folder to a generator: what ships, families of packages, trained folders."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from ..core.errors import UnknownNameError, UsageError
from ..core.registry import Registry

if TYPE_CHECKING:
    from ..spaces import Space
    from .generator import Generator

__all__ = [
    "ACROSS",
    "AUTO",
    "GENERATORS",
    "UNIFORM",
    "across",
    "generator_for",
    "generator_names",
    "load",
    "shipped",
]

GENERATORS = Registry(
    "generator",
    "vitruvius.generators",
    {
        "uniform": "generators.uniform:Uniform",
        "diffusion": "generators.diffusion:GraphDiffusion",
        "nao": "generators.nao.generator:NAO",
    },
)
AUTO, UNIFORM, DIFFUSION = "auto", "uniform", "diffusion"
# What the name of a generator ends with that was trained across tasks.
ACROSS = "-tasks"
_PRETRAINED = Path(__file__).parent / "pretrained"


def shipped() -> list[str]:
    """Lists the trained generators that ship, by name.

    Example:
        >>> "nasbench201" in shipped()
        True
    """
    return sorted(path.parent.name for path in _PRETRAINED.glob("*/model_index.json"))


def generator_names() -> list[str]:
    """Lists the names `generator_for` knows; the folder of a trained one serves as well.

    Those of families that have to be trained are left out.

    Example:
        >>> generator_names()[:3]
        ['auto', 'uniform', 'autogan']
    """
    plugged = [name for name in GENERATORS.names() if name not in GENERATORS.shipped]
    return [AUTO, UNIFORM, *plugged, *shipped()]


def across(space: Space) -> str:
    """Returns the name of the best start for transfer: trained across tasks, where one ships.

    Args:
        space: The space.

    Example:
        >>> from vitruvius.spaces import space
        >>> across(space("nasbench201"))
        'auto'
    """
    name = space.name + ACROSS
    return name if name in shipped() else AUTO


def load(name: str) -> Generator:
    """Loads a trained generator.

    Args:
        name: One of `shipped`, a folder that one of the families of `GENERATORS` wrote, or a
            repository of graph diffusion on the Hub (``owner/name``).

    Raises:
        UnknownNameError: Where the name is none of these.
        CheckpointError: Where the folder cannot be read as a generator.

    Example:
        >>> load("nasbench201").conditions
        ('params', 'macs', 'depth')
    """
    if name in shipped():
        return GENERATORS.get(DIFFUSION).from_pretrained(_PRETRAINED / name)
    path = Path(name)
    if not path.exists() and "/" not in name:
        hint = "Or give the folder of a trained one."
        raise UnknownNameError.of("generator", name, generator_names(), hint)
    if path.exists():
        from .family import SavedFamily

        for each in GENERATORS.names():
            family = GENERATORS.get(each)
            if isinstance(family, SavedFamily) and family.saved_in(path):
                return family.from_pretrained(path)
    # Which knows the Hub, and says what a folder lacks.
    return GENERATORS.get(DIFFUSION).from_pretrained(name)


def generator_for(space: Space, name: str = AUTO) -> Generator:
    """Returns the generator of that name.

    Args:
        space: What to generate.
        name: ``auto`` (the one that ships for the space, else uniform draws), ``uniform``, a
            family of an installed package that needs no training, or anything `load` takes.

    Raises:
        UnknownNameError: As for `load`.
        UsageError: For a family that has to be trained.
        CheckpointError: As for `load`.

    Example:
        >>> from vitruvius.spaces import space
        >>> generator_for(space("toy_recipe.yaml")).name
        'uniform'
    """
    if name == AUTO:
        name = space.name if space.name in shipped() else UNIFORM
    if name not in GENERATORS:
        return load(name)
    from .family import UntrainedFamily

    family = GENERATORS.get(name)
    if isinstance(family, UntrainedFamily):
        return family.for_space(space)
    if not Path(name).exists():
        raise UsageError(
            f"The generator {name!r} has to be trained first.",
            "Give the folder of a trained one, as `vitruvius train` writes them.",
        )
    return load(name)
