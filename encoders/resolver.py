"""From a name to an encoder."""

from __future__ import annotations

from ..core.errors import UnknownNameError
from ..spaces import Space
from .encoder import Encoder
from .features import Counts, OneHot
from .learned import NETWORKS, LearnedEncoder
from .path import PathEncoding
from .weisfeiler_lehman import WeisfeilerLehman

__all__ = ["PLAIN", "encoder", "encoder_names"]

# Those that need no training.
PLAIN = (
    "one-hot",
    "path",
    "computed path",
    "neighbours",
    "weisfeiler-lehman",
    "counts",
    "depth",
)


def encoder_names() -> list[str]:
    """Lists the names `encoder` knows.

    Example:
        >>> encoder_names()[-3:]
        ['gin', 'attention', 'transformer']
    """
    return [*PLAIN, *NETWORKS]


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
    if name == "one-hot":
        return OneHot(space)
    if name in ("path", "computed path"):
        paths = PathEncoding(space, computed=name != "path")
        return paths if paths.branches and (name == "path" or paths.shortens) else None
    if name == "neighbours":
        return WeisfeilerLehman(space, rounds=1)
    if name == "weisfeiler-lehman":
        return WeisfeilerLehman(space, unit=True)
    if name in ("counts", "depth"):
        there = set(space.statistics(space.sample(1, 0)))
        names = there & {"depth"} if name == "depth" else there - {"depth"}
        return Counts(space, names) if names else None
    if name in NETWORKS:
        return LearnedEncoder(space, name, seed=seed)
    raise UnknownNameError.of("encoder", name, encoder_names())
