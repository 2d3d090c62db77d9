"""From a name to a space: the ones that ship, outside packages by entry point, YAML files."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from importlib.metadata import entry_points
from pathlib import Path

from ..core.errors import UnknownNameError
from .architecture import Architecture
from .cnn.mobilenetv3 import MobileNetV3
from .cnn.nasbench101 import NASBench101
from .cnn.nasbench201 import NASBench201
from .declared import DeclaredSpace
from .gnn.nas_bench_graph import NASBenchGraph
from .space import Space

__all__ = ["ENTRY_POINT_GROUP", "from_json", "names", "space"]

ENTRY_POINT_GROUP = "vitruvius.spaces"
PRESETS = Path(__file__).parents[1] / "configs"

_SHIPPED: tuple[type[Space], ...] = (NASBench201, NASBench101, NASBenchGraph, MobileNetV3)


def names() -> list[str]:
    """Lists the names `space` knows: those that ship and those of installed packages."""
    return sorted({*_shipped(), *(point.name for point in entry_points(group=ENTRY_POINT_GROUP))})


def space(name: str) -> Space:
    """Returns a space by name.

    Args:
        name: One of `names`, or the path of a YAML file that declares one (see `DeclaredSpace`);
            the files that ship are found by their bare name, e.g. ``"toy_recipe.yaml"``.

    Raises:
        UnknownNameError: Where there is no such space.

    Example:
        >>> space("nasbench201").architecture_count
        6466
    """
    if name.endswith((".yaml", ".yml")):
        return _declared(Path(name))
    return _named(name)


def from_json(data: Mapping[str, str]) -> Architecture:
    """Reads what `Architecture.to_json` wrote, where the space is one of `names`.

    For other spaces: ``space.architecture(data["architecture"])``.
    """
    return space(data["space"]).architecture(data["architecture"])


def _shipped() -> dict[str, type[Space]]:
    return {factory.name: factory for factory in _SHIPPED}


@cache
def _named(name: str) -> Space:
    shipped = _shipped()
    if name in shipped:
        return shipped[name]()
    for point in entry_points(group=ENTRY_POINT_GROUP, name=name):
        found: Space = point.load()()
        return found
    raise UnknownNameError.of("space", name, names(), "Or give the path of a YAML file.")


def _declared(path: Path) -> Space:
    presets = {preset.name: preset for preset in PRESETS.glob("*.yaml")}
    if not path.is_file():
        if str(path) not in presets:
            raise UnknownNameError.of("file", str(path), presets, "Or give the path of a file.")
        path = presets[str(path)]
    return DeclaredSpace.from_file(path)
