import torch

from vitruvius.encoders.features import one_hot, statistics
from vitruvius.spaces import DeclaredSpace, space


def test_one_hot_is_of_the_canonical_form() -> None:
    graphs = space("nas-bench-graph")
    x = graphs.sample(50, 0)
    features = one_hot(graphs, graphs.shuffle(x, 1))
    assert features.shape == (50, int(graphs.choice_mask.sum()))
    assert torch.equal(features, one_hot(graphs, x))
    assert (features.sum(1) == len(graphs.variables)).all()
    ends = graphs.choice_mask.sum(1).cumsum(0).tolist()
    for v, (start, end) in enumerate(zip([0, *ends], ends, strict=False)):
        assert torch.equal(features[:, start:end].argmax(1), x[:, v])


def test_statistics_are_logarithms() -> None:
    cells = space("nasbench201")
    x = cells.sample(5, 0)
    counts = cells.statistics(x)
    expected = torch.stack([counts[name].log1p() for name in ("depth", "macs", "params")], 1)
    torch.testing.assert_close(statistics(cells, x), expected.float())


def test_spaces_without_statistics() -> None:
    recipes = DeclaredSpace(
        {
            "name": "recipes",
            "nodes": ["training"],
            "variables": [{"name": "bits", "choices": [4, 8], "kind": "bits"}],
        }
    )
    assert statistics(recipes, recipes.sample(3, 0)).shape == (3, 0)
