"""Moves: how one architecture becomes another, by one step or by crossover."""

from __future__ import annotations

from abc import ABC, abstractmethod

import torch
from jaxtyping import Bool, Int
from torch import Tensor

from ..core.distinct import distinct_rows
from ..core.seeding import Seed, make_generator
from .variable import Variable

__all__ = ["Moves"]


class Moves(ABC):
    """Neighbours and crossover of a space; a space with rules of its own refines `steps`.

    Attributes:
        variables: The decisions, in the order of the columns of ``[B, V]``.
    """

    variables: tuple[Variable, ...]

    @abstractmethod
    def is_valid(self, x: Int[Tensor, "B V"]) -> Bool[Tensor, " B"]:
        """Tells which rows are architectures."""

    @abstractmethod
    def canonical(self, x: Int[Tensor, "B V"]) -> Int[Tensor, "B V"]:
        """Maps valid rows to one representative per class of isomorphic architectures."""

    def steps(self, x: Int[Tensor, "B V"]) -> tuple[Int[Tensor, "S V"], Int[Tensor, " S"]]:
        """Takes every step from every row: by default, one variable is set to each of its choices.

        Args:
            x: Valid choice indices.

        Returns:
            Where steps lead, valid or not, and the number of the row that each starts from.
        """
        columns = [i for i, variable in enumerate(self.variables) for _ in range(variable.size)]
        choices = [choice for variable in self.variables for choice in range(variable.size)]
        led = x[:, None, :].repeat(1, len(columns), 1)
        led[:, torch.arange(len(columns)), columns] = torch.tensor(choices)
        return led.flatten(0, 1), torch.arange(len(x)).repeat_interleave(len(columns))

    def neighbourhoods(self, x: Int[Tensor, "B V"]) -> tuple[Int[Tensor, "K V"], Int[Tensor, " K"]]:
        """Lists the neighbours of many architectures at once, row by row.

        Args:
            x: Valid choice indices.

        Returns:
            What is one step away, each once for a row, in canonical form; and the number of the
            row that each is a neighbour of.

        Example:
            >>> from vitruvius.spaces import space
            >>> cells = space("nasbench201")
            >>> near, owner = cells.neighbourhoods(cells.sample(2, 0))
            >>> torch.equal(near[owner == 1], cells.neighbours(cells.sample(2, 0)[1]))
            True
        """
        led, owner = self.steps(x)
        there = self.is_valid(led)
        near, owner = self.canonical(led[there]), owner[there]
        other = (near != self.canonical(x)[owner]).any(1)
        found, _ = distinct_rows(torch.cat([owner[other, None], near[other]], 1))
        return found[:, 1:], found[:, 0]

    def neighbours(self, row: Int[Tensor, " V"]) -> Int[Tensor, "K V"]:
        """Lists the architectures one step away, each once, in canonical form.

        Args:
            row: Valid choice indices.
        """
        return self.neighbourhoods(row[None])[0]

    def crossover(
        self, a: Int[Tensor, "B V"], b: Int[Tensor, "B V"], seed: Seed = None
    ) -> Int[Tensor, "B V"]:
        """Takes every variable from either parent at random; keeps ``a`` where that is invalid."""
        take = torch.rand(a.shape, generator=make_generator(seed)) < 0.5
        child = torch.where(take, a, b)
        child = torch.where(self.is_valid(child)[:, None], child, a)
        return self.canonical(child)
