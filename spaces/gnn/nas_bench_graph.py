"""NAS-Bench-Graph (Qin et al., NeurIPS 2022): graph networks of four layers on a tree."""

from __future__ import annotations

import itertools
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from functools import cached_property

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from ..dag import DAG
from ..space import Space
from ..task import GraphTask, Task
from ..variable import Role, Variable
from ._graph import graph_task
from ._nas_bench_graph_notations import package_form

__all__ = ["TASKS", "NASBenchGraph"]

OPERATIONS = ("gat", "gcn", "gin", "cheb", "sage", "arma", "graph", "fc", "skip")
SKIP = 8
ROLES: tuple[Role, ...] = ("op", "op", "op", "op", "op", "op", "op", "op", "identity")
NODES = 4
# Parents of the four nodes of the nine trees, in the order of the published keys.
TREES = (
    (0, 0, 0, 0),
    (0, 0, 0, 1),
    (0, 0, 1, 1),
    (0, 0, 1, 2),
    (0, 0, 1, 3),
    (0, 1, 1, 1),
    (0, 1, 1, 2),
    (0, 1, 2, 2),
    (0, 1, 2, 3),
)
HEADS = 2
# Weights of an operation from width i to width H: a * i * H + b * H * H + c * H.
WEIGHTS = torch.tensor(
    [
        [1, 0, 3],
        [1, 0, 1],
        [1, 0, 1],
        [2, 0, 1],
        [2, 0, 1],
        [2, 1, 1],
        [2, 0, 1],
        [1, 0, 1],
        [0] * 3,
    ],
    dtype=torch.float64,
    device="cpu",
)
# Multiply-adds per graph node: a * i * H + b * H * H. Both steps of ARMA use the root weight.
PRODUCTS = torch.tensor(
    [[1, 0], [1, 0], [1, 0], [2, 0], [2, 0], [3, 1], [2, 0], [1, 0], [0, 0]],
    dtype=torch.float64,
    device="cpu",
)

TASKS = {
    "cora": GraphTask(features=1433, classes=7, hidden=256, head_layers=1, nodes=2708, edges=5278),
    "citeseer": GraphTask(
        features=3703, classes=6, hidden=256, head_layers=1, nodes=3327, edges=4552
    ),
    "pubmed": GraphTask(
        features=500, classes=3, hidden=128, head_layers=0, nodes=19717, edges=44324
    ),
    "cs": GraphTask(
        features=6805,
        classes=15,
        hidden=128,
        head_layers=0,
        stem_layers=1,
        nodes=18333,
        edges=81894,
    ),
    "physics": GraphTask(
        features=8415,
        classes=5,
        hidden=256,
        head_layers=0,
        stem_layers=1,
        nodes=34493,
        edges=247962,
    ),
    "photo": GraphTask(
        features=745, classes=8, hidden=128, head_layers=0, nodes=7650, edges=119081
    ),
    "computers": GraphTask(
        features=767, classes=10, hidden=64, head_layers=1, stem_layers=1, nodes=13752, edges=245861
    ),
    "arxiv": GraphTask(
        features=128, classes=40, hidden=128, head_layers=1, nodes=169343, edges=1166243
    ),
    "proteins": GraphTask(
        features=8,
        classes=112,
        hidden=256,
        head_layers=1,
        stem_layers=1,
        nodes=132534,
        edges=39561252,
    ),
}
"""The published setting of every data set of NAS-Bench-Graph, and the size of its graph."""


