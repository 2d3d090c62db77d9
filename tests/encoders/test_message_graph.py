import pytest
import torch

from vitruvius.encoders.layout import family
from vitruvius.encoders.message_graph import MessageGraph
from vitruvius.spaces import DeclaredSpace, Space, space

SHIPPED = ["nasbench101", "nasbench201", "nas-bench-graph", "mobilenetv3"]


@pytest.fixture(params=SHIPPED)
def shipped(request: pytest.FixtureRequest) -> Space:
    return space(request.param)


def expected_edges(space: Space, row: list[int]) -> set[tuple[int, int]]:
    """Edges among the nodes of the space, from what `Space.dag` draws."""
    if space.name == "mobilenetv3":  # its drawing leaves inactive slots out
        return set(space.skeleton)
    dag = space.dag(row)
    if space.name == "nas-bench-graph":  # its drawing joins leaves to the output
        return {edge for edge in dag.edges if edge[1] < 5}
    if space.name == "nasbench101":  # its drawing numbers present nodes only
        slots = [0, *(i for i in range(1, 6) if row[i - 1]), 6]
        return {(slots[i], slots[j]) for i, j in dag.edges}
    return {edge for edge in dag.edges if dag.role(*edge) != "absent"}


def test_hard_edges_are_those_of_the_dag(shipped: Space) -> None:
    graph, nodes = MessageGraph(shipped), len(shipped.nodes)
    x = shipped.sample(32, 0)
    _, edges = graph(graph.one_hot(x))
    assert set(edges.unique().tolist()) <= {0.0, 1.0}
    for row, weights in zip(x.tolist(), edges, strict=True):
        drawn = {(i, j) for i, j in weights.nonzero().tolist() if i < nodes and j < nodes}
        through = {
            (i, j)
            for m in range(nodes, graph.size)
            for i in weights[:, m].nonzero()[:, 0].tolist()
            for j in weights[m].nonzero()[:, 0].tolist()
        }
        assert drawn | through == expected_edges(shipped, row)


def test_words_are_the_labels(shipped: Space) -> None:
    graph = MessageGraph(shipped)
    x = shipped.sample(8, 0)
    features, _ = graph(graph.one_hot(x))
    assert features.shape == (8, graph.size, graph.features)
    words = features[..., : -graph.size]
    worded = [v for v in shipped.variables if v.kind not in ("edge", "parent")]
    local = sum(1 for v in worded if v.place)
    everywhere = (len(worded) - local) * graph.size
    assert torch.equal(words.sum((1, 2)), torch.full((8,), float(local + everywhere)))
    # Equal labels of one family are one word, wherever they are.
    named: dict[tuple[str, str], set[int]] = {}
    for v, variable in enumerate(shipped.variables):
        if variable.kind in ("edge", "parent") or not variable.place:
            continue
        for c, label in enumerate(variable.choices):
            changed = x[:1].clone()
            changed[0, v] = c
            other = x[:1].clone()
            other[0, v] = (c + 1) % variable.size
            pair = graph(graph.one_hot(torch.cat([changed, other])))[0]
            gained = (pair[0] - pair[1]).clamp(min=0)[:, : -graph.size].nonzero()
            assert len(gained) == 1
            named.setdefault((family(variable), label), set()).add(int(gained[0, 1]))
    assert all(len(found) == 1 for found in named.values())


def test_relaxed_form_interpolates_in_every_variable(shipped: Space) -> None:
    graph = MessageGraph(shipped)
    generator = torch.Generator().manual_seed(0)
    p = torch.rand(4, *shipped.choice_mask.shape, generator=generator) * shipped.choice_mask
    p = (p / p.sum(2, keepdim=True)).double()
    for v in range(0, len(shipped.variables), 3):
        corners = p.expand(3, *p.shape).clone()
        corners[0, :, v] = graph.one_hot(torch.zeros_like(p[:, :, 0]).long())[:, v].double()
        corners[2, :, v] = corners[0, :, v].roll(1, 1)
        corners[1, :, v] = 0.3 * corners[0, :, v] + 0.7 * corners[2, :, v]
        for low, middle, high in zip(*(graph(c) for c in corners), strict=True):
            torch.testing.assert_close(middle, 0.3 * low + 0.7 * high)


def test_gradients_reach_every_variable(shipped: Space) -> None:
    graph = MessageGraph(shipped)
    mask = shipped.choice_mask.float()
    p = (mask / mask.sum(1, keepdim=True)).repeat(2, 1, 1).requires_grad_()
    features, edges = graph(p)
    generator = torch.Generator().manual_seed(0)
    weights = torch.rand(features.shape, generator=generator)
    ((features * weights).sum() + edges.square().sum()).backward()
    assert p.grad is not None
    assert p.grad.abs().sum((0, 2)).gt(0).all()


def test_absent_nodes_pass_nothing() -> None:
    cells = space("nasbench101")
    x = torch.zeros(1, 26, dtype=torch.long)
    x[:, 0], x[:, 5:] = 1, 1  # one node is there, all edges are drawn
    graph = MessageGraph(cells)
    _, edges = graph(graph.one_hot(x))
    assert not edges[0, 2:6].any()
    assert not edges[0, :, 2:6].any()
    assert edges[0, 0, 1] == edges[0, 1, 6] == edges[0, 0, 6] == 1
    half = graph.one_hot(x)
    half[0, 1, :2] = 0.5  # half there, half absent
    assert graph(half)[1][0, 0, 2] == 0.5
    assert graph(half)[1][0, 1, 2] == 0.5


def test_none_on_an_edge_passes_nothing() -> None:
    cells = space("nasbench201")
    graph = MessageGraph(cells)
    x = torch.tensor([[0, 3, 3, 3, 3, 3]])
    _, edges = graph(graph.one_hot(x))
    assert edges[0, 0, 4] == edges[0, 4, 1] == 0
    assert edges[0, 0, 5] == edges[0, 5, 2] == 1


def test_graph_variables_are_on_every_node() -> None:
    declared = DeclaredSpace(
        {
            "name": "chip",
            "nodes": ["a", "b"],
            "skeleton": [[0, 1]],
            "variables": [
                {"name": "bits", "choices": [4, 8], "kind": "bits"},
                {"name": "op", "choices": ["x", "y"], "kind": "op", "place": [1]}
                | {"roles": {"y": "absent"}},
                {"name": "size", "choices": [1, 0], "kind": "size", "place": [1]}
                | {"roles": {0: "absent"}},
            ],
        }
    )
    graph = MessageGraph(declared)
    features, edges = graph(graph.one_hot(torch.tensor([[1, 0, 0], [1, 1, 0], [1, 0, 1]])))
    assert features[:, :, 1].eq(1).all()
    # Either choice takes the node away.
    assert edges[:, 0, 1].tolist() == [1.0, 0.0, 0.0]


def test_labels_have_no_meaning() -> None:
    """Nothing is read off a spelling, whichever way round."""
    variables = [
        {"name": "op", "choices": ["none", "absent"], "kind": "op", "place": [1]},
    ]
    declared = DeclaredSpace(
        {"name": "s", "nodes": ["a", "b"], "skeleton": [[0, 1]], "variables": variables}
    )
    graph = MessageGraph(declared)
    assert graph(graph.one_hot(torch.tensor([[0], [1]])))[1][:, 0, 1].tolist() == [1.0, 1.0]
