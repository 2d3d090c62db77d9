"""Products of spaces: one architecture of each part, e.g. a network, its recipe, its chip."""

from __future__ import annotations

import itertools
import math
import re
from collections.abc import Mapping, Sequence
from copy import copy
from dataclasses import replace
from functools import cached_property
from types import MappingProxyType

import torch
from jaxtyping import Bool, Int
from torch import Tensor, nn

from ..core.errors import ArchitectureError, UsageError
from ..core.seeding import Seed, make_generator
from .architecture import Architecture
from .dag import DAG
from .layers import Layer
from .space import ArchitectureLike, Space
from .task import Task
from .variable import Role, Variable

__all__ = ["ProductSpace"]

SEPARATOR = "&&"
TOTALS = ("params", "macs", "depth")


class ProductSpace(Space):
    """Every combination of one architecture per part; products of products work.

    An architecture is written ``part: <native> && part: <native>``; a part that is itself a
    product stands in parentheses. A task is handed to the parts whose own task is of its kind,
    the others keep theirs. Statistics are given per part (``part.params``) and summed over the
    parts that have them.

    Args:
        name: Unique name.
        parts: Name of every part and its space, in the order of the columns.

    Raises:
        UsageError: Without parts, or for a part's name that is not a plain word.

    Example:
        >>> from vitruvius.spaces import space
        >>> pair = ProductSpace(
        ...     name="pair", parts={"a": space("nasbench201"), "b": space("nas-bench-graph")}
        ... )
        >>> pair.architecture_count == 6466 * 26206
        True
        >>> cell, graph = str(pair.architecture(pair.sample(1, 0)[0])).split(" && ")
        >>> cell[:4], graph[:4]
        ('a: |', 'b: [')
    """

    def __init__(self, *, name: str, parts: Mapping[str, Space]) -> None:
        if not parts:
            raise UsageError(f"The product {name!r} needs parts, got none.", "Name a space or two.")
        for part in parts:
            if not re.fullmatch(r"[A-Za-z_]\w*", part) or hasattr(nn.ModuleDict, part):
                raise UsageError(
                    f"{part!r} cannot name a part of {name!r}.",
                    "Use a word of letters, digits and '_' that is no method of nn.ModuleDict.",
                )
        self.name = name
        self.parts = MappingProxyType(dict(parts))
        starts = itertools.accumulate((len(p.nodes) for p in parts.values()), initial=0)
        offsets = dict(zip(parts, starts, strict=False))
        self.nodes = tuple(label for part in parts.values() for label in part.nodes)
        self.skeleton = tuple(
            (i + offsets[key], j + offsets[key])
            for key, part in parts.items()
            for i, j in part.skeleton
        )
        self.inputs = tuple(i + offsets[key] for key, part in parts.items() for i in part.inputs)
        self.outputs = tuple(i + offsets[key] for key, part in parts.items() for i in part.outputs)
        self.variables = tuple(
            _moved(variable, key, offsets[key])
            for key, part in parts.items()
            for variable in part.variables
        )
        own = (part.task for part in parts.values() if type(part.task) is not Task)
        self.task = next(own, Task())
        self.buildable = any(part.buildable for part in parts.values())

    def for_task(self, task: Task) -> Space:
        bound = copy(self)
        bound.task = super().for_task(task).task
        bound.parts = MappingProxyType(
            {
                key: part if _own(part, task) is None else part.for_task(task)
                for key, part in self.parts.items()
            }
        )
        return bound

    @property
    def architecture_count(self) -> int:
        return math.prod(part.architecture_count for part in self.parts.values())

    @property
    def constrained(self) -> bool:
        return any(part.constrained for part in self.parts.values())

    def is_valid(self, x: Int[Tensor, "B V"]) -> Bool[Tensor, " B"]:
        verdicts = [part.is_valid(columns) for part, columns in self._each(x)]
        return torch.stack(verdicts).all(0)

    def canonical(self, x: Int[Tensor, "B V"]) -> Int[Tensor, "B V"]:
        return torch.cat([part.canonical(columns) for part, columns in self._each(x)], dim=1)

    def allowed(self, x: Int[Tensor, "B V"], known: Bool[Tensor, "B V"]) -> Bool[Tensor, "B V C"]:
        most = self.choice_mask.shape[1]
        masks = [
            part.allowed(columns, known[:, at])
            for at, (part, columns) in zip(self.columns.values(), self._each(x), strict=True)
        ]
        return torch.cat([nn.functional.pad(m, (0, most - m.shape[2])) for m in masks], dim=1)

    def sample(self, n: int, seed: Seed = None) -> Int[Tensor, "B V"]:
        generator = make_generator(seed)
        return torch.cat([part.sample(n, generator) for part in self.parts.values()], dim=1)

    def shuffle(self, x: Int[Tensor, "B V"], seed: Seed = None) -> Int[Tensor, "B V"]:
        generator = make_generator(seed)
        return torch.cat([part.shuffle(columns, generator) for part, columns in self._each(x)], 1)

    def neighbourhoods(self, x: Int[Tensor, "B V"]) -> tuple[Int[Tensor, "K V"], Int[Tensor, " K"]]:
        """Lists the architectures that change one part of a row to a neighbour of its own.

        Args:
            x: Valid choice indices.
        """
        x = self.canonical(x)
        blocks, owners = [], []
        for at, (part, columns) in zip(self.columns.values(), self._each(x), strict=True):
            changed, owner = part.neighbourhoods(columns)
            block = x[owner]
            block[:, at] = changed
            blocks.append(block)
            owners.append(owner)
        order = torch.cat(owners).argsort(stable=True)
        return torch.cat(blocks)[order], torch.cat(owners)[order]

    def crossover(
        self, a: Int[Tensor, "B V"], b: Int[Tensor, "B V"], seed: Seed = None
    ) -> Int[Tensor, "B V"]:
        """Takes every part from either parent, or mixes theirs."""
        generator = make_generator(seed)
        children = []
        for at, (part, first) in zip(self.columns.values(), self._each(a), strict=True):
            second = b[:, at]
            way = torch.randint(3, (len(a), 1), generator=generator)
            mixed = part.crossover(first, second, generator)
            children.append(torch.where(way == 0, first, torch.where(way == 1, second, mixed)))
        return torch.cat(children, dim=1)

    def to_string(self, row: Sequence[int]) -> str:
        texts = []
        for key, part in self.parts.items():
            text = part.to_string(row[self.columns[key]])
            texts.append(f"{key}: ({text})" if isinstance(part, ProductSpace) else f"{key}: {text}")
        return f" {SEPARATOR} ".join(texts)

    def from_string(self, text: str) -> tuple[int, ...]:
        given: dict[str, str] = {}
        for piece in _split(text):
            key, separator, native = (word.strip() for word in piece.partition(":"))
            if not separator or key not in self.parts or key in given:
                raise self.unreadable(text, f"{piece.strip()!r} is not 'part: …' of a new part")
            given[key] = native
        row: list[int] = []
        for key, part in self.parts.items():
            if key not in given:
                raise self.unreadable(text, f"the part {key!r} is missing")
            native = given[key]
            if isinstance(part, ProductSpace) and native.startswith("(") and native.endswith(")"):
                native = native[1:-1]
            try:
                row += part.from_string(native)
            except ArchitectureError as error:
                raise self.unreadable(text, error.message.rstrip(".")) from error
        return tuple(row)

    def parted(self, row: Sequence[int]) -> dict[str, tuple[int, ...]]:
        """Parts a row of choices.

        Args:
            row: Choice indices.

        Returns:
            The row of every part, by name.
        """
        return {key: tuple(row[at]) for key, at in self.columns.items()}

    def network(self, architecture: ArchitectureLike) -> tuple[Space, Architecture]:
        made = self.architecture(architecture)
        built = [k for k, part in self.parts.items() if part.buildable and not part.auxiliary]
        if len(built) != 1:
            return self, made
        return self.parts[built[0]].network(self.parted(made.indices)[built[0]])

    def dag(self, row: Sequence[int]) -> DAG:
        """Draws the parts' graphs side by side."""
        nodes: list[str] = []
        edges: dict[tuple[int, int], str] = {}
        inputs: list[int] = []
        outputs: list[int] = []
        roles: dict[tuple[int, ...], Role] = {}
        attributes: dict[str, str] = {}
        for key, part in self.parts.items():
            dag = part.dag(row[self.columns[key]])
            start = len(nodes)
            edges |= {(i + start, j + start): label for (i, j), label in dag.edges.items()}
            attributes |= {f"{key}.{name}": value for name, value in dag.attributes.items()}
            inputs += (i + start for i in dag.inputs)
            outputs += (i + start for i in dag.outputs)
            roles |= {tuple(i + start for i in place): role for place, role in dag.roles.items()}
            nodes += dag.nodes
        return DAG(tuple(nodes), edges, attributes, tuple(inputs), tuple(outputs), roles)

    def statistics(self, x: Int[Tensor, "B V"], task: Task | None = None) -> dict[str, Tensor]:
        """Counts per part, as ``part.params`` and so on, and in total where any part counts."""
        found: dict[str, Tensor] = {}
        for key, (part, columns) in zip(self.parts, self._each(x), strict=True):
            counts = part.statistics(columns, _own(part, task))
            found |= {f"{key}.{name}": value for name, value in counts.items()}
        totals = {}
        for total in TOTALS:
            counts = {key: found[key] for part in self.parts if (key := f"{part}.{total}") in found}
            if counts:
                totals[total] = torch.stack(list(counts.values())).sum(0)
        return totals | found

    def build_module(self, row: Sequence[int], task: Task) -> nn.Module:
        """Builds an ``nn.ModuleDict`` of the parts that build modules."""
        if not self.buildable:
            raise UsageError(
                f"No part of {self.name} builds modules.", "Add a network to the product."
            )
        return nn.ModuleDict(
            {
                key: part.build_module(row[self.columns[key]], _own(part, task) or part.task)
                for key, part in self.parts.items()
                if part.buildable
            }
        )

    def layers(self, architecture: ArchitectureLike, task: Task | None = None) -> tuple[Layer, ...]:
        """Lists the layers of the parts that build modules, one part after the other."""
        row = self.architecture(architecture).indices
        parts = ((self.columns[key], part) for key, part in self.parts.items() if part.buildable)
        listed = (part.layers(row[at], _own(part, task) or part.task) for at, part in parts)
        return tuple(itertools.chain.from_iterable(listed))

    def task_of(self, row: Sequence[int], task: Task) -> Task:
        for key, part in self.parts.items():
            if _own(part, task) is not None:
                task = part.task_of(row[self.columns[key]], task)
        return task

    @cached_property
    def example(self) -> tuple[int, ...]:
        return tuple(itertools.chain(*(part.example for part in self.parts.values())))

    @cached_property
    def columns(self) -> dict[str, slice]:
        """Where the variables of every part stand, by its name."""
        ends = itertools.accumulate(len(part.variables) for part in self.parts.values())
        return {
            key: slice(end - len(part.variables), end)
            for end, (key, part) in zip(ends, self.parts.items(), strict=True)
        }

    @cached_property
    def _enumerated(self) -> Int[Tensor, "B V"]:
        rows = torch.empty(1, 0, dtype=torch.long)
        for part in self.parts.values():
            other = part.enumerate()
            left, right = rows.repeat_interleave(len(other), 0), other.repeat(len(rows), 1)
            rows = torch.cat([left, right], dim=1)
        return rows

    def _each(self, x: Int[Tensor, "B V"]) -> list[tuple[Space, Int[Tensor, "B W"]]]:
        return [(part, x[:, self.columns[key]]) for key, part in self.parts.items()]


def _moved(variable: Variable, part: str, offset: int) -> Variable:
    """The variable at its place in the product, with the parents it names."""
    choices = variable.choices
    if variable.kind == "parent":
        choices = tuple(str(int(choice) + offset) for choice in choices)
    place = tuple(node + offset for node in variable.place)
    return replace(variable, name=f"{part}.{variable.name}", choices=choices, place=place)


def _own(part: Space, task: Task | None) -> Task | None:
    """The task, where it is of the part's kind."""
    return task if isinstance(task, type(part.task)) else None


def _split(text: str) -> list[str]:
    """Splits at the separators that stand outside parentheses."""
    pieces, depth = [""], 0
    for token in re.split(f"({SEPARATOR}|[()])", text):
        depth += (token == "(") - (token == ")")
        if token == SEPARATOR and depth == 0:
            pieces.append("")
        else:
            pieces[-1] += token
    return pieces
