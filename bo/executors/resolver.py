"""From a name to an executor."""

from __future__ import annotations

from ...core.registry import Registry
from ...evaluators.evaluator import Evaluator
from .executor import Executor

__all__ = ["EXECUTORS", "executor"]

EXECUTORS = Registry(
    "executor",
    "vitruvius.executors",
    {
        "serial": "bo.executors.serial:SerialExecutor",
        "process": "bo.executors.processes:ProcessExecutor",
        "ray": "bo.executors.ray:RayExecutor",
    },
)


def executor(
    name: str, evaluator: Evaluator, workers: int = 1, *, timeout: float | None = None
) -> Executor:
    """Makes an executor.

    Args:
        name: ``"serial"``, ``"process"``, ``"ray"``, or one of an installed package.
        evaluator: The evaluator.
        workers: How many evaluations at the same time.
        timeout: Seconds after which an evaluation has failed; the serial executor cannot keep it,
            so that one worker process takes its place.

    Raises:
        UnknownNameError: For another name.
        UsageError: For what the executor cannot do.
        MissingExtraError: For ``"ray"`` where Ray is not installed.

    Example:
        >>> from ...evaluators import evaluator
        >>> from ...spaces import space
        >>> cora = evaluator(space("nas-bench-graph"), "cora")
        >>> type(executor("serial", cora)).__name__
        'SerialExecutor'
    """
    if name == "serial" and timeout is not None:
        name = "process"
    made: Executor = EXECUTORS.get(name)(evaluator, workers, timeout=timeout)
    return made
