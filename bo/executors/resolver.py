"""From a name to an executor."""

from __future__ import annotations

from ...core.errors import UnknownNameError, UsageError
from ...evaluators.evaluator import Evaluator
from .executor import Executor
from .processes import ProcessExecutor
from .serial import SerialExecutor

__all__ = ["NAMES", "executor"]

NAMES = ("serial", "process", "ray")


def executor(
    name: str, evaluator: Evaluator, workers: int = 1, *, timeout: float | None = None
) -> Executor:
    """Makes an executor.

    Args:
        name: ``"serial"``, ``"process"`` or ``"ray"``.
        evaluator: Who evaluates.
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
    if name not in NAMES:
        raise UnknownNameError.of("executor", name, NAMES)
    if name == "ray":
        from .ray import RayExecutor

        return RayExecutor(evaluator, workers, timeout=timeout)
    if name == "serial" and timeout is None:
        if workers != 1:
            raise UsageError(
                f"The serial executor has one worker, {workers} were asked for.",
                "Use the process executor.",
            )
        return SerialExecutor(evaluator)
    return ProcessExecutor(evaluator, workers, timeout=timeout)
