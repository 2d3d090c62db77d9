import networkx as nx
import pytest
import torch

from vitruvius.encoders.weisfeiler_lehman import WeisfeilerLehman
from vitruvius.spaces import Space, space


@pytest.fixture
def cells() -> Space:
    return space("nasbench101")


def test_isomorphic_encodings_count_alike(cells: Space) -> None:
    x = cells.sample(200, 0)
    shuffled = cells.shuffle(x, 1)
    assert (x != shuffled).any(1).sum() > 50
    features = WeisfeilerLehman(cells, 2).fit(x)
    assert torch.equal(features.transform(x), features.transform(shuffled))


def test_labels_do_not_depend_on_the_encoding(
    cells: Space, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Even without the canonical form, which hides most of it."""
    x = cells.sample(200, 0)
    x = x[cells.statistics(x)["depth"] > 0]
    features = WeisfeilerLehman(cells, 2)
    monkeypatch.setattr(type(cells), "canonical", lambda self, rows: rows)
    ours, theirs = features.refine(x), features.refine(type(cells).shuffle(cells, x, 1))
    for a, b in zip(ours, theirs, strict=True):
        assert torch.equal(a.sort(1).values, b.sort(1).values)


def test_different_cells_count_differently(cells: Space) -> None:
    x = cells.sample(600, 0).unique(dim=0)
    features = WeisfeilerLehman(cells, 3).fit(x)
    counts = features.transform(x)
    distinct = counts.unique(dim=0)
    # 1-WL cannot tell all graphs apart, but nearly all of these.
    assert len(distinct) >= 0.99 * len(x)


def test_cells_it_tells_apart_are_not_isomorphic(cells: Space) -> None:
    x = cells.sample(40, 0)
    x = torch.cat([x, cells.shuffle(x, 1)])
    counts = WeisfeilerLehman(cells, 3).fit(x).transform(x)
    graphs = [cells.dag(row).to_networkx() for row in cells.canonical(x).tolist()]
    for i in range(len(x)):
        for j in (i + 1) % len(x), (i + 40) % len(x):
            same = nx.is_isomorphic(graphs[i], graphs[j], lambda a, b: a["op"] == b["op"])
            assert same == torch.equal(counts[i], counts[j])


@pytest.mark.parametrize("name", ["nasbench201", "nasbench101", "nas-bench-graph"])
def test_no_round_counts_operations(name: str) -> None:
    cells = space(name)
    x = cells.sample(100, 0)
    counts = WeisfeilerLehman(cells, 0).fit(x).transform(x)
    ops = [v for v, variable in enumerate(cells.variables) if variable.kind == "op"]
    sorted_ops = x[:, ops].sort(1).values
    for i in range(0, 99):
        assert torch.equal(counts[i], counts[i + 1]) == torch.equal(
            sorted_ops[i], sorted_ops[i + 1]
        )


def test_counts_count_nodes(cells: Space) -> None:
    x = cells.sample(20, 0)
    features = WeisfeilerLehman(cells, 2).fit(x)
    counts = features.transform(x)
    assert torch.equal(counts.sum(1), torch.full((20,), 3.0 * features.graph.size))
    # Labels never seen when fitted are left out.
    assert features.transform(cells.sample(20, 1)).sum() < 20 * 3 * features.graph.size


def test_whether_an_operation_is_reached_shows() -> None:
    """The 1x1 convolution hangs from the first sum, which holds something only once."""
    cells = space("nasbench201")
    x = torch.tensor([[0, 0, 2, 3, 0, 0], [0, 0, 2, 0, 3, 0]])
    first, second = WeisfeilerLehman(cells, 1).refine(cells.canonical(x))[1]
    assert set(first.tolist()) != set(second.tolist())


def test_wordless_nodes_speak() -> None:
    """An edge that leads to a sum differs from one that leads nowhere after a single round."""
    features = WeisfeilerLehman(space("nasbench201"), 1)
    level = features.refine(torch.zeros(1, 6, dtype=torch.long))[0][0]
    assert (level != 0).all()