class NASBenchGraph(Space):
    """The 26,206 graph networks of NAS-Bench-Graph (arXiv 2206.09166).

    Four computing nodes hang from the input or from one another; the leaves are concatenated.
    Two encodings are the same architecture where the published table gives them one entry: up to
    a relabelling of the nodes, and up to skips that change nothing. A skip that has children, or
    no sibling, or that is a leaf reached from the input through skips only, leaves its place, and
    a chain of the skips that left comes right after the input. Statistics and modules are those
    of the canonical form. Only the architecture of four skips is invalid.

    Parameters reproduce the table's ``para`` on each task of `TASKS`. Multiply-adds are those of
    the weight matrices, per node of the input graph; message passing depends on the graph's edges
    and is not counted.

    Args:
        norms: Whether a batch normalisation follows each layer. The table counts them; its
            accuracies are those of networks without, where deep ones often fail to learn
            (docs/results.md).

    Read, too, are the package's ``Arch([0, 0, 1, 2], ['gcn', …])`` and its hash.

    Example:
        >>> graphs = NASBenchGraph()
        >>> a = graphs.architecture("[0, 1, 2, 1]|gcn|gin|fc|cheb")
        >>> b = graphs.architecture("[0,1,1,3]|gcn|cheb|gin|fc")
        >>> a == b, str(b)
        (True, '[0,1,1,3]|gcn|cheb|gin|fc')
    """

    name = "nas-bench-graph"
    task = TASKS["cora"]
    nodes = ("input", "node 1", "node 2", "node 3", "node 4", "output")
    skeleton = ((0, 1),)
    inputs, outputs = (0,), (NODES + 1,)
    variables = (
        Variable("op_1", OPERATIONS, "op", (1,), ROLES),
        *(
            variable
            for k in range(2, NODES + 1)
            for variable in (
                Variable(f"op_{k}", OPERATIONS, "op", (k,), ROLES),
                Variable(f"parent_{k}", tuple(map(str, range(k))), "parent", (k,)),
            )
        ),
    )

    def __init__(self, *, norms: bool = True) -> None:
        self.norms = norms

    @property
    def architecture_count(self) -> int:
        return 26_206

    def is_valid(self, x: Int[Tensor, "B V"]) -> Bool[Tensor, " B"]:
        operations, _ = _split(x)
        return self.in_range(x) & (operations != SKIP).any(1)

    def canonical(self, x: Int[Tensor, "B V"]) -> Int[Tensor, "B V"]:
        operations, parents = _split(x)
        case = _tree_code(parents) * 16 + ((operations == SKIP) * _BITS).sum(1)
        tree, orders = self._cases[0][case], self._cases[1][case]
        labelled = operations[:, None].expand(-1, orders.shape[1], -1).gather(2, orders)
        best = (labelled * _DECIMALS).sum(2).argmin(1)
        chosen = labelled[torch.arange(len(x)), best]
        return _join(chosen, torch.tensor(TREES)[tree])

    def table_key(self, x: Int[Tensor, "B V"]) -> Int[Tensor, " B"]:
        """Returns the published key of valid rows: five digits, the tree and four operations.

        Example:
            >>> graphs = NASBenchGraph()
            >>> graphs.table_key(graphs.rows(["[0,1,2,1]|gcn|gin|fc|cheb"])).tolist()
            [61237]
        """
        operations, parents = _split(self.canonical(x))
        tree = torch.tensor([_tree_code(torch.tensor(tree)) for tree in TREES])
        digit = (_tree_code(parents)[:, None] == tree).long().argmax(1)
        return digit * 10**NODES + (operations * _DECIMALS).sum(1)

    def to_string(self, row: Sequence[int]) -> str:
        operations, parents = _split(torch.tensor(row))
        tree = ",".join(map(str, parents.tolist()))
        return "|".join([f"[{tree}]", *(OPERATIONS[index] for index in operations.tolist())])

    def from_string(self, text: str) -> tuple[int, ...]:
        tree, *operations = (part.strip() for part in text.strip().split("|"))
        if not operations:
            try:
                tree, operations = package_form(text, TREES, OPERATIONS) or (tree, [])
            except ValueError as error:
                raise self.unreadable(text, str(error)) from None
        if not re.fullmatch(r"\[\s*\d{1,4}\s*(,\s*\d{1,4}\s*)*\]", tree):
            raise self.unreadable(text, f"expected a list of parents first, got {tree!r}")
        parents = [int(parent.strip()) for parent in tree[1:-1].split(",")]
        if len(parents) != NODES or len(operations) != NODES:
            raise self.unreadable(
                text,
                f"expected {NODES} parents and {NODES} operations, "
                f"got {len(parents)} and {len(operations)}",
            )
        for node, (parent, operation) in enumerate(zip(parents, operations, strict=True), start=1):
            if parent >= node:
                raise self.unreadable(text, f"node {node} cannot hang from node {parent}")
            if operation not in OPERATIONS:
                raise self.unreadable(text, f"there is no operation {operation!r}")
        indices = torch.tensor([OPERATIONS.index(operation) for operation in operations])
        return tuple(_join(indices, torch.tensor(parents)).tolist())

    def dag(self, row: Sequence[int]) -> DAG:
        dag = super().dag(row)
        inner = {i for i, _ in dag.edges}
        leaves = {(k, NODES + 1): "" for k in range(1, NODES + 1) if k not in inner}
        return replace(dag, edges=dag.edges | leaves)

    def statistics(self, x: Int[Tensor, "B V"], task: Task | None = None) -> dict[str, Tensor]:
        task = graph_task(task or self.task)
        operations, parents = _split(self.canonical(x))
        hidden = float(task.hidden)
        normed = NODES * 2 * hidden if self.norms else 0.0
        params = torch.full((len(x),), normed, dtype=torch.float64)
        macs = torch.zeros(len(x), dtype=torch.float64)
        if task.stem_layers:
            params += task.features * hidden + hidden
            macs += task.features * hidden
        first = hidden if task.stem_layers else float(task.features)
        width = torch.full((len(x), NODES + 1), first, dtype=torch.float64)
        depth = torch.full_like(width, task.stem_layers)
        leaf = torch.ones_like(width, dtype=torch.bool).scatter(1, parents, False)
        for node in range(1, NODES + 1):
            operation, parent = operations[:, node - 1], parents[:, node - 1, None]
            entering = width.gather(1, parent)[:, 0]
            sizes = torch.stack([entering * hidden, torch.full_like(entering, hidden**2)], dim=1)
            macs += (PRODUCTS[operation] * sizes).sum(1)
            params += (WEIGHTS[operation, :2] * sizes).sum(1) + WEIGHTS[operation, 2] * hidden
            weighted = operation != SKIP
            width[:, node] = torch.where(weighted, hidden, entering)
            depth[:, node] = depth.gather(1, parent)[:, 0] + weighted
        joined = (width * leaf).sum(1)
        if task.head_layers:
            params += joined * hidden + hidden
            macs += joined * hidden
            joined = torch.full_like(joined, hidden)
        params += joined * task.classes + task.classes
        macs += joined * task.classes
        return {
            "params": params,
            "macs": macs,
            "depth": depth.amax(1) + task.head_layers + 1,
        }

    def build_module(self, row: Sequence[int], task: Task) -> nn.Module:
        """Builds a module whose ``forward(x, edge_index)`` gives one row of logits per node."""
        operations, parents = _split(self.canonical(torch.tensor([row]))[0])
        return _Network(operations.tolist(), parents.tolist(), graph_task(task), self.norms)

    @cached_property
    def _cases(self) -> tuple[Int[Tensor, " S"], Int[Tensor, "S K 4"]]:
        """Tree and node orders of the canonical form, by tree as encoded and mask of skips.

        The canonical form's operations are the smallest among the orders listed. Rows with fewer
        orders than others repeat their first.
        """
        trees, orders = [], []
        for parents in itertools.product(*(range(k) for k in range(1, NODES + 1))):
            for mask in range(2**NODES):
                skips = [bool(mask & 1 << k) for k in range(NODES)]
                tree, found = _relabellings(_contract(parents, skips))
                trees.append(tree)
                orders.append(found)
        most = max(map(len, orders))
        padded = [(found + found[:1] * most)[:most] for found in orders]
        return torch.tensor(trees), torch.tensor(padded)


