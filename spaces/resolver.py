"""From a name to a space: the ones that ship, outside packages by entry point, YAML files."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from inspect import signature
from pathlib import Path
from typing import Any

from ..core.errors import UnknownNameError, UsageError
from ..core.options import check_options, split_options
from ..core.registry import Registry
from ..core.texts import read_text
from ..core.torch_state import own_torch_state
from .accelerator.accelerator import Accelerator
from .accelerator.chip_file import KEY, chip_of, read_chip
from .architecture import Architecture
from .declared import DeclaredSpace
from .product import ProductSpace
from .space import Space

__all__ = ["SPACES", "declared", "from_json", "names", "preset", "space"]

SPACES = Registry(
    "space",
    "vitruvius.spaces",
    {
        "nasbench201": "spaces.cnn.nasbench201:NASBench201",
        "nasbench101": "spaces.cnn.nasbench101:NASBench101",
        "darts": "spaces.cnn.darts:DARTS",
        "nas-bench-graph": "spaces.gnn.nas_bench_graph:NASBenchGraph",
        "autognn": "spaces.gnn.autognn:AutoGNN",
        "lpgnas": "spaces.gnn.lpgnas:LPGNAS",
        "resnet-pooling": "spaces.cnn.resnet_pooling:ResNetPooling",
        "resnet-size": "spaces.cnn.resnet_size:ResNetSize",
        "transnas101-micro": "spaces.cnn.transnas101_micro:TransNAS101Micro",
        "mnasnet": "spaces.cnn.mnasnet:MnasNet",
        "nasnet": "spaces.cnn.nasnet:NASNet",
        "mobilenetv3": "spaces.cnn.mobilenetv3:MobileNetV3",
        "autogan": "spaces.gan.autogan:AutoGAN",
        "eagan-generator": "spaces.gan.eagan_generator:EAGANGenerator",
        "eagan-discriminator": "spaces.gan.eagan_discriminator:EAGANDiscriminator",
        "recipe": "spaces.recipe:RecipeSpace",
        "accelerator": "spaces.accelerator.accelerator:Accelerator",
        "nasaic": "spaces.accelerator.nasaic:NASAIC",
    },
)
# Between the spaces of a product.
_TIMES = re.compile(r"\s+x\s+")
PRESETS = Path(__file__).parents[1] / "configs"


def names() -> list[str]:
    """Lists the names `space` knows: those that ship and those of installed packages."""
    return sorted(SPACES.names())


@own_torch_state()
def space(name: str) -> Space:
    """Returns a space by name.

    Args:
        name: One of `names`, or the path of a YAML file that declares one (see `DeclaredSpace`);
            the files that ship are found by their bare name, e.g. ``"toy_recipe.yaml"``. Options
            of a space follow a colon, e.g. ``"nasbench201:cells=1,width=8"``; an ``x`` between
            spaces makes their product, e.g. ``"darts:cells=5 x recipe"``. The parts of one that
            stands there twice are numbered, ``nasbench201_1`` and ``nasbench201_2``.

    Raises:
        UnknownNameError: Where there is no such space, or it has no such option.
        UsageError: For an option that is out of range.

    Example:
        >>> space("nasbench201").architecture_count
        6466
    """
    texts = _TIMES.split(name.strip())
    if len(texts) > 1:
        return _product(texts)
    if name.endswith((".yaml", ".yml")):
        return _declared(Path(name))
    return _named(name)


def from_json(data: Mapping[str, str]) -> Architecture:
    """Reads what `Architecture.to_json` wrote, where the space is one of `names`.

    For other spaces: ``space.architecture(data["architecture"])``.
    """
    return space(data["space"]).architecture(data["architecture"])


def _product(texts: Sequence[str]) -> Space:
    """The product of several spaces, each part under the space's name, numbered where it recurs."""
    made = [space(text) for text in texts]
    names = [re.sub(r"\W", "_", each.name.partition(":")[0]) for each in made]
    parts: dict[str, Space] = {}
    for place, (name, each) in enumerate(zip(names, made, strict=True)):
        number = names[: place + 1].count(name)
        parts[f"{name}_{number}" if names.count(name) > 1 else name] = each
    # Its name is the text of which it is made again; of a file that is where it lies.
    again = [
        str(_lasting(text)) if isinstance(each, DeclaredSpace) else each.text
        for text, each in zip(texts, made, strict=True)
    ]
    return ProductSpace(name=" x ".join(again), parts=parts)


def _lasting(text: str) -> Path:
    path = preset(text)
    return Path(text) if path.parent == PRESETS else path.absolute()


@cache
def _named(text: str) -> Space:
    name, options = split_options(text)
    kind: Callable[..., Space] = SPACES.get(name, "Or give the path of a YAML file.")
    check_options(name, options, kind)
    try:
        return kind(**options)
    except TypeError as error:
        raise UsageError(
            f"An option of {text!r} is of the wrong type: {error}.",
            f"It takes {', '.join(signature(kind).parameters)}; see the documentation of {name}.",
        ) from None


def _declared(path: Path) -> Space:
    path = preset(path)
    if KEY in _top_level(path):
        return Accelerator(**read_chip(path))
    return DeclaredSpace.from_file(path)


def preset(path: str | Path) -> Path:
    """Returns a file, or the one that ships by that bare name.

    Args:
        path: Of the file.

    Raises:
        UnknownNameError: Where there is neither.
    """
    presets = {each.name: each for each in PRESETS.glob("*.yaml")}
    if Path(path).is_file():
        return Path(path)
    if str(path) not in presets:
        raise UnknownNameError.of("file", str(path), presets, "Or give the path of a file.")
    return presets[str(path)]


def declared(said: Any) -> Space:
    """Makes a space of what a YAML file declared.

    Args:
        said: A space, see `DeclaredSpace`, or a chip, see `vitruvius.spaces.accelerator`.
    """
    if isinstance(said, dict) and KEY in said:
        return Accelerator(**chip_of(said[KEY]))
    return DeclaredSpace(said)


def _top_level(path: Path) -> tuple[str, ...]:
    """Words that begin a line of a file."""
    return tuple(re.findall(r"^(\w+):", read_text(path), re.MULTILINE))
