"""Method: what decides which architecture to evaluate next."""

from __future__ import annotations

from typing import ClassVar, Protocol, runtime_checkable

from .trial import History, Proposal

__all__ = ["Method"]


@runtime_checkable
class Method(Protocol):
    """Decides which architecture to evaluate next.

    A method keeps no state that its answers depend on: the same history and seed give the same
    proposal, in a new process as in an old one. That is what makes resuming equal to never having
    stopped. (What is expensive, such as a fitted surrogate, may be cached by the history it came
    from.)

    Attributes:
        name: What results and the command line call it.
    """

    name: ClassVar[str]

    def propose(self, history: History, seed: int) -> Proposal | None:
        """Chooses one architecture that was never proposed before.

        Args:
            history: All trials so far, pending ones included; at least one is done.
            seed: Of this decision alone.

        Returns:
            The proposal; None where everything possible was proposed.
        """
