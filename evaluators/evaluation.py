"""Evaluation: what came of evaluating one architecture."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from ..spaces import Architecture

__all__ = ["Evaluation", "Status"]

Status = Literal["ok", "failed", "pruned"]


@dataclass(frozen=True)
class Evaluation:
    """What came of evaluating one architecture; a failure is data, never a crash.

    Args:
        architecture: What was evaluated.
        metrics: Values by metric name, in the unit of the evaluator's `Metric`; empty where it
            failed.
        status: ``"ok"``, ``"failed"``, or ``"pruned"`` where it was stopped early on purpose.
        reason: The reason why it is not ``"ok"``.
        fidelity: The budget it was evaluated at; None for the full one.
        seed: Of the training, where there was one.
        seconds: What it cost, in seconds of wall time.

    Example:
        >>> from vitruvius.spaces import space
        >>> cells = space("nasbench201")
        >>> failed = Evaluation(cells.architecture(cells.example), status="failed", reason="nan")
        >>> failed.ok, failed.to_json()["reason"]
        (False, 'nan')
    """

    architecture: Architecture
    metrics: dict[str, float] = field(default_factory=dict)
    status: Status = "ok"
    reason: str = ""
    fidelity: int | None = None
    seed: int = 0
    seconds: float = 0.0

    @property
    def ok(self) -> bool:
        """Whether there are values to learn from."""
        return self.status == "ok"

    def to_json(self) -> dict[str, object]:
        """Returns a flat dictionary with the architecture as its native string."""
        return {
            **self.architecture.to_json(),
            "metrics": dict(self.metrics),
            "status": self.status,
            "reason": self.reason,
            "fidelity": self.fidelity,
            "seed": self.seed,
            "seconds": self.seconds,
        }
