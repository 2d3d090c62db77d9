import itertools
import math
from collections.abc import Callable

import numpy as np
import pytest
import torch
from hypothesis import given, settings, strategies as st
from torch import Tensor, nn

from vitruvius.core.errors import ArchitectureError
from vitruvius.spaces import ImageTask
from vitruvius.spaces.cnn._nasbench101_decoding import _matchings
from vitruvius.spaces.cnn._nasbench101_layout import EDGES, INNER, prune
from vitruvius.spaces.cnn.nasbench101 import NASBench101
from vitruvius.testing import SpaceContract, decode_at_random

CELLS = NASBench101()
seeds = st.integers(0, 2**31)


class TestContract(SpaceContract):
    @pytest.fixture
    def space(self) -> NASBench101:
        return CELLS

    @pytest.fixture
    def task(self) -> ImageTask:
        return ImageTask(classes=3, channels=1, resolution=8)


def test_number_of_cells_by_size() -> None:
    rows = CELLS.enumerate()
    assert len(rows) == 423_624
    # Cells of 2 to 5 nodes: 1, 6, 84 and 2,441.
    sizes = torch.bincount((rows[:, :INNER] != 0).sum(1))
    assert sizes[:4].cumsum(0).tolist() == [1, 7, 91, 2532]
    assert CELLS.is_valid(rows).all()


def test_canonical_form_by_brute_force() -> None:
    """Smallest row over all relabellings that keep edges leading forward and absent nodes last."""
    for row in CELLS.shuffle(CELLS.sample(40, 0), 0).tolist():
        edge = dict(zip(EDGES, row[INNER:], strict=True))
        best = []
        for order in itertools.permutations(range(1, 6)):
            old = [0, *order, 6]
            if any(edge[min(a, b), max(a, b)] for a, b in itertools.combinations(old, 2) if a > b):
                continue
            labels = [row[i - 1] for i in order]
            if sorted(labels, key=lambda label: label == 0) == labels:
                pairs = [edge.get((old[i], old[j]), 0) for i, j in EDGES]
                best.append([*labels, *pairs])
        assert CELLS.canonical(torch.tensor([row]))[0].tolist() == min(best)


def _row(operations: list[int], *edges: tuple[int, int]) -> Tensor:
    labels = operations + [0] * (INNER - len(operations))
    return torch.tensor([[*labels, *(int(pair in edges) for pair in EDGES)]])


def test_dangling_nodes_are_pruned() -> None:
    clean = _row([2], (0, 1), (1, 6))
    dangling = _row([2, 1, 3], (0, 1), (1, 6), (0, 2), (3, 6))
    assert CELLS.is_valid(dangling).all()
    assert torch.equal(CELLS.canonical(dangling), CELLS.canonical(clean))
    assert CELLS.statistics(dangling) == CELLS.statistics(clean)


@pytest.mark.parametrize(
    "row",
    [
        _row([2], (0, 1)),  # no path
        _row([0, 2], (0, 2), (2, 6)),  # absent before present
        _row([2], (0, 1), (1, 6), (0, 3)),  # an edge at an absent node
        _row([1] * 5, *[(i, j) for i, j in EDGES if i == 0 or j == 6]),  # eleven edges on paths
    ],
)
def test_invalid_rows(row: Tensor) -> None:
    assert not CELLS.is_valid(row).any()


def test_edges_that_are_pruned_do_not_count() -> None:
    row = _row([1] * 5, *[(i, j) for i, j in EDGES if i > 0 and j < 6], (0, 1), (1, 6))
    assert row[0, INNER:].sum() == 12
    assert CELLS.is_valid(row).all()


@settings(max_examples=20, deadline=None)
@given(seeds)
def test_random_decoding_gives_valid_cells_with_nothing_to_prune(seed: int) -> None:
    x = decode_at_random(CELLS, 256, seed)
    assert CELLS.is_valid(x).all()
    operations, edges = prune(x[:, :INNER], x[:, INNER:] == 1)
    assert torch.equal(operations, x[:, :INNER])
    assert torch.equal(edges, x[:, INNER:] == 1)


@settings(max_examples=20, deadline=None)
@given(seeds, st.floats(0, 1))
def test_every_cell_can_be_decoded(seed: int, share: float) -> None:
    x = CELLS.shuffle(CELLS.sample(256, seed), seed)
    known = torch.rand(x.shape, generator=torch.Generator().manual_seed(seed)) < share
    assert CELLS.allowed(x, known).gather(2, x[..., None]).all()


def test_contradictions_leave_all_choices() -> None:
    x = _row([0, 1], *EDGES)
    everything = torch.ones_like(x, dtype=torch.bool)
    everything[:, -1] = False
    assert torch.equal(CELLS.allowed(x, everything)[0, -1], CELLS.choice_mask[-1])


@pytest.mark.slow
def test_matchings_by_networkx() -> None:
    import networkx as nx

    for mask in torch.randint(1 << len(EDGES), (50,), generator=torch.Generator().manual_seed(0)):
        graph = nx.Graph()
        graph.add_nodes_from(("out", i) for i in range(6))
        pairs = [pair for e, pair in enumerate(EDGES) if mask >> e & 1]
        graph.add_edges_from((("out", i), ("in", j)) for i, j in pairs)
        top = [node for node in graph if node[0] == "out"]
        expected = len(nx.bipartite.maximum_matching(graph, top)) // 2
        assert _matchings()[mask] == expected


