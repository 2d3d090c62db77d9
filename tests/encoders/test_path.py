from collections import Counter
from itertools import pairwise

import pytest
import torch

from vitruvius.encoders.path import PathEncoding
from vitruvius.spaces import ProductSpace, Space, space

EVERY = ["nasbench201", "nasbench101", "nas-bench-graph", "mobilenetv3", "toy_recipe.yaml"]
CELL_PATHS = ((0, 3), (0, 1, 3), (0, 2, 3), (0, 1, 2, 3))


def test_cells_have_the_operations_along_four_paths() -> None:
    cells = space("nasbench201")
    x = cells.enumerate()[::7]
    edges = [variable.place for variable in cells.variables]
    brute: list[Counter[tuple[str, ...]]] = []
    for row in x.tolist():
        chosen = {
            place: variable.choices[index]
            for place, variable, index in zip(edges, cells.variables, row, strict=True)
        }
        paths = (tuple(chosen[edge] for edge in pairwise(nodes)) for nodes in CELL_PATHS)
        absent = cells.variables[0].choices[0]
        brute.append(Counter(path for path in paths if absent not in path))
    names: dict[tuple[str, ...], int] = {}
    for path in (path for paths in brute for path in paths):
        names.setdefault(path, len(names))
    expected = torch.zeros(len(x), len(names))
    for row_number, paths in enumerate(brute):
        for path, count in paths.items():
            expected[row_number, names[path]] = count
    ours = PathEncoding(cells).fit(x).transform(x)
    # The same columns in another order.
    assert sorted(ours.T.tolist()) == sorted(expected.T.tolist())


@pytest.mark.parametrize("name", ["nasbench201", "nasbench101", "nas-bench-graph"])
def test_isomorphic_encodings_count_alike(name: str) -> None:
    cells = space(name)
    x = cells.sample(300, 0)
    shuffled = cells.shuffle(x, 1)
    assert (x != shuffled).any(1).sum() > 20
    paths = PathEncoding(cells).fit(x)
    assert torch.equal(paths.transform(x), paths.transform(shuffled))


def test_paths_do_not_depend_on_the_encoding(monkeypatch: pytest.MonkeyPatch) -> None:
    """Even without the canonical form, which hides most of it."""
    cells = space("nasbench101")
    x = cells.sample(200, 0)
    monkeypatch.setattr(type(cells), "canonical", lambda self, rows: rows)
    paths = PathEncoding(cells)
    ours = paths.hashes(x).sort(1).values
    theirs = paths.hashes(type(cells).shuffle(cells, x, 1)).sort(1).values
    assert torch.equal(ours, theirs)


def test_trees_have_one_path_a_leaf() -> None:
    graphs = space("nas-bench-graph")
    x = graphs.enumerate()[::11]
    leaves = [sum(j == 5 for _, j in graphs.dag(row).edges) for row in x.tolist()]
    assert (PathEncoding(graphs).hashes(x) != 0).sum(1).tolist() == leaves


def test_a_chain_is_one_path_and_a_choice_for_the_whole_graph_another() -> None:
    nets = space("mobilenetv3")
    paths = PathEncoding(nets)
    assert not paths.branches
    x = nets.sample(20, 0)
    assert (paths.hashes(x) != 0).sum(1).tolist() == [2] * 20
    other = x.clone()
    other[:, 0] = (other[:, 0] + 1) % 25
    same = paths.hashes(x)[:, :, None] == paths.hashes(other)[:, None]
    assert same.any(2).sum(1).tolist() == [1] * 20


@pytest.mark.parametrize("name", EVERY)
def test_frequent_paths_come_first(name: str) -> None:
    cells = space(name)
    x = cells.sample(200, 0)
    paths = PathEncoding(cells, limit=16).fit(x)
    counts = paths.transform(x).sum(0)
    assert len(counts) <= 16
    assert torch.equal(counts, counts.sort(descending=True).values)
    whole = PathEncoding(cells, limit=10**6).fit(x)
    assert torch.equal(whole.transform(x)[:, : len(counts)], paths.transform(x))
    assert torch.equal(whole.transform(x).sum(1), (whole.hashes(x) != 0).sum(1).float())


@pytest.mark.parametrize("name", EVERY)
def test_rows_are_encoded_alone(name: str) -> None:
    cells = space(name)
    x = cells.sample(8, 0)
    paths = PathEncoding(cells).fit(x)
    together = paths.transform(x)
    for i in range(8):
        assert torch.equal(paths.transform(x[i : i + 1])[0], together[i])
    assert paths.transform(x[:0]).shape == (0, together.shape[1])


def test_a_product_has_the_paths_of_its_parts() -> None:
    cells, graphs = space("nasbench201"), space("nas-bench-graph")
    pair: Space = ProductSpace(name="pair", parts={"cell": cells, "graph": graphs})
    x = pair.sample(50, 0)
    parts = [PathEncoding(cells).hashes(x[:, :6]), PathEncoding(graphs).hashes(x[:, 6:])]
    expected = sum((part != 0).sum(1) for part in parts)
    assert torch.equal((PathEncoding(pair).hashes(x) != 0).sum(1), expected)


def test_nothing_fitted_encodes_nothing() -> None:
    cells = space("nasbench201")
    nothing = torch.zeros(1, 6, dtype=torch.long)
    assert PathEncoding(cells).fit(nothing).transform(cells.sample(3, 0)).shape == (3, 0)
