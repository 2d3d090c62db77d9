"""Spaces declared in a YAML file: variables without code."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import torch
import yaml
from jaxtyping import Int
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError
from torch import Tensor, nn

from ..core.errors import UnknownNameError, UsageError
from ..core.seeding import Seed, make_generator
from ..core.texts import read_text
from .space import Space
from .task import Task
from .variable import Kind, Role, Variable

__all__ = ["DeclaredSpace"]

COUNTS = ("params", "macs")


def _label(value: object) -> object:
    """Takes numbers for labels; YAML's ``on`` and ``no`` are booleans and stay rejected."""
    return str(value) if isinstance(value, int | float) and not isinstance(value, bool) else value


Label = Annotated[str, BeforeValidator(_label)]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid")


class _DeclaredVariable(_Strict):
    name: str
    choices: list[Label] = Field(min_length=1)
    kind: Kind
    place: list[int] = []
    roles: dict[Label, Role] = {}
    params: dict[Label, float] = {}
    macs: dict[Label, float] = {}


class _Declaration(_Strict):
    name: str
    nodes: list[str] = Field(min_length=1)
    skeleton: list[tuple[int, int]] = []
    inputs: list[int] = []
    outputs: list[int] = []
    variables: list[_DeclaredVariable] = Field(min_length=1)


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
            ``absent``) and tables ``params`` and ``macs`` that give every choice a count; counts
            add up.

    Raises:
        UnknownNameError: For an unknown key.
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

    def __init__(self, declaration: dict[str, Any]) -> None:
        said = _validated(declaration)
        self.name = said.name
        self.nodes = tuple(said.nodes)
        self.skeleton = tuple(said.skeleton)
        self.variables = tuple(
            Variable(v.name, tuple(v.choices), v.kind, tuple(v.place), _roles(v))
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
        sizes = self.choice_mask.sum(1)
        shape = (n, len(sizes))
        draw = torch.rand(shape, generator=make_generator(seed), dtype=torch.float64)
        return (draw * sizes).long()

    def statistics(self, x: Int[Tensor, "B V"], task: Task | None = None) -> dict[str, Tensor]:
        """Adds up the tables that were declared, if any."""
        found = {}
        for count, tables in self._tables.items():
            columns = [table[x[:, v]] for v, table in enumerate(tables)]
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

    def _table(self, variable: _DeclaredVariable, counts: dict[str, float]) -> Tensor:
        if counts and set(counts) != set(variable.choices):
            raise UsageError(
                f"A table of {variable.name!r} lists {sorted(counts)}, its choices are "
                f"{sorted(variable.choices)}.",
                "Give every choice a count.",
            )
        if any(not math.isfinite(count) or count < 0 for count in counts.values()):
            raise UsageError(f"Counts of {variable.name!r} must be finite and not negative.")
        return torch.tensor([counts.get(c, 0.0) for c in variable.choices], dtype=torch.float64)


def _roles(variable: _DeclaredVariable) -> tuple[Role, ...]:
    for choice in variable.roles:
        if choice not in variable.choices:
            raise UnknownNameError.of(f"choice of {variable.name}", choice, variable.choices)
    return tuple(variable.roles.get(choice, "op") for choice in variable.choices)


def _validated(declaration: dict[str, Any]) -> _Declaration:
    try:
        return _Declaration.model_validate(declaration)
    except ValidationError as error:
        first = error.errors()[0]
        *where, last = first["loc"] or ("file",)
        if first["type"] == "extra_forbidden":
            model = _DeclaredVariable if "variables" in where else _Declaration
            raise UnknownNameError.of("key", str(last), model.model_fields) from error
        place = ".".join(str(part) for part in (*where, last))
        raise UsageError(
            f"The declaration of a space is wrong at {place}: {first['msg']}.",
            "Quote labels such as 'on' or 'no', which YAML reads as booleans.",
        ) from error