def test_shuffle_reaches_every_order() -> None:
    diamond = _row([1, 2], (0, 1), (0, 2), (1, 6), (2, 6)).repeat(64, 1)
    labels = CELLS.shuffle(diamond, 0)[:, :2].unique(dim=0)
    assert labels.tolist() == [[1, 2], [2, 1]]


def test_neighbours_grow_and_shrink() -> None:
    row = CELLS.rows(["ops=conv3x3-bn-relu,maxpool3x3;adj=100|10|1"])[0]
    found = {str(architecture) for architecture in CELLS.architectures(CELLS.neighbours(row))}
    assert "ops=maxpool3x3;adj=10|1" in found
    sizes = {text.count(",") + 1 for text in found if not text.startswith("ops=;")}
    assert sizes == {1, 2, 3}


@settings(max_examples=10, deadline=None)
@given(seeds)
def test_growing_can_be_undone(seed: int) -> None:
    row = CELLS.sample(1, seed)[0]
    size = int((row[:INNER] != 0).sum())
    grown = CELLS.neighbours(row)
    grown = grown[(grown[:, :INNER] != 0).sum(1) == size + 1][:5]
    key = CELLS.keys(row[None])[0]
    assert all(key in CELLS.keys(CELLS.neighbours(other)) for other in grown)


def test_matrices() -> None:
    matrix = [[0, 1, 0], [0, 0, 1], [0, 0, 0]]
    cell = CELLS.from_matrix(matrix, ["input", "maxpool3x3", "output"])
    assert str(cell) == "ops=maxpool3x3;adj=10|1"


@pytest.mark.parametrize(
    ("matrix", "ops", "why"),
    [
        ([[0, 1], [0, 0]], ["input", "maxpool3x3", "output"], "3 x 3 matrix, got rows of 2, 2"),
        ([[0, 1], [0, 0]], ["input", "maxpool3x3"], "the last 'output'"),
        ([[0, 2], [0, 0]], ["input", "output"], "0 and 1 only"),
        ([[0, 1], [1, 0]], ["input", "output"], "has a cycle"),
        (
            [[0, 0, 1, 0], [0, 0, 0, 1], [0, 1, 0, 0], [0, 0, 0, 0]],
            ["input", "maxpool3x3", "maxpool3x3", "output"],
            "not upper triangular",
        ),
        (np.triu(np.ones((8, 8)), 1), ["input", *["maxpool3x3"] * 6, "output"], "at most 5"),
        ([[0, 1, 0], [0, 0, 1], [0, 0, 0]], ["input", "conv", "output"], "no operation 'conv'"),
        (np.triu(np.ones((7, 7)), 1), ["input", *["maxpool3x3"] * 5, "output"], "constraint"),
    ],
)
def test_matrices_that_are_no_cells(matrix: list[list[int]], ops: list[str], why: str) -> None:
    with pytest.raises(ArchitectureError, match=why):
        CELLS.from_matrix(matrix, ops)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("conv3x3-bn-relu", "expected 'ops"),
        ("ops=conv3x3-bn-relu;adj=10", "1 operations take rows of 2, 1"),
        ("ops=conv3x3-bn-relu;adj=010|001|000", "upper triangle"),
        ("ops=conv3x3-bn-relu;adj=12|1", "0 and 1"),
        ("ops=conv;adj=10|1", "no operation 'conv'"),
        ("ops=absent;adj=10|1", "no operation 'absent'"),
        ("ops=maxpool3x3;adj=10|0", "constraint"),
    ],
)
def test_unreadable_strings(text: str, why: str) -> None:
    with pytest.raises(ArchitectureError, match=why):
        CELLS.architecture(text)


def test_multiply_adds_of_running_modules(
    multiply_adds: Callable[[nn.Module, Tensor], float],
) -> None:
    task = ImageTask(classes=7, channels=2, resolution=9)
    x = CELLS.sample(4, 0)
    ran = [multiply_adds(CELLS.build(row, task), torch.randn(1, 2, 9, 9)) for row in x]
    assert ran == CELLS.statistics(x, task)["macs"].tolist()


def _matrices(table: dict[str, np.ndarray]) -> list[tuple[list[list[int]], list[str]]]:
    found = []
    for text, labels in zip(table["adj"].tolist(), table["ops"].tolist(), strict=True):
        size = math.isqrt(len(text))
        lines = [list(map(int, text[i * size : (i + 1) * size])) for i in range(size)]
        found.append((lines, labels.split(",")))
    return found


def test_published_counts(load_table: Callable[[str], dict[str, np.ndarray]]) -> None:
    table = load_table("nb101_ecnas_recovered")
    cells = [CELLS.from_matrix(*pair) for pair in _matrices(table)]
    params = CELLS.statistics(torch.tensor([cell.indices for cell in cells]))["params"]
    assert params.tolist() == table["n_params"].tolist()
    assert len(set(cells)) == len(set(table["hash"].tolist()))


@pytest.mark.slow
def test_published_cells_are_distinct(
    load_table: Callable[[str], dict[str, np.ndarray]],
) -> None:
    table = load_table("nb101_2500")
    assert len({CELLS.from_matrix(*pair) for pair in _matrices(table)}) == len(table["hash"])
