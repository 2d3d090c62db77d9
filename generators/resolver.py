"""From a name or a folder to a generator."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from ..core.errors import UnknownNameError
from ..spaces import Space

if TYPE_CHECKING:
    from .diffusion import GraphDiffusion
    from .generator import Generator
    from .nao import NAO

__all__ = ["ACROSS", "UNIFORM", "across", "generator_for", "load", "shipped"]

UNIFORM = "uniform"
# What the name of a generator ends with that was trained across tasks.
ACROSS = "-tasks"
_PRETRAINED = Path(__file__).parent / "pretrained"


def shipped() -> list[str]:
    """Lists the generators that ship, by name.

    Example:
        >>> "nasbench201" in shipped()
        True
    """
    return sorted(path.parent.name for path in _PRETRAINED.glob("*/model_index.json"))


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
    return name if name in shipped() else "auto"


def load(name: str) -> GraphDiffusion | NAO:
    """Loads a trained generator.

    Args:
        name: One of `shipped`, a folder written by ``save_pretrained``, or a repository of graph
            diffusion on the Hub (``owner/name``).

    Raises:
        UnknownNameError: Where the name is none of these.
        CheckpointError: Where the folder cannot be read as a generator.

    Example:
        >>> load("nasbench201").conditions
        ('params', 'macs', 'depth')
    """
    # diffusers takes longer to import than all the rest.
    from .diffusion import GraphDiffusion
    from .nao import NAO

    if name in shipped():
        return GraphDiffusion.from_pretrained(_PRETRAINED / name)
    if not Path(name).exists() and "/" not in name:
        raise UnknownNameError.of(
            "generator", name, [*shipped(), UNIFORM], "Or give the folder of a trained one."
        )
    return NAO.from_pretrained(name) if NAO.saved_in(name) else GraphDiffusion.from_pretrained(name)


def generator_for(space: Space, name: str = "auto") -> Generator:
    """Returns the generator of that name.

    Args:
        space: What to generate.
        name: ``auto`` (the one that ships for the space, else uniform draws), ``uniform``, or
            anything `load` takes.

    Raises:
        UnknownNameError: As for `load`.
        CheckpointError: As for `load`.

    Example:
        >>> from vitruvius.spaces import space
        >>> generator_for(space("toy_recipe.yaml")).name
        'uniform'
    """
    from .uniform import Uniform

    if name == "auto":
        name = space.name if space.name in shipped() else UNIFORM
    return Uniform() if name == UNIFORM else load(name)
