"""From a space to what trains its networks."""

from __future__ import annotations

from ...spaces import Space
from .evaluator import TrainingEvaluator
from .gan_evaluator import GANEvaluator
from .gan_sides import is_adversarial
from .on_data import OnData

__all__ = ["trainer_of"]


def trainer_of(space: Space) -> type[OnData]:
    """Returns the evaluator that trains the networks of a space.

    Args:
        space: The space.

    Example:
        >>> from vitruvius.spaces import space
        >>> trainer_of(space("darts")).__name__
        'TrainingEvaluator'
    """
    return GANEvaluator if is_adversarial(space) else TrainingEvaluator
