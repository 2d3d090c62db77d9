"""Spaces declared in a YAML file: variables without code."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
import yaml
from jaxtyping import Int
from torch import Tensor, nn

from ..core.errors import UsageError
from ..core.seeding import Seed
from ..core.texts import read_text
from ._declaration import COUNTS, DeclaredVariable, read_declaration
from .formula import Formula
from .space import Space
from .task import Task
from .variable import Variable

__all__ = ["DeclaredSpace"]

# Up to this many encodings, formulas are tried on every one; beyond, on as many that are drawn.
TRIED = 20_000


class DeclaredSpace(Space):
    """A space read from a YAML file: every combination of choices is an architecture.

    For training recipes, bit widths, hardware and other decisions that build no module of their
    own; combine it with a network in a `ProductSpace`. To build modules or to rule combinations
    out, write a subclass of `Space` instead.

    Args:
        declaration: What the file says. ``name``, ``nodes`` (labels) and ``variables`` are
            needed, ``skeleton`` (pairs of node numbers), ``inputs`` and ``outputs`` (node numbers)
            are optional. A variable has ``name``, ``choices``, ``kind``, optionally ``place`` (node
            numbers, none for the whole graph), ``roles`` (of the choices that are ``identity`` or
            ``absent``) and tables ``params`` and ``macs`` that give every choice a count. The space
            may have ``params`` and ``macs`` too, as formulas over its variables (see `Formula`).
            Counts add up. A choice that is declared as a number is one for evaluators, too.

    Raises:
        UnknownNameError: For an unknown key, or a variable of a formula that there is not.
        UsageError: For anything else that does not fit.

    Example:
        >>> recipes = DeclaredSpace(
        ...     {
        ...         "name": "recipes",
        ...         "nodes": ["training"],
        ...         "variables": [
        ...             {"name": "optimiser", "choices": ["sgd", "adamw"], "kind": "recipe"},
        ...             {"name": "bits", "choices": [4, 8], "kind": "bits"},
        ...         ],
        ...     }
        ... )
        >>> recipes.architecture_count, recipes.to_string((1, 0))
        (4, 'optimiser=adamw, bits=4')
    """

    buildable = False

    def __init__(self, declaration: Any) -> None:
        said = read_declaration(declaration)
        self.name = said.name
        self.nodes = tuple(said.nodes)
        self.skeleton = tuple(said.skeleton)
        self.variables = tuple(
            Variable(v.name, v.labels, v.kind, tuple(v.place), v.role_of_each(), v.values())
            for v in said.variables
        )
        if said.inputs:
            self.inputs = tuple(said.inputs)
        if said.outputs:
            self.outputs = tuple(said.outputs)
        self._check()
        self._tables = {
            count: [self._table(v, getattr(v, count)) for v in said.variables]
            for count in COUNTS
            if any(getattr(v, count) for v in said.variables)
        }
        self._formulas = {
            count: Formula(str(text), self.variables, count)
            for count in COUNTS
            if (text := getattr(said, count)) is not None
        }
        if self._formulas:
            few = self.encoding_count <= TRIED
            self.statistics(self.enumerate() if few else self.sample(TRIED, 0))

    @classmethod
    def from_file(cls, path: str | Path) -> DeclaredSpace:
        """Reads a YAML file.

        Args:
            path: The file.

        Raises:
            UsageError: Where it cannot be read, is no YAML, or declares no space.
        """
        text = read_text(path)
        try:
            declaration = yaml.safe_load(text)
        # An integer may be too long, and a date no day.
        except (yaml.YAMLError, ValueError, RecursionError) as error:
            raise UsageError(f"{path} is no YAML: {error}.") from error
        return cls(declaration)

    @property
    def architecture_count(self) -> int:
        return self.encoding_count

    def sample(self, n: int, seed: Seed = None) -> Int[Tensor, "B V"]:
        return self._uniform(n, seed)

    def statistics(self, x: Int[Tensor, "B V"], task: Task | None = None) -> dict[str, Tensor]:
        """Adds up the tables and formulas that were declared, if any."""
        found = {}
        for count in COUNTS:
            columns = [table[x[:, v]] for v, table in enumerate(self._tables.get(count, ()))]
            if count in self._formulas:
                columns.append(self._formulas[count](x))
            if columns:
                found[count] = torch.stack(columns).sum(0)
        return found

    def build_module(self, row: Sequence[int], task: Task) -> nn.Module:
        raise UsageError(
            f"{self.name} is declared in YAML and builds no modules.",
            "Write a subclass of vitruvius.spaces.Space with `build_module`.",
        )

    def _check(self) -> None:
        names = [variable.name for variable in self.variables]
        problem = ""
        if len(set(names)) < len(names):
            problem = "two variables have the same name"
        for i, j in self.skeleton:
            if not 0 <= i < j < len(self.nodes):
                problem = f"the edge [{i}, {j}] does not lead forward between its nodes"
        if any(not 0 <= node < len(self.nodes) for node in (*self.inputs, *self.outputs)):
            problem = "an input or output is a node that is not there"
        for variable in self.variables:
            if any(not 0 <= node < len(self.nodes) for node in variable.place):
                problem = f"{variable.name!r} sits at a node that is not there"
            elif variable.kind == "edge" and variable.size != 2:
                problem = f"the edge {variable.name!r} needs two choices, off and on"
            elif variable.kind == "parent" and not set(variable.choices) <= set(
                map(str, range(variable.place[0]))
            ):
                problem = f"the parents of {variable.name!r} must be earlier nodes"
            elif any(mark in "".join((variable.name, *variable.choices)) for mark in ",=&()"):
                problem = f"{variable.name!r} uses one of the marks , = & ( ) in a name"
        if problem:
            raise UsageError(f"In the space {self.name!r}, {problem}.", "Nodes count from 0.")

    def _table(self, variable: DeclaredVariable, counts: dict[str, float]) -> Tensor:
        if counts and set(counts) != set(variable.labels):
            raise UsageError(
                f"A table of {variable.name!r} lists {sorted(counts)}, its choices are "
                f"{sorted(variable.labels)}.",
                "Give every choice a count.",
            )
        if any(not math.isfinite(count) or count < 0 for count in counts.values()):
            raise UsageError(f"Counts of {variable.name!r} must be finite and not negative.")
        return torch.tensor([counts.get(c, 0.0) for c in variable.labels], dtype=torch.float64)