_BITS = 2 ** torch.arange(NODES)
_DECIMALS = 10 ** torch.arange(NODES - 1, -1, -1)
_OPERATION_COLUMNS, _PARENT_COLUMNS = (0, 1, 3, 5), (2, 4, 6)


def _split(x: Int[Tensor, "*B V"]) -> tuple[Int[Tensor, "*B 4"], Int[Tensor, "*B 4"]]:
    """Operations and parents of the nodes 1 to 4."""
    parents = nn.functional.pad(x[..., _PARENT_COLUMNS], (1, 0))
    return x[..., _OPERATION_COLUMNS], parents


def _join(operations: Int[Tensor, "*B 4"], parents: Int[Tensor, "*B 4"]) -> Int[Tensor, "*B V"]:
    """Inverse of `_split`."""
    o, p = operations.unbind(-1), parents.unbind(-1)
    return torch.stack([o[0], o[1], p[1], o[2], p[2], o[3], p[3]], dim=-1)


def _tree_code(parents: Int[Tensor, "*B 4"]) -> Int[Tensor, "*B"]:
    """Numbers the 24 lists of parents in lexicographic order."""
    return parents[..., 1] * 12 + parents[..., 2] * 4 + parents[..., 3]


def _contract(parents: Sequence[int], skips: Sequence[bool]) -> dict[int, int]:
    """Moves skips that change nothing to the front; returns every node's new parent.

    Skips with children go first, for they hand their place to their children: only then is it
    settled which of the other skips have siblings, and which hang off the input.
    """
    parent = dict(enumerate(parents, start=1))
    inner = {node for node in parent if skips[node - 1] and node in parents}

    def anchor(node: int) -> int:
        """Nearest ancestor that stays."""
        above = parent[node]
        return anchor(above) if above in inner else above

    anchors = {node: anchor(node) for node in parent if node not in inner}
    siblings = Counter(anchors.values())
    idle = inner | {
        node
        for node, above in anchors.items()
        if skips[node - 1] and (above == 0 or siblings[above] == 1)
    }
    chain = sorted(idle)
    front = chain[-1] if chain else 0
    moved = {node: above or front for node, above in anchors.items() if node not in idle}
    return moved | dict(zip(chain, [0, *chain], strict=False))


