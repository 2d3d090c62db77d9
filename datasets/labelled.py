"""What all raw data sets have: a target for each example, the parts that were given, and names."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, field

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from ..core.errors import UsageError
from ..spaces.task import Task

__all__ = ["Labelled", "Splits", "check_targets"]


def _none() -> Int[Tensor, " 0"]:
    return torch.empty(0, dtype=torch.long)


@dataclass(frozen=True, eq=False)
class Splits:
    """The parts of a data set, by the numbers of their examples.

    Args:
        train: Examples to learn from.
        val: Examples that training and search are judged by; empty where none are given.
        test: Examples for the final report alone; may be empty.

    Example:
        >>> Splits(torch.tensor([0, 2]), torch.tensor([1]))
        Splits(train=2, val=1, test=0)
    """

    train: Int[Tensor, " _a"]
    val: Int[Tensor, " _b"] = field(default_factory=_none)
    test: Int[Tensor, " _c"] = field(default_factory=_none)

    @classmethod
    def of_names(cls, parts: Sequence[str]) -> Splits:
        """Makes the parts of the name that each example has.

        Args:
            parts: ``train``, ``val`` or ``test``. Where nothing is to train on, the first part that
                is there takes that place.

        Example:
            >>> Splits.of_names(["val", "val", "test"])
            Splits(train=2, val=0, test=1)
        """
        there = [name for name in ("train", "val", "test") if name in parts]
        found = {
            name: torch.tensor([place for place, part in enumerate(parts) if part == name])
            for name in there
        }
        if "train" not in found:
            found = {"train": found.pop(there[0])} | found
        return cls(**found)

    def parts(self) -> dict[str, Int[Tensor, " _"]]:
        """Returns the parts by name, in the order train, val, test."""
        return {"train": self.train, "val": self.val, "test": self.test}

    def __repr__(self) -> str:
        return f"Splits({', '.join(f'{name}={len(part)}' for name, part in self.parts().items())})"


class _HasLabels(ABC):
    # Declared here, and a field of each child: there it comes after the examples.
    labels: Tensor

    @property
    @abstractmethod
    def task(self) -> Task:
        """What an architecture for it is built for."""


@dataclass(frozen=True, eq=False, kw_only=True)
class Labelled(_HasLabels):
    """Base of the raw data sets: examples with a target each.

    A child has ``labels``: ``[N]`` whole numbers for classes, or ``[N]`` or ``[N, K]`` float32 for
    the targets of a regression.

    Args:
        splits: The parts that were given, None where there were none; `split` makes all of them.
        class_names: Names of the classes in their order; empty where they have none.
        notes: What the reader left out or decided, in sentences.
    """

    splits: Splits | None = None
    class_names: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.labels)

    @property
    def regression(self) -> bool:
        """Whether targets are numbers, not classes."""
        return self.labels.is_floating_point()

    @property
    def classes(self) -> int:
        """Number of classes that some example has; of a regression, of the values of a target."""
        if self.regression:
            return self.labels[0].numel()
        return len(self.labels[self.labels >= 0].unique())

    @property
    def known(self) -> Bool[Tensor, " N"]:
        """Which examples have a target; of a graph's nodes, not all may."""
        if self.regression:
            return ~self.labels.reshape(len(self), -1).isnan().any(1)
        return self.labels >= 0


def check_targets(
    labels: Int[Tensor, " N"] | Float[Tensor, "N ..."], count: int, what: str
) -> None:
    """Checks that every example has one target.

    Args:
        labels: Classes or targets.
        count: Number of examples.
        what: What an example is called, e.g. ``"image"``.

    Raises:
        UsageError: For another number of labels, or none, a negative class, or a target that is
            not finite.
    """
    if count != len(labels) or not count:
        raise UsageError(
            f"There are {count} {what}s and {len(labels)} labels.",
            f"Give one label for every {what}.",
        )
    if not labels.is_floating_point():
        if int(labels.min()) < 0:
            raise UsageError(
                f"The {what} {int(labels.argmin())} has the label {int(labels.min())}.",
                "Number the classes from 0.",
            )
    elif labels.ndim not in (1, 2) or not labels.numel():
        raise UsageError(
            f"Targets have the shape {tuple(labels.shape)}.",
            f"Give one number for every {what}, or a row of them: [N] or [N, K].",
        )
    elif bad := int((~labels.isfinite().reshape(count, -1).all(1)).sum()):
        first = int((~labels.isfinite().reshape(count, -1).all(1)).nonzero()[0])
        raise UsageError(
            f"{bad} of {count} targets are NaN or infinite, the first is that of {what} {first}.",
            f"Leave these {what}s out.",
        )
