import pytest
import torch

from vitruvius.encoders.layout import RELATIONS, Layout, Vocabulary, family
from vitruvius.spaces import Space, Variable, names, space

# How the second of two tokens stands to the first, where the first stands so to the second.
CONVERSE = {
    "self": "self",
    "graph": "graph",
    "node before node": "node after node",
    "source of edge": "edge from node",
    "target of edge": "edge into node",
    "edges share source": "edges share source",
    "edges share target": "edges share target",
    "edge continues edge": "edge precedes edge",
    "apart": "apart",
}
CONVERSE |= {b: a for a, b in CONVERSE.items()}


@pytest.fixture(params=["nasbench101", "nasbench201", "nas-bench-graph", "mobilenetv3"])
def shipped(request: pytest.FixtureRequest) -> Space:
    return space(request.param)


def test_relations_by_hand() -> None:
    places = [(), (0,), (1,), (0, 1), (1, 2), (0, 2), (2, 3)]
    layout = Layout.of([Variable(f"v{p}", ("a", "b"), "op", p) for p in places])

    def relation(a: tuple[int, ...], b: tuple[int, ...]) -> str:
        return RELATIONS[int(layout.relation[layout.places.index(a), layout.places.index(b)])]

    assert relation((), (0, 1)) == "graph"
    assert relation((0,), (1,)) == "node before node"
    assert relation((0,), (0, 1)) == "source of edge"
    assert relation((1,), (0, 1)) == "target of edge"
    assert relation((1, 2), (1,)) == "edge from node"
    assert relation((0, 1), (1,)) == "edge into node"
    assert relation((0, 1), (0, 2)) == "edges share source"
    assert relation((0, 2), (1, 2)) == "edges share target"
    assert relation((1, 2), (0, 1)) == "edge continues edge"
    assert relation((0, 1), (1, 2)) == "edge precedes edge"
    assert relation((0, 1), (2, 3)) == "apart"
    assert relation((1,), (2, 3)) == "apart"


def test_relations_have_converses(shipped: Space) -> None:
    relation = Layout.of(shipped.variables).relation
    for i, row in enumerate(relation.tolist()):
        for j, number in enumerate(row):
            assert CONVERSE[RELATIONS[number]] == RELATIONS[int(relation[j, i])]
            assert (RELATIONS[number] == "self") == (i == j)


def test_tokens_are_the_places(shipped: Space) -> None:
    layout = Layout.of(shipped.variables)
    assert len(set(layout.places)) == len(layout.places)
    for variable, token in zip(shipped.variables, layout.token.tolist(), strict=True):
        assert layout.places[token] == variable.place
        assert int(layout.kind[token]) == len(variable.place)
    assert torch.equal(layout.choices, shipped.choice_mask)


def test_places_are_in_topological_order(shipped: Space) -> None:
    places = Layout.of(shipped.variables).places
    ends = [place[-1] if place else -1 for place in places]
    assert ends == sorted(ends)


def test_one_word_for_one_thing() -> None:
    schemas = [space(name).variables for name in names() if name != "product"]
    vocabulary = Vocabulary(schemas)
    where: dict[int, set[tuple[str, str]]] = {}
    for schema in schemas:
        for variable, row in zip(schema, vocabulary.ids(schema).tolist(), strict=True):
            for choice, word in zip(variable.choices, row, strict=False):
                where.setdefault(word, set()).add((family(variable), choice))
            assert len(set(row[variable.size :])) == 1  # padding is the mask word
            where.setdefault(row[-1], set()).add((family(variable), "masked"))
    assert all(len(meanings) == 1 for meanings in where.values())
    meanings = [next(iter(found)) for found in where.values()]
    assert len(set(meanings)) == len(meanings) == len(vocabulary)


def test_spaces_share_words() -> None:
    a = [Variable("op_1", ("conv", "pool"), "op", (1,))]
    b = [Variable("op_7", ("pool", "skip"), "op", (7,)), Variable("size", ("pool",), "size")]
    vocabulary = Vocabulary([a, b])
    first, second = vocabulary.ids(a), vocabulary.ids(b)
    assert first[0, 1] == second[0, 0]
    assert first[0, -1] == second[0, -1]
    assert second[1, 0] != second[0, 0]
    assert len(vocabulary) == 4 + 2
