"""Recipes as a space: how a network is trained is searched together with the network."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from jaxtyping import Int
from torch import Tensor, nn

from ..core.errors import UsageError
from ..core.seeding import Seed
from .space import Space
from .task import Task
from .variable import Variable

__all__ = ["RecipeSpace"]

Value = str | int | float


class RecipeSpace(Space):
    """Every combination of choices for the fields of a training recipe.

    In a product with networks, ``"darts x recipe"``, training takes what was chosen in the place of
    its own recipe (see `vitruvius.evaluators.training.Recipe`). A field with a single choice is
    fixed; one without any is left to the evaluator.

    Args:
        optimizer: Choices of the optimiser.
        lr: Choices of the highest learning rate.
        weight_decay: Choices of the weight decay.
        schedule: Choices of the schedule.
        epochs: Choices of the epochs; by default they are the evaluator's.
        batch: Choices of the batch size.
        augment: Choices of the augmentation, each joined by ``+``.
        label_smoothing: Choices of the label smoothing.
        drop_path: Choices of the probability that a path is dropped.

    Raises:
        UsageError: Where no field has a choice.

    Example:
        >>> recipes = RecipeSpace(lr=[0.01, 0.1], batch=[], augment=["none", "crop+flip"])
        >>> text = "optimizer=sgd, lr=0.1, weight_decay=0.0005, schedule=cosine, augment=none, "
        >>> row = recipes.architecture(text + "label_smoothing=0, drop_path=0.2").indices
        >>> recipes.options(row)["lr"], recipes.options(row)["drop_path"]
        (0.1, 0.2)
    """

    name = "recipe"
    nodes = ("recipe",)
    inputs = outputs = (0,)
    buildable = False

    def __init__(
        self,
        *,
        optimizer: Sequence[Value] | Value = ("sgd", "adamw"),
        lr: Sequence[Value] | Value = (0.003, 0.01, 0.03, 0.1),
        weight_decay: Sequence[Value] | Value = (0, 0.0005, 0.005),
        schedule: Sequence[Value] | Value = ("cosine", "constant"),
        epochs: Sequence[Value] | Value = (),
        batch: Sequence[Value] | Value = (32, 64, 128),
        augment: Sequence[Value] | Value = ("none", "crop", "crop+flip", "crop+flip+cutout"),
        label_smoothing: Sequence[Value] | Value = (0, 0.1),
        drop_path: Sequence[Value] | Value = (0, 0.2),
    ) -> None:
        fields: dict[str, Sequence[Value] | Value] = {
            "optimizer": optimizer,
            "lr": lr,
            "weight_decay": weight_decay,
            "schedule": schedule,
            "epochs": epochs,
            "batch": batch,
            "augment": augment,
            "label_smoothing": label_smoothing,
            "drop_path": drop_path,
        }
        self.variables = tuple(
            Variable(name, tuple(map(str, listed)), "recipe", (), (), listed)
            for name, choices in fields.items()
            if (listed := _listed(choices))
        )
        if not self.variables:
            raise UsageError("A recipe without choices is no space.", "Give some, e.g. lr=[0.1].")

    @property
    def architecture_count(self) -> int:
        return self.encoding_count

    def sample(self, n: int, seed: Seed = None) -> Int[Tensor, "B V"]:
        return self._uniform(n, seed)

    def options(self, row: Sequence[int]) -> dict[str, Any]:
        """Returns the fields of a recipe that a row chooses.

        Args:
            row: Choice indices.
        """
        return {v.name: v.values[i] for v, i in zip(self.variables, row, strict=True)}

    def statistics(self, x: Int[Tensor, "B V"], task: Task | None = None) -> dict[str, Tensor]:
        """Counts nothing: a recipe has no parameters."""
        return {}

    def build_module(self, row: Sequence[int], task: Task) -> nn.Module:
        raise UsageError("A recipe builds no module.", 'Join it to networks: "darts x recipe".')


def _listed(choices: Sequence[Value] | Value) -> tuple[Value, ...]:
    """Choices as a tuple; one alone may stand without brackets."""
    return (choices,) if isinstance(choices, str | int | float) else tuple(choices)
