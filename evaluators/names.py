"""Names of metrics that nobody can look up before something is evaluated: are they meant so?"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from difflib import SequenceMatcher

from ..core.errors import UnknownNameError

__all__ = ["check_names", "resembles", "slip"]

# As far as a name may be from that of a count to be taken for it; short ones are sooner alike.
ALIKE, ALIKE_SHORT, SHORT = 0.75, 0.8, 4


def check_names(assumed: Iterable[str], known: Collection[str]) -> None:
    """Questions names that look like slips.

    A function says what it measures only when it is called. Until then a metric of it is whatever
    objectives and constraints name, so that ``parms<=1M`` would be measured, and fail every time.

    Args:
        assumed: Names that are taken for metrics of a function, objectives first.
        known: Names of metrics that there are for certain, such as counts.

    Raises:
        UnknownNameError: For one that resembles a known one, or is another assumed one but for a
            slip of the pen.

    Example:
        >>> check_names(["accuracy", "latency_ms"], ["params", "macs"])
        >>> check_names(["accuracy", "parms"], ["params", "macs"])  # doctest: +ELLIPSIS
        Traceback (most recent call last):
            ...
        vitruvius.core.errors.UnknownNameError: Is the metric 'parms' meant to be 'params'? ...
    """
    seen: list[str] = []
    for name in assumed:
        meant = next((each for each in known if resembles(name, each)), None)
        meant = meant or next((each for each in seen if slip(name, each)), None)
        if meant is not None:
            raise UnknownNameError(
                f"Is the metric {name!r} meant to be {meant!r}?",
                "Write it so; where your function does return the other, give that a name less "
                "alike.",
            )
        seen.append(name)


def resembles(name: str, known: str) -> bool:
    """Whether a name could be a misspelling of a known one.

    Args:
        name: What was written.
        known: Another name. One that has it as a word, such as ``params_total``, is its own.

    Example:
        >>> resembles("parameters", "params"), resembles("params_total", "params")
        (True, False)
    """
    if known in name.split("_"):
        return False
    enough = ALIKE_SHORT if len(known) <= SHORT else ALIKE
    return SequenceMatcher(None, name.lower(), known.lower()).ratio() >= enough


def slip(name: str, other: str) -> bool:
    """Whether two names differ by case, a letter too many, or two letters in the wrong order.

    Names that differ by a digit, or by one letter for another, may well be two metrics.

    Args:
        name: A name.
        other: Another name.

    Example:
        >>> slip("acuracy", "accuracy"), slip("Accuracy", "accuracy"), slip("top5", "top1")
        (True, True, False)
    """
    a, b = name.lower(), other.lower()
    if a == b:
        return True
    short, long = sorted((a, b), key=len)
    if len(long) == len(short) + 1:
        cuts = (i for i in range(len(long)) if long[:i] + long[i + 1 :] == short)
        return any(long[i].isalpha() for i in cuts)
    if len(a) != len(b) or sorted(a) != sorted(b):
        return False
    apart = [i for i in range(len(a)) if a[i] != b[i]]
    return len(apart) == 2 and apart[1] == apart[0] + 1 and a[apart[0]].isalpha()
