"""From a name to an encoder."""

from __future__ import annotations

from ..core.registry import Registry
from ..spaces import Space
from .encoder import Encoder

__all__ = ["ENCODERS", "PLAIN", "encoder", "encoder_names"]

ENCODERS = Registry(
    "encoder",
    "vitruvius.encoders",
    {
        "one-hot": "encoders.shipped:one_hot",
        "path": "encoders.shipped:path",
        "computed path": "encoders.shipped:computed_path",
        "neighbours": "encoders.shipped:neighbours",
        "weisfeiler-lehman": "encoders.shipped:weisfeiler_lehman",
        "counts": "encoders.shipped:counts",
        "depth": "encoders.shipped:depth",
        "subset paths": "encoders.shipped:subset_paths",
        "gin": "encoders.shipped:gin",
        "attention": "encoders.shipped:attention",
        "transformer": "encoders.shipped:transformer",
    },
)
# Those that ship, need no training, and are compared unless others are named.
PLAIN = tuple(name for name in ENCODERS.shipped if name not in ("gin", "attention", "transformer"))


def encoder_names() -> list[str]:
    """Lists the names `encoder` knows.

    Example:
        >>> encoder_names()[-3:]
        ['gin', 'attention', 'transformer']
    """
    return ENCODERS.names()


def encoder(name: str, space: Space, *, seed: int = 0) -> Encoder | None:
    """Returns the encoder of that name, not yet fitted.

    ========================  ==================================================================
    ``one-hot``               the choices of the canonical form
    ``path``                  words along the paths from input to output (arXiv 1910.11858)
    ``computed path``         the same without words that compute nothing, such as skips
    ``neighbours``            counts of operations, and of those with what is next to them
    ``weisfeiler-lehman``     counts of neighbourhoods (arXiv 2006.07556), of unit length
    ``counts``                logarithms of parameters and multiply-adds, which cost no label
    ``depth``                 logarithm of the number of layers on the longest path
    ``subset paths``          paths and degrees where only some operations count (GRAF)
    ``gin``, ``attention``,   graph networks pre-trained by masked reconstruction; see
    ``transformer``           `LearnedEncoder`
    ========================  ==================================================================

    Args:
        name: One of `encoder_names`.
        space: The space.
        seed: Of what is learnt.

    Returns:
        The encoder; None where the space has nothing of the kind (paths in a chain, counts in a
        space without any).

    Raises:
        UnknownNameError: For another name.

    Example:
        >>> from vitruvius.spaces import space
        >>> encoder("path", space("mobilenetv3")) is None
        True
    """
    made: Encoder | None = ENCODERS.get(name)(space, seed=seed)
    return made