def _relabellings(parent: dict[int, int]) -> tuple[int, list[tuple[int, ...]]]:
    """Finds the tree among `TREES` and every order of the nodes that writes it."""
    for number, tree in enumerate(TREES):
        orders = [
            order
            for order in itertools.permutations(range(NODES))
            if all(
                parent[node + 1] == (order[above - 1] + 1 if above else 0)
                for node, above in zip(order, tree, strict=True)
            )
        ]
        if orders:
            return number, orders
    raise AssertionError("every tree of four nodes is listed")


def _layer(operation: str, width: int, hidden: int) -> nn.Module:
    from torch_geometric import nn as gnn

    match operation:
        case "gat":
            return gnn.GATConv(width, hidden // HEADS, heads=HEADS)
        case "gcn":
            return gnn.GCNConv(width, hidden)
        case "gin":
            return gnn.GINConv(nn.Linear(width, hidden))
        case "cheb":
            return gnn.ChebConv(width, hidden, K=2)
        case "sage":
            return gnn.SAGEConv(width, hidden)
        case "arma":
            return gnn.ARMAConv(width, hidden, num_layers=2, shared_weights=True)
        case "graph":
            return gnn.GraphConv(width, hidden)
        case "fc":
            return nn.Linear(width, hidden)
        case _:
            return nn.Identity()


class _Network(nn.Module):
    """Stem, four layers on a tree, head on the concatenated leaves."""

    def __init__(
        self, operations: list[int], parents: list[int], task: GraphTask, norms: bool
    ) -> None:
        super().__init__()
        hidden = task.hidden
        self.parents = parents
        self.weighted = [operation != SKIP for operation in operations]
        self.leaves = [k for k in range(1, NODES + 1) if k not in parents]
        self.stem = nn.Linear(task.features, hidden) if task.stem_layers else nn.Identity()
        widths = [hidden if task.stem_layers else task.features]
        layers = []
        for operation, parent in zip(operations, parents, strict=True):
            layers.append(_layer(OPERATIONS[operation], widths[parent], hidden))
            widths.append(hidden if operation != SKIP else widths[parent])
        self.layers = nn.ModuleList(layers)
        # Of what enters a layer; a trainer sets the probability.
        self.dropout = nn.Dropout(0.0)
        # The table counts a batch normalisation for skips too; theirs stays unused.
        self.norms = nn.ModuleList(
            nn.BatchNorm1d(hidden) if norms else nn.Identity() for _ in operations
        )
        joined = sum(widths[leaf] for leaf in self.leaves)
        head: list[nn.Module] = []
        if task.head_layers:
            head = [nn.Linear(joined, hidden), nn.ReLU()]
            joined = hidden
        self.head = nn.Sequential(*head, nn.Linear(joined, task.classes))

    def forward(
        self, x: Float[Tensor, "nodes features"], edge_index: Int[Tensor, "2 edges"]
    ) -> Float[Tensor, "nodes classes"]:
        states = [self.stem(x)]
        cells = zip(self.layers, self.norms, self.parents, self.weighted, strict=True)
        for layer, norm, parent, weighted in cells:
            state = states[parent]
            if weighted:
                plain, state = isinstance(layer, nn.Linear), self.dropout(state)
                state = layer(state) if plain else layer(state, edge_index)
                state = norm(state).relu()
            states.append(state)
        logits: Tensor = self.head(torch.cat([states[leaf] for leaf in self.leaves], dim=1))
        return logits
