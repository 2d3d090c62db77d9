"""Space: what every search space declares and what it gets in return."""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from copy import copy
from functools import cached_property

import numpy as np
import torch
from jaxtyping import Bool, Int, Shaped
from torch import Tensor, nn

from ..core.errors import ArchitectureError, UsageError
from ..core.options import with_options
from ..core.seeding import Seed, make_generator
from .architecture import Architecture
from .dag import DAG
from .layers import Layer, layers_of
from .literals import read_literal
from .moves import Moves
from .task import GraphTask, Task
from .variable import Role, Variable

__all__ = ["ENUMERABLE", "ArchitectureLike", "Space"]

# Above this many architectures a list of all of them (8 bytes a choice) no longer fits in memory
# comfortably; NAS-Bench-101 (423,624) is below, Once-for-All (10^20) far above.
ENUMERABLE = 1_000_000

ArchitectureLike = Architecture | str | Sequence[int] | Tensor


class Space(Moves):
    """A search space: variables on a DAG, constraints, native strings, exact counts, modules.

    A new space is one file that sets ``name``, ``variables``, ``nodes`` and ``skeleton`` and says
    how strings, statistics and modules come about; it then samples, searches and transfers. All
    learned parts see the same batched form: choice indices ``[B, V]``.

    Attributes:
        name: Unique name.
        variables: The decisions, in the order of the columns of ``[B, V]``.
        nodes: Label of every node in topological order; ``{name}`` of a variable at the node is
            shown instead where there is one.
        skeleton: Edges that every architecture has.
        inputs: The nodes that data enter; by default those that no edge can enter.
        outputs: The nodes that results leave; by default those that no edge can leave.
        task: What architectures are built for unless told otherwise.
        buildable: Whether `build` makes modules; a training recipe or a chip has none.
        auxiliary: Whether these only serve to train those of another part of a product, as
            discriminators do.
        additive: Whether each choice brings layers of its own, whatever the others are, so that
            those of many architectures are added up without a trace of each.
        architecture_count: Number of distinct architectures (classes of isomorphic encodings).
    """

    name: str
    variables: tuple[Variable, ...]
    nodes: tuple[str, ...]
    skeleton: tuple[tuple[int, int], ...] = ()
    task: Task = Task()
    buildable: bool = True
    auxiliary: bool = False
    additive: bool = False
    _options: Mapping[str, object]

    def __new__(cls, *_: object, **options: object) -> Space:
        made = super().__new__(cls)
        made._options = options
        return made

    @property
    def text(self) -> str:
        """Text of which `vitruvius.spaces.space` makes it again: its name, and its options.

        Example:
            >>> from vitruvius.spaces import space
            >>> space("mobilenetv3:resolutions=[128,160]").text
            'mobilenetv3:resolutions=[128,160]'
        """
        try:
            return with_options(self.name, self._options)
        # Made of objects that have no text, so that only Python can make it.
        except TypeError:
            return self.name

    # -- what a space must say ------------------------------------------------------------------

    @property
    @abstractmethod
    def architecture_count(self) -> int:
        """Number of distinct architectures."""

    @abstractmethod
    def statistics(self, x: Int[Tensor, "B V"], task: Task | None = None) -> dict[str, Tensor]:
        """Counts exactly, without building: ``params``, ``macs`` and ``depth``.

        Args:
            x: Valid choice indices.
            task: What the architectures are for; the space's own task by default.

        Returns:
            One ``[B]`` tensor of float64 per statistic: trainable parameters, multiply-adds of one
            forward pass, and the number of weighted layers on the longest path.
        """

    @abstractmethod
    def build_module(self, row: Sequence[int], task: Task) -> nn.Module:
        """Builds the trainable module of one valid row of choices."""

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.name!r})"

    # -- what a space may refine ----------------------------------------------------------------

    def is_valid(self, x: Int[Tensor, "B V"]) -> Bool[Tensor, " B"]:
        """Tells which rows are architectures: choices in range and constraints met."""
        return self.in_range(x)

    def canonical(self, x: Int[Tensor, "B V"]) -> Int[Tensor, "B V"]:
        """Maps valid rows to one representative per class of isomorphic architectures."""
        return x

    def allowed(self, x: Int[Tensor, "B V"], known: Bool[Tensor, "B V"]) -> Bool[Tensor, "B V C"]:
        """Tells which choices of the unknown variables can still end in a valid architecture.

        Used for constraint-aware decoding. The default knows no constraints beyond the choice
        sets.

        Args:
            x: Choice indices, on the device where a generator decodes; entries that are not known
                are ignored.
            known: Which entries are decided.
        """
        return self.choice_mask.to(x.device).expand(len(x), -1, -1)

    def shuffle(self, x: Int[Tensor, "B V"], seed: Seed = None) -> Int[Tensor, "B V"]:
        """Draws a random encoding of each row's architecture, for isomorphic augmentation."""
        if self._members is None:
            return x
        offsets, members = self._members
        classes = torch.from_numpy(np.searchsorted(self._codes, self.codes(self.canonical(x))))
        low, high = offsets[classes], offsets[classes + 1]
        draw = torch.rand(len(x), generator=make_generator(seed), dtype=torch.float64)
        return self.decode(members[low + (draw * (high - low)).long()])

    def to_string(self, row: Sequence[int]) -> str:
        """Writes a row of choices in the space's native notation."""
        return ", ".join(
            f"{variable.name}={variable.choices[index]}"
            for variable, index in zip(self.variables, row, strict=True)
        )

    def from_string(self, text: str) -> tuple[int, ...]:
        """Reads a row of choices from the native notation, or from a JSON object by name.

        Raises:
            ArchitectureError: Where the text is not in this space's notation.
        """
        given: dict[str, str] = {}
        said = read_literal(text) if text.lstrip().startswith("{") else None
        if isinstance(said, dict):
            given = {str(name): str(choice) for name, choice in said.items()}
        for part in () if isinstance(said, dict) else text.split(","):
            name, separator, choice = part.partition("=")
            if not separator:
                raise self.unreadable(text, f"{part.strip()!r} has no '='")
            given[name.strip()] = choice.strip()
        row = []
        for variable in self.variables:
            choice = given.pop(variable.name, "")
            if choice not in variable.choices:
                expected = "|".join(variable.choices)
                raise self.unreadable(text, f"{variable.name}={choice!r}, expected {expected}")
            row.append(variable.choices.index(choice))
        if given:
            raise self.unreadable(text, f"no variable is called {next(iter(given))!r}")
        return tuple(row)

    def dag(self, row: Sequence[int]) -> DAG:
        """Draws the graph of a row: labels from its variables, edges from skeleton and choices."""
        labels: dict[tuple[int, ...], list[str]] = {}
        roles: dict[tuple[int, ...], Role] = {}
        edges = dict.fromkeys(self.skeleton, "")
        for variable, index in zip(self.variables, row, strict=True):
            choice, role = variable.choices[index], variable.roles[index]
            # Where several choices stand at a place, one that is absent leaves nothing there.
            if role != "op" and roles.get(variable.place) != "absent":
                roles[variable.place] = role
            if variable.kind == "parent":
                edges[int(choice), variable.place[0]] = ""
            elif variable.kind == "edge":
                if index:
                    edges[variable.place[0], variable.place[1]] = ""
            elif len(variable.place) == 2:
                edges[variable.place[0], variable.place[1]] = choice
            elif variable.place:
                labels.setdefault(variable.place, []).append(choice)
            else:
                labels.setdefault((), []).append(f"{variable.name}={choice}")
        nodes = tuple(" ".join(labels.get((i,), [name])) for i, name in enumerate(self.nodes))
        attributes = dict(pair.split("=", 1) for pair in labels.get((), []))
        return DAG(nodes, edges, attributes, self.inputs, self.outputs, roles)

    @cached_property
    def inputs(self) -> tuple[int, ...]:
        """The nodes that data enter."""
        return self._without_edges(1)

    @cached_property
    def outputs(self) -> tuple[int, ...]:
        """The nodes that results leave."""
        return self._without_edges(0)

    # -- what every space gets ------------------------------------------------------------------

    @cached_property
    def choice_mask(self) -> Bool[Tensor, "V C"]:
        """Which of the ``C`` columns are choices of each variable."""
        sizes = torch.tensor([variable.size for variable in self.variables])
        return torch.arange(int(sizes.max())) < sizes[:, None]

    @property
    def constrained(self) -> bool:
        """Whether the space narrows choices down while decoding (see `allowed`)."""
        return type(self).allowed is not Space.allowed

    def in_range(self, x: Int[Tensor, "B V"]) -> Bool[Tensor, " B"]:
        """Tells which rows hold an index of a choice in every column."""
        sizes = self.choice_mask.sum(1).to(x.device)
        return ((x >= 0) & (x < sizes)).all(1)

    @property
    def encoding_count(self) -> int:
        """Number of rows in range, valid or not: the product of the choice counts."""
        return math.prod(variable.size for variable in self.variables)

    @property
    def enumerable(self) -> bool:
        """Whether `enumerate` can list all architectures."""
        return self.architecture_count <= ENUMERABLE

    def enumerate(self) -> Int[Tensor, "B V"]:
        """Lists the canonical form of every architecture once.

        Raises:
            UsageError: Where there are more than a million.
        """
        if not self.enumerable:
            raise UsageError(
                f"{self.name} has {self.architecture_count:.3g} architectures, too many to list.",
                "Draw some with `sample` instead.",
            )
        return self._enumerated

    def sample(self, n: int, seed: Seed = None) -> Int[Tensor, "B V"]:
        """Draws architectures uniformly (with replacement), as canonical rows.

        Args:
            n: How many.
            seed: A generator, an integer seed, or None for a fresh one.
        """
        rows = self.enumerate()
        return rows[torch.randint(len(rows), (n,), generator=make_generator(seed))]

    def _uniform(self, n: int, seed: Seed) -> Int[Tensor, "B V"]:
        """Draws every variable uniformly: architectures, where there are no constraints."""
        sizes = self.choice_mask.sum(1)
        shape = (n, len(sizes))
        draw = torch.rand(shape, generator=make_generator(seed), dtype=torch.float64)
        return (draw * sizes).long()

    def architecture(self, value: ArchitectureLike) -> Architecture:
        """Makes an `Architecture` from a native string or a row of choice indices.

        Raises:
            ArchitectureError: Where it is not an architecture of this space.
        """
        if isinstance(value, Architecture):
            if value.space != self.name:
                raise ArchitectureError(
                    f"Expected an architecture of {self.name}, got one of {value.space}.",
                    "Use the space it was made with.",
                )
            return value
        if isinstance(value, str):
            row = self.from_string(value)
        else:
            row = tuple(int(index) for index in value)
            if len(row) != len(self.variables):
                raise ArchitectureError(
                    f"An architecture of {self.name} has {len(self.variables)} variables, "
                    f"got {len(row)}.",
                    "Give one choice index per variable.",
                )
        x = torch.tensor([row])
        if not bool(self.is_valid(x)[0]):
            raise ArchitectureError(
                f"{value if isinstance(value, str) else list(row)} breaks a constraint of "
                f"{self.name}.",
                f"`vitruvius spaces {self.name}` describes the space.",
            )
        canonical = tuple(self.canonical(x)[0].tolist())
        return Architecture(self.name, row, self.to_string(row), canonical, self.variables)

    def architectures(self, x: Int[Tensor, "B V"]) -> list[Architecture]:
        """Makes one `Architecture` per valid row."""
        canonical = self.canonical(x).tolist()
        return [
            Architecture(self.name, tuple(row), self.to_string(row), tuple(key), self.variables)
            for row, key in zip(x.tolist(), canonical, strict=True)
        ]

    def rows(self, architectures: Sequence[Architecture | str]) -> Int[Tensor, "B V"]:
        """Stacks the choice indices of architectures or native strings."""
        rows = [self.architecture(value).indices for value in architectures]
        return torch.tensor(rows, dtype=torch.long).reshape(-1, len(self.variables))

    def keys(self, x: Int[Tensor, "B V"]) -> list[bytes]:
        """Returns one hashable key per row, equal where the architectures are."""
        compact = self.canonical(x).to(torch.uint8).cpu().numpy()
        return [row.tobytes() for row in compact]

    def hashes(self, x: Int[Tensor, "B V"]) -> Int[Tensor, " B"]:
        """Returns one 64-bit number per row, equal where the architectures are.

        A random linear hash modulo 2^64: among ten million architectures a collision has a
        probability of about 10^-5.
        """
        return (self.canonical(x) * self._multipliers).sum(1)

    def build(self, architecture: ArchitectureLike, task: Task | None = None) -> nn.Module:
        """Builds a trainable module.

        Args:
            architecture: An `Architecture`, a native string or a row of choice indices.
            task: What it is for; the space's own task by default.
        """
        return self.build_module(self.architecture(architecture).indices, task or self.task)

    def network(self, architecture: ArchitectureLike) -> tuple[Space, Architecture]:
        """Returns the space and the architecture of what is built: of a product, its one network.

        Args:
            architecture: As for `build`.
        """
        return self, self.architecture(architecture)

    def task_of(self, row: Sequence[int], task: Task) -> Task:
        """Returns what a row's network is built for, where the row decides some of it.

        Args:
            row: Choice indices, such as of a resolution that is searched.
            task: The task.
        """
        return task

    def example_inputs(self, task: Task, batch: int = 2, seed: Seed = 0) -> tuple[Tensor, ...]:
        """Makes random inputs, as the modules that are built for the task take them.

        Args:
            task: The task.
            batch: How many examples; of a graph, how many nodes.
            seed: Of the values.
        """
        return task.inputs(batch, seed)

    def layers(self, architecture: ArchitectureLike, task: Task | None = None) -> tuple[Layer, ...]:
        """Lists a network's layers in the order in which they compute.

        Nothing is computed where the network can be traced without, as those for images can.

        Args:
            architecture: As for `build`.
            task: What it is for; the space's own task by default.

        Example:
            >>> from vitruvius.spaces import space
            >>> cells = space("nasbench201")
            >>> first = cells.layers(cells.example)[0]
            >>> first.kind, first.kernel, first.outputs
            ('convolution', (3, 3), (16, 32, 32))
        """
        row = self.architecture(architecture).indices
        task = self.task_of(row, task or self.task)
        with torch.random.fork_rng(devices=[]):
            module = self.build_module(row, task)
        # Graph layers look at the values of edges; the others are traced without computing.
        device = torch.device("cpu" if isinstance(task, GraphTask) else "meta")
        return layers_of(
            module.to(device), [value.to(device) for value in self.example_inputs(task)]
        )

    def for_task(self, task: Task) -> Space:
        """Returns the same space, whose architectures are counted and built for another task.

        Args:
            task: What they are for unless told otherwise.

        Raises:
            UsageError: For a task of another kind.

        Example:
            >>> from vitruvius.spaces import GraphTask, space
            >>> graphs = space("nas-bench-graph")
            >>> wide = graphs.for_task(GraphTask(features=3703, classes=6))
            >>> [int(s.statistics(graphs.sample(1, 0))["params"]) for s in (graphs, wide)]
            [2167047, 5072390]
        """
        if not isinstance(task, type(self.task)):
            raise UsageError(
                f"{self.name} is for a {type(self.task).__name__}, not a {type(task).__name__}.",
                "Is it the right space for this data?",
            )
        bound = copy(self)
        bound.task = task
        return bound

    def unreadable(self, text: str, why: str) -> ArchitectureError:
        """Makes the error for a string that is not in this space's notation."""
        example = self.to_string(self.example)
        return ArchitectureError(
            f"{text!r} is not an architecture of {self.name}: {why}.",
            f"One is written like {example!r}.",
        )

    @cached_property
    def example(self) -> tuple[int, ...]:
        """One valid row, the same in every run."""
        return tuple(self.sample(1, 0)[0].tolist())

    def _without_edges(self, end: int) -> tuple[int, ...]:
        """Nodes at which no possible edge starts (0) or ends (1), of those in use at all."""
        edges = set(self.skeleton)
        for variable in self.variables:
            if variable.kind == "parent":
                edges |= {(int(choice), variable.place[0]) for choice in variable.choices}
            elif len(variable.place) == 2:
                edges.add((variable.place[0], variable.place[1]))
        used = {node for edge in edges for node in edge}
        used |= {node for variable in self.variables for node in variable.place}
        return tuple(sorted(used - {edge[end] for edge in edges}))

    # -- codes of small spaces ------------------------------------------------------------------

    @cached_property
    def _multipliers(self) -> Int[Tensor, " V"]:
        generator = torch.Generator().manual_seed(0)
        high = torch.iinfo(torch.int64).max
        return torch.randint(high, (len(self.variables),), generator=generator) | 1

    @cached_property
    def _radix(self) -> Int[Tensor, " V"]:
        sizes = [variable.size for variable in self.variables]
        return torch.tensor([math.prod(sizes[i + 1 :]) for i in range(len(sizes))])

    def codes(self, x: Int[Tensor, "B V"]) -> Shaped[np.ndarray, " B"]:
        """Numbers rows in lexicographic order (spaces of fewer than 2^63 encodings)."""
        codes: np.ndarray = (x * self._radix).sum(1).numpy()
        return codes

    def decode(self, codes: Int[Tensor, " B"]) -> Int[Tensor, "B V"]:
        """Inverse of `codes`."""
        return codes[:, None] // self._radix % self.choice_mask.sum(1)

    @cached_property
    def _enumerated(self) -> Int[Tensor, "B V"]:
        return torch.cat(list(self._canonical_blocks()))

    def _canonical_blocks(self, block: int = 1 << 18) -> Iterator[Tensor]:
        for start in range(0, self.encoding_count, block):
            x = self.decode(torch.arange(start, min(start + block, self.encoding_count)))
            x = x[self.is_valid(x)]
            yield x[(self.canonical(x) == x).all(1)]

    @cached_property
    def _codes(self) -> Shaped[np.ndarray, " A"]:
        return self.codes(self.enumerate())

    @cached_property
    def _members(self) -> tuple[Tensor, Tensor] | None:
        """Encodings grouped by class: offsets ``[A + 1]`` into a list of codes."""
        if self.encoding_count > ENUMERABLE or type(self).canonical is Space.canonical:
            return None
        x = self.decode(torch.arange(self.encoding_count))
        codes = torch.arange(self.encoding_count)[self.is_valid(x)]
        owner = np.searchsorted(self._codes, self.codes(self.canonical(x[self.is_valid(x)])))
        order = torch.from_numpy(np.argsort(owner, kind="stable"))
        counts = torch.bincount(torch.from_numpy(owner), minlength=len(self._codes))
        return torch.cat([torch.zeros(1, dtype=torch.long), counts.cumsum(0)]), codes[order]
