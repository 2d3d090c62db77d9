"""NAS-Bench-101 (Ying et al., ICML 2019): cells of up to seven nodes and nine edges."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from functools import cached_property

import numpy as np
import torch
from jaxtyping import Bool, Float, Int, Shaped
from torch import Tensor, nn

from ...core.errors import ArchitectureError
from ...core.seeding import Seed, make_generator
from ..architecture import Architecture
from ..dag import DAG
from ..literals import integers
from ..space import Space
from ..task import ImageTask, Task
from ..variable import Role, Variable
from ._image import image_task
from ._nasbench101_decoding import allowed_choices
from ._nasbench101_layout import EDGES, INNER, LAST, MAX_EDGES, SLOTS, adjacency, prune
from ._nasbench101_network import Network, vertex_channels
from ._nasbench101_notations import benchmark_form
from ._nasbench101_steps import resized

__all__ = ["NASBench101"]

OPERATIONS = ("absent", "conv1x1-bn-relu", "conv3x3-bn-relu", "maxpool3x3")
ROLES: tuple[Role, ...] = ("absent", "op", "op", "op")
ABSENT = 0
TAPS = (0, 1, 9, 0)
STEM, STACKS, CELLS = 128, 3, 3
# Rows ranked at once over the 120 orders of the inner nodes: 31 MB.
CHUNK = 1 << 15
# Digits above the 31 bits of a row's code: absent nodes that do not come last, and, above those,
# edges against the order.
MISPLACED, REVERSED = 2.0**33, 2.0**40


class NASBench101(Space):
    """The 423,624 cells of NAS-Bench-101 (arXiv 1902.09635).

    Five inner slots between input and output hold an operation or are absent; absent slots come
    last and touch no edge. As the benchmark does, nodes that lie on no path from input to output
    are pruned, and at most nine edges may remain. Two cells are the same architecture where their
    pruned graphs are isomorphic; the canonical form is the lexicographically smallest row.

    Statistics and modules are of the pruned cell as written: the benchmark splits the channels of
    the output among its inputs in order of the nodes, so isomorphic cells may differ by a channel.

    The native string lists the operations of the present nodes and the upper triangle of the
    adjacency matrix row by row, input first: row i has one digit per later node. Read, too, is the
    benchmark's own form, ``{"matrix": …, "ops": …}`` or ``ModelSpec(matrix, ops)``, as JSON or as
    Python prints it.

    Example:
        >>> cells = NASBench101()
        >>> cell = cells.architecture("ops=conv3x3-bn-relu,maxpool3x3;adj=110|01|1")
        >>> cell == cells.from_matrix(
        ...     [[0, 1, 1, 0], [0, 0, 0, 1], [0, 0, 0, 1], [0, 0, 0, 0]],
        ...     ["input", "maxpool3x3", "conv3x3-bn-relu", "output"],
        ... )
        True
    """

    name = "nasbench101"
    task = ImageTask()
    nodes = ("input", *(f"node {i}" for i in range(1, LAST)), "output")
    inputs, outputs = (0,), (LAST,)
    variables = (
        *(Variable(f"op_{i}", OPERATIONS, "op", (i,), ROLES) for i in range(1, LAST)),
        *(Variable(f"edge_{i}_{j}", ("0", "1"), "edge", (i, j)) for i, j in EDGES),
    )
    # input -> 3x3 convolution -> 3x3 convolution -> output
    example = (2, 2, 0, 0, 0, *(int(edge in {(0, 1), (1, 2), (2, LAST)}) for edge in EDGES))

    @property
    def architecture_count(self) -> int:
        return 423_624

    def is_valid(self, x: Int[Tensor, "B V"]) -> Bool[Tensor, " B"]:
        operations, edges = x[:, :INNER], x[:, INNER:] == 1
        present = operations != ABSENT
        suffix = (present[:, :-1] | ~present[:, 1:]).all(1)
        tight = (~edges | (_touching(present))).all(1)
        _, kept = prune(operations, edges)
        count = kept.sum(1)
        return self.in_range(x) & suffix & tight & (count > 0) & (count <= MAX_EDGES)

    def canonical(self, x: Int[Tensor, "B V"]) -> Int[Tensor, "B V"]:
        blocks = [self._ranks(block).amin(1) for block in _pruned_features(x).split(CHUNK)]
        codes = torch.cat([*blocks, torch.empty(0, dtype=torch.float64)]).long()
        return self.decode(codes % (1 << 31))

    def shuffle(self, x: Int[Tensor, "B V"], seed: Seed = None) -> Int[Tensor, "B V"]:
        """Draws a random topological order of each row's present nodes."""
        ranks = self._ranks(_features(x[:, :INNER], x[:, INNER:] == 1))
        lawful = ranks // MISPLACED == ranks.amin(1, keepdim=True) // MISPLACED
        pick = torch.multinomial(lawful.double(), 1, generator=make_generator(seed))
        return self.decode(ranks.gather(1, pick)[:, 0].long() % (1 << 31))

    def allowed(self, x: Int[Tensor, "B V"], known: Bool[Tensor, "B V"]) -> Bool[Tensor, "B V C"]:
        """Tells which choices can still end in a valid cell without dangling nodes.

        Exact: a choice is allowed if and only if such a cell exists. Where what is known admits
        none, all choices are.

        Args:
            x: Choice indices; entries that are not known are ignored.
            known: Which entries are decided.
        """
        choices = self.choice_mask.to(x.device)
        found = allowed_choices(x, known) & choices
        return torch.where(found.any(2, keepdim=True), found, choices)

    def steps(self, x: Int[Tensor, "B V"]) -> tuple[Int[Tensor, "S V"], Int[Tensor, " S"]]:
        """Takes every step from every cell.

        A step changes one operation, switches one edge, inserts a node with one incoming and one
        outgoing edge (beside or instead of the edge between its neighbours), or removes a node
        (with its edges, or joining its predecessors to its successors).

        Args:
            x: Valid choice indices.
        """
        x = self.canonical(x)
        found = [super().steps(x), resized(x)]
        return torch.cat([led for led, _ in found]), torch.cat([owner for _, owner in found])

    def to_string(self, row: Sequence[int]) -> str:
        labels, matrix = _present(row)
        upper = "|".join("".join(map(str, line[i + 1 :])) for i, line in enumerate(matrix[:-1]))
        return f"ops={','.join(labels[1:-1])};adj={upper}"

    def from_string(self, text: str) -> tuple[int, ...]:
        if not text.lstrip().startswith("ops="):
            try:
                if (found := benchmark_form(text)) is not None:
                    return self.from_matrix(*found).indices
            except ArchitectureError as error:
                raise self.unreadable(text, error.message.rstrip(".")) from None
            except ValueError as error:
                raise self.unreadable(text, str(error)) from None
        head, _, tail = text.strip().partition(";")
        key, _, listed = head.partition("=")
        other, _, upper = tail.partition("=")
        if key.strip() != "ops" or other.strip() != "adj":
            raise self.unreadable(text, "expected 'ops=…;adj=…'")
        operations = [label.strip() for label in listed.split(",")] if listed.strip() else []
        lines = [line.strip() for line in upper.split("|")]
        expected = [len(operations) + 1 - i for i in range(len(operations) + 1)]
        if [len(line) for line in lines] != expected:
            raise self.unreadable(
                text,
                f"{len(operations)} operations take rows of {', '.join(map(str, expected))} digits "
                f"(the upper triangle), got {', '.join(str(len(line)) for line in lines)}",
            )
        if set("".join(lines)) - set("01"):
            raise self.unreadable(text, "the upper triangle is written with 0 and 1")
        matrix = [[0] * (i + 1) + [int(digit) for digit in line] for i, line in enumerate(lines)]
        return self._row(text, operations, matrix)

    def from_matrix(
        self, matrix: Sequence[Sequence[int]] | Shaped[np.ndarray, "N M"], ops: Sequence[str]
    ) -> Architecture:
        """Reads the benchmark's own form.

        Args:
            matrix: Upper-triangular adjacency matrix of 0 and 1, input first, output last.
            ops: One label per node, ``"input"`` and ``"output"`` included.

        Raises:
            ArchitectureError: Where it is no cell of the space.
        """
        size = len(ops)
        hint = "Give a square upper-triangular matrix of 0 and 1 with one label per node."
        if len(matrix) != size or any(len(line) != size for line in matrix):
            lengths = ", ".join(str(len(line)) for line in matrix)
            raise ArchitectureError(
                f"{size} operations take a {size} x {size} matrix, got rows of {lengths}.", hint
            )
        if size < 2 or (ops[0], ops[-1]) != ("input", "output"):
            raise ArchitectureError(
                f"The first operation is 'input' and the last 'output', got {list(ops)}.", hint
            )
        try:
            entries = [integers(list(line), "entries of a matrix") for line in matrix]
        except ValueError as error:
            raise ArchitectureError(f"No adjacency matrix: {error}.", hint) from None
        if any(entry not in (0, 1) for line in entries for entry in line):
            raise ArchitectureError("An adjacency matrix holds 0 and 1 only.", hint)
        if any(entries[i][j] for i in range(size) for j in range(i + 1)):
            problem = "has a cycle" if _has_cycle(entries) else "is not upper triangular"
            raise ArchitectureError(
                f"The adjacency matrix {problem}.", "Order the nodes so that edges lead forward."
            )
        return self.architecture(self._row(str(entries), ops[1:-1], entries))

    def dag(self, row: Sequence[int]) -> DAG:
        """Draws the present nodes."""
        labels, matrix = _present(row)
        pairs = itertools.combinations(range(len(labels)), 2)
        edges = {(i, j): "" for i, j in pairs if matrix[i][j]}
        return DAG(tuple(labels), edges, inputs=(0,), outputs=(len(labels) - 1,))

    def statistics(self, x: Int[Tensor, "B V"], task: Task | None = None) -> dict[str, Tensor]:
        task = image_task(task or self.task)
        operations, edges = prune(x[:, :INNER], x[:, INNER:] == 1)
        links = adjacency(edges)
        from_input, to_output = links[:, 0, 1:LAST].double(), links[:, 0, LAST].double()
        taps = torch.tensor(TAPS, dtype=torch.float64)[operations]
        convolves = (taps > 0).double()
        side, width = task.resolution, STEM
        params = torch.full((len(x),), 9 * task.channels * STEM + 2 * STEM, dtype=torch.float64)
        macs = torch.full((len(x),), 9.0 * task.channels * STEM * side**2, dtype=torch.float64)
        for stack in range(STACKS):
            out = STEM * 2**stack
            side = side // 2 if stack else side
            channels = vertex_channels(links, out)
            for _ in range(CELLS):
                weights = width * ((from_input * channels).sum(1) + to_output * out)
                weights += (taps * channels**2).sum(1)
                norms = ((from_input + convolves) * channels).sum(1) + to_output * out
                params += weights + 2 * norms
                macs += weights * side**2
                width = out
        params += width * task.classes + task.classes
        macs += width * task.classes
        depth = 2 + STACKS * CELLS * _cell_depth(links, convolves)
        return {"params": params, "macs": macs, "depth": depth}

    def build_module(self, row: Sequence[int], task: Task) -> nn.Module:
        operations, edges = prune(*(part[None] for part in _parts(torch.tensor(row))))
        return Network(operations[0].tolist(), adjacency(edges), image_task(task))

    @cached_property
    def _enumerated(self) -> Int[Tensor, "B V"]:
        """All cells: graphs without labels first, then their labellings, one per class."""
        patterns = torch.arange(1 << len(EDGES))
        bits = 2 ** torch.arange(len(EDGES) - 1, -1, -1)
        count = torch.zeros_like(patterns)
        for e in range(len(EDGES)):
            count += patterns >> e & 1
        few = count <= MAX_EDGES
        cells = []
        for size in range(INNER + 1):
            alive = [*range(size + 1), LAST]
            keep = few.clone()
            for node in range(SLOTS):
                # A node that is there has an edge in and an edge out; others have none.
                for side, end in ((0, LAST), (1, 0)):
                    mask = sum(int(bits[e]) for e, edge in enumerate(EDGES) if edge[side] == node)
                    touched = (patterns & mask) != 0
                    if node != end:
                        keep &= touched if node in alive else ~touched
            labels = torch.zeros(1, INNER, dtype=torch.long)
            labels[:, :size] = 1
            graphs = self.decode(patterns[keep])
            graphs[:, :INNER] = labels
            graphs = self.canonical(graphs).unique(dim=0)
            labels = torch.cartesian_prod(*[torch.arange(1, 4)] * max(size, 1)).reshape(
                -1, max(size, 1)
            )
            labels = nn.functional.pad(labels, (0, INNER - labels.shape[1])) * (size > 0)
            pairs = torch.cat(
                [
                    labels.repeat(len(graphs), 1),
                    graphs[:, INNER:].repeat_interleave(len(labels), dim=0),
                ],
                dim=1,
            )
            cells.append(torch.from_numpy(self.codes(self.canonical(pairs))).unique())
        return self.decode(torch.cat(cells).sort().values)

    @cached_property
    def _orders(self) -> Float[Tensor, "K 120"]:
        """Weights by which features become ranks: one column per order of the inner nodes.

        The rank of an order is linear in the row's one-hot operations and its edges: the code of
        the reordered row, plus a penalty for every absent node but the last ones and for every
        edge that would lead backwards.
        """
        columns = []
        radix = self._radix.double()
        for order in itertools.permutations(range(1, LAST)):
            # Slot that every old slot moves to.
            slot = [0, *(order.index(old) + 1 for old in range(1, LAST)), LAST]
            weights = []
            for old in range(1, LAST):
                new = slot[old] - 1
                weights.append(MISPLACED * 2 ** (INNER - 1 - new))
                weights += [index * radix[new].item() for index in range(1, len(OPERATIONS))]
            for i, j in EDGES:
                forward = slot[i] < slot[j]
                at = INNER + EDGES.index((slot[i], slot[j])) if forward else 0
                weights.append(radix[at].item() if forward else REVERSED)
            columns.append(weights)
        return torch.tensor(columns, dtype=torch.float64).T

    def _ranks(self, features: Float[Tensor, "B K"]) -> Float[Tensor, "B 120"]:
        return features @ self._orders

    def _row(
        self, text: str, operations: Sequence[str], matrix: Sequence[Sequence[int]]
    ) -> tuple[int, ...]:
        """Makes a row from labels and (at least the upper triangle of) a matrix."""
        if len(operations) > INNER:
            raise self.unreadable(text, f"at most {INNER} operations, got {len(operations)}")
        for label in operations:
            if label not in OPERATIONS[1:]:
                raise self.unreadable(text, f"there is no operation {label!r}")
        slots = [*range(len(operations) + 1), LAST]
        row = [OPERATIONS.index(label) for label in operations]
        row += [ABSENT] * (INNER - len(row)) + [0] * len(EDGES)
        for i, j in itertools.combinations(range(len(slots)), 2):
            row[INNER + EDGES.index((slots[i], slots[j]))] = matrix[i][j]
        return tuple(row)


