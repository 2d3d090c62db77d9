"""First failures: a mistake that no architecture is to blame for ends a search early."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence

from .executors import Finished

__all__ = ["ALIKE", "FirstFailures", "commonest", "kind_of"]

# As many evaluations that all fail alike, before any has succeeded, end a search.
ALIKE = 3
_PARTICULARS = re.compile(
    r"0x[0-9a-f]+|[-+]?\b(inf|nan)\b|\d+(\.\d+)?|'[^']*'|\"[^\"]*\"|\|[^ ]*\|", re.IGNORECASE
)


class FirstFailures:
    """Watches the first evaluations of a search.

    Where the first of them, `ALIKE` or the whole budget, were all ended by the same kind of error,
    and the run has no result yet, the mistake is taken to lie in the evaluator or in what was asked
    of it. An evaluator that returns a ``failed`` evaluation has judged the architecture: that is a
    result.

    Args:
        needed: How many have to fail.

    Example:
        >>> from vitruvius.evaluators import Evaluation
        >>> from vitruvius.spaces import space
        >>> cell = space("nasbench201").architecture((0,) * 6)
        >>> watch = FirstFailures(2)
        >>> for line in (3, 7):
        ...     watch.take(Finished(0, Evaluation(cell, {}, "failed", f"KeyError: {line}")))
        >>> watch.mistake()
        'KeyError: 3'
    """

    def __init__(self, needed: int = ALIKE) -> None:
        self.needed = needed
        self._reasons: list[str] = []
        self._over = False

    def take(self, finished: Finished) -> None:
        """Takes what came of an evaluation.

        Args:
            finished: As checked by the search.
        """
        if self._over or finished.evaluation is None:
            return
        if finished.judged:
            self._over = True
            return
        self._reasons.append(finished.evaluation.reason)
        self._over = len({kind_of(reason) for reason in self._reasons}) > 1

    def mistake(self) -> str | None:
        """Returns the reason, once enough have failed for it, else None."""
        if self._over or len(self._reasons) < self.needed:
            return None
        return self._reasons[0]


def kind_of(reason: str) -> str:
    """Returns a reason without its particulars: numbers, addresses, and what is quoted.

    Args:
        reason: Of a failure.

    Example:
        >>> kind_of("RuntimeError: size 8 at 0x7f3a") == kind_of("RuntimeError: size 12 at 0x11b2")
        True
    """
    return _PARTICULARS.sub("…", reason)


def commonest(reasons: Iterable[str]) -> tuple[str, int]:
    """Returns the commonest reason, one of its kind, and how often it is given.

    Args:
        reasons: Of failures, one or more.

    Example:
        >>> commonest(["nan in layer 3", "no memory", "nan in layer 5"])
        ('nan in layer 3', 2)
    """
    given: Sequence[str] = list(reasons)
    kind, often = Counter(map(kind_of, given)).most_common(1)[0]
    return next(reason for reason in given if kind_of(reason) == kind), often
