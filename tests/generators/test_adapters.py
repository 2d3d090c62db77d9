from pathlib import Path

import pytest
import torch

from vitruvius.core.errors import UnknownNameError, UsageError
from vitruvius.generators import load
from vitruvius.generators.adapters import adapt
from vitruvius.generators.diffusion import GraphDiffusion
from vitruvius.spaces import space

CELLS = space("nasbench201")
X = CELLS.enumerate()
PARAMS = CELLS.statistics(X)["params"]


@pytest.mark.slow
def test_what_weighs_more_is_proposed_more_often(tmp_path: Path) -> None:
    """The smallest tenth of the cells; what comes out stays valid and varied, and reloads."""
    base = load("nasbench201")
    before = base.propose(CELLS, 300, seed=0)
    small = PARAMS.le(PARAMS.quantile(0.1)).double()
    adapted = adapt(base, CELLS, X, small, steps=150)
    after = adapted.propose(CELLS, 300, seed=0)
    share = [
        float((CELLS.statistics(x)["params"] <= PARAMS.quantile(0.1)).double().mean())
        for x in (before.x, after.x)
    ]
    assert share[0] < 0.2
    assert share[1] > 0.6
    assert bool(after.valid.all())
    assert len(CELLS.hashes(after.x).unique()) > 60
    again = base.propose(CELLS, 300, seed=0)
    assert torch.equal(before.x, again.x), "the generator itself must not change"
    adapted.save_pretrained(tmp_path)
    for name, weight in GraphDiffusion.from_pretrained(tmp_path).denoiser.state_dict().items():
        assert torch.equal(weight, adapted.denoiser.state_dict()[name])


def test_only_the_adapters_change_the_weights_and_by_their_rank() -> None:
    base = load("nasbench201")
    adapted = adapt(base, CELLS, X, torch.ones(len(X)), rank=2, steps=3)
    changed = {
        name: weight - base.denoiser.state_dict()[name]
        for name, weight in adapted.denoiser.state_dict().items()
        if not torch.equal(weight, base.denoiser.state_dict()[name])
    }
    maps = {name: change for name, change in changed.items() if name != "bias_out.weight"}
    assert maps
    for name, change in maps.items():
        assert name.endswith("weight"), name
        assert torch.linalg.matrix_rank(change, rtol=1e-3) <= 2, name
    assert all(parameter.requires_grad for parameter in adapted.denoiser.parameters())


def test_the_same_seed_gives_the_same_weights() -> None:
    base = load("nasbench201")
    one, same, other = (
        adapt(base, CELLS, X, torch.ones(len(X)), steps=2, seed=seed).denoiser.state_dict()
        for seed in (0, 0, 1)
    )
    assert all(torch.equal(one[name], same[name]) for name in one)
    assert not all(torch.equal(one[name], other[name]) for name in one)


@pytest.mark.parametrize("weights", [torch.zeros(3), torch.tensor([1.0, -1.0, 1.0])])
def test_weights_that_mean_nothing_are_refused(weights: torch.Tensor) -> None:
    with pytest.raises(UsageError, match="Expected 3 weights"):
        adapt(load("nasbench201"), CELLS, X[:3], weights)


def test_a_space_it_was_not_trained_for_is_refused() -> None:
    graphs = space("nas-bench-graph")
    with pytest.raises(UnknownNameError):
        adapt(load("nasbench201"), graphs, graphs.sample(3, 0), torch.ones(3))
    with pytest.raises(UsageError, match="rank"):
        adapt(load("nasbench201"), CELLS, X[:3], torch.ones(3), rank=0)
