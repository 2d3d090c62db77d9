"""What the configuration of a run stands for: its space, evaluator, problem and method."""

from __future__ import annotations

from collections.abc import Sequence

from ..bo.method import Method
from ..bo.problem import Problem
from ..bo.store import RunConfig
from ..core.errors import UnknownNameError, UsageError
from ..evaluators.evaluator import Evaluator
from ..evaluators.function import metrics_named
from ..evaluators.resolver import EvaluatorLike, evaluator as make_evaluator
from ..predictors.source_tasks import SourceTasks
from ..spaces import Space, space as make_space
from ..spaces.resolver import declared
from .finished import task_of_source
from .transfer_method import transfer_method

__all__ = ["AGAIN", "evaluator_of", "method_of", "problem_of", "space_of"]

AGAIN = (
    "Repeat what made it, which goes on with it, or resume it from Python with the same `{}`; "
    "`vitruvius show` prints what it holds."
)


def problem_of(config: RunConfig, space: Space, given: Sequence[EvaluatorLike]) -> Problem:
    """Makes the problem of a run.

    Args:
        config: Of the run.
        space: Its space.
        given: Evaluators that stand for its own; those of the configuration where there are none.
    """
    named = ", ".join((config.maximize, config.minimize, config.where))
    evaluator = evaluator_of(config, space, given, named)
    return Problem(
        space,
        metrics_named(space, named) if evaluator is None else evaluator.metrics,
        maximize=config.maximize,
        minimize=config.minimize,
        where=config.where,
        evaluator=evaluator,
    )


def evaluator_of(
    config: RunConfig, space: Space, given: Sequence[EvaluatorLike], named: str
) -> Evaluator | None:
    """Makes the evaluator of a run; None where its results are told.

    Args:
        config: Of the run.
        space: Its space.
        given: As for `problem_of`.
        named: Names of metrics, see `evaluator`.
    """
    sources = given or config.evaluators
    return make_evaluator(space, sources, named=named) if sources else None


def method_of(config: RunConfig, given: str | Method | None, space: Space) -> Method:
    """Makes the method of a run.

    Args:
        config: Of the run.
        given: A method, or its name, that stands for its own.
        space: Its space.

    Raises:
        UsageError: For a method that only Python has, or that does not learn from earlier runs
            where the run has some.
    """
    chosen = given
    if chosen is None or isinstance(chosen, str):
        from ..bo.methods import method, names

        if given is None and config.transfer is not None:
            return transfer_method(space, config.transfer)
        if given is None and config.method.partition(":")[0] not in names():
            raise UsageError(
                f"The run was made with the method {config.method!r}, which only Python has.",
                AGAIN.format("method"),
            )
        chosen = method(config.method)
    if config.warm_start:
        from ..bo.methods.bayesian import BayesianOptimization

        if not isinstance(chosen, BayesianOptimization):
            raise UsageError(
                f"The method {chosen.name!r} does not learn from earlier runs.", "Use bo."
            )
        chosen.tasks = SourceTasks([task_of_source(space, task) for task in config.warm_start])
    return chosen


def space_of(config: RunConfig) -> Space:
    """Makes the space of a run.

    Args:
        config: Of the run.

    Raises:
        UsageError: For a space that only Python has.
    """
    if config.declaration is not None:
        return declared(config.declaration)
    try:
        return make_space(config.space)
    except UnknownNameError:
        raise UsageError(
            f"The run searches {config.space}, which only Python has.",
            "Resume it from Python, with the same `space`.",
        ) from None