def _touching(present: Bool[Tensor, "B 5"]) -> Bool[Tensor, "B 21"]:
    """Edges whose both ends are there."""
    ends = nn.functional.pad(present, (1, 1), value=True)
    first, second = zip(*EDGES, strict=True)
    return ends[:, list(first)] & ends[:, list(second)]


def _parts(row: Int[Tensor, " V"]) -> tuple[Int[Tensor, " 5"], Bool[Tensor, " 21"]]:
    return row[:INNER], row[INNER:] == 1


def _features(operations: Int[Tensor, "B 5"], edges: Bool[Tensor, "B 21"]) -> Float[Tensor, "B K"]:
    one_hot = nn.functional.one_hot(operations, len(OPERATIONS)).flatten(1)
    return torch.cat([one_hot, edges], dim=1).double()


def _pruned_features(x: Int[Tensor, "B V"]) -> Float[Tensor, "B K"]:
    return _features(*prune(x[:, :INNER], x[:, INNER:] == 1))


def _present(row: Sequence[int]) -> tuple[list[str], list[list[int]]]:
    """Labels and adjacency matrix of the nodes that are there."""
    slots = [0, *(i for i in range(1, LAST) if row[i - 1] != ABSENT), LAST]
    labels = ["input", *(OPERATIONS[row[i - 1]] for i in slots[1:-1]), "output"]
    edge = {pair: row[INNER + e] for e, pair in enumerate(EDGES)}
    return labels, [[edge.get((i, j), 0) for j in slots] for i in slots]


def _has_cycle(matrix: Sequence[Sequence[int]]) -> bool:
    """Whether some power of the matrix returns to a node."""
    links = torch.tensor(matrix)
    reach = links.clone()
    for _ in matrix:
        reach = ((reach + reach @ links) > 0).long()
    return bool(reach.diagonal().any())


def _cell_depth(
    links: Bool[Tensor, "B 7 7"], convolves: Float[Tensor, "B 5"]
) -> Float[Tensor, " B"]:
    """Weighted layers on the longest path: convolutions and the input's projections."""
    blocked = -torch.inf
    depth = [torch.zeros(len(links), dtype=torch.float64)]
    for node in range(1, SLOTS):
        arriving = [
            torch.where(links[:, i, node], depth[i] + (i == 0), blocked) for i in range(node)
        ]
        own = convolves[:, node - 1] if node < LAST else 0.0
        depth.append(torch.stack(arriving).amax(0) + own)
    return depth[LAST]
