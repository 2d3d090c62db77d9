import pytest
import torch
from torch import Tensor

from vitruvius.encoders.ascent import ascend
from vitruvius.encoders.autoencoder import Autoencoder
from vitruvius.encoders.autoencoding import Labelled, new_autoencoder, train_autoencoder
from vitruvius.spaces import Space, space


@pytest.fixture(scope="module")
def cells() -> Space:
    return space("nasbench201")


@pytest.fixture(scope="module")
def network(cells: Space) -> Autoencoder:
    """Knows parameters."""
    x = cells.sample(200, 0)
    params = cells.statistics(x)["params"]
    z = ((params - params.mean()) / params.std()).float()
    made = new_autoencoder(cells, width=32)
    train_autoencoder(
        made, cells, cells.enumerate(), labelled=Labelled(x, z, torch.ones(200)), steps=150
    )
    return made


def test_most_seeds_become_better(cells: Space, network: Autoencoder) -> None:
    seeds = cells.sample(100, 1)
    ended = ascend(network, cells, seeds, network.score)
    assert bool(cells.is_valid(ended.x).all())
    assert ended.invalid == 0
    before, after = (cells.statistics(x)["params"] for x in (seeds, ended.x))
    assert float((after > before).double().mean()) > 0.8
    with torch.no_grad():
        score = [network.score(network.encode(x)) for x in (seeds, ended.x)]
    assert bool((score[1] > score[0])[ended.moved].all())
    assert torch.equal(ended.x[~ended.moved], seeds[~ended.moved])
    assert bool((cells.hashes(ended.x) != cells.hashes(seeds))[ended.moved].all())


def test_the_other_way_makes_them_worse(cells: Space, network: Autoencoder) -> None:
    seeds = cells.sample(50, 1)
    ended = ascend(network, cells, seeds, lambda e: -network.score(e))
    before, after = (cells.statistics(x)["params"] for x in (seeds, ended.x))
    assert float((after < before).double().mean()) > 0.8


def test_excluded_architectures_are_passed_over(cells: Space, network: Autoencoder) -> None:
    seeds = cells.sample(30, 2)
    first = ascend(network, cells, seeds, network.score)
    known = cells.hashes(first.x)
    again = ascend(network, cells, seeds, network.score, excluded=known)
    assert bool(first.moved.any())
    assert not bool(torch.isin(cells.hashes(again.x[again.moved]), known).any())


def test_where_nothing_is_better_nothing_moves(cells: Space, network: Autoencoder) -> None:
    seeds = cells.sample(10, 0)

    def flat(e: Tensor) -> Tensor:
        return 0.0 * e.sum(1)

    ended = ascend(network, cells, seeds, flat)
    assert not bool(ended.moved.any())
    assert torch.equal(ended.x, seeds)


def test_no_seeds(cells: Space, network: Autoencoder) -> None:
    assert ascend(network, cells, cells.sample(0, 0), network.score).x.shape == (0, 6)


def test_constraints_hold_on_the_way() -> None:
    cells = space("nasbench101")
    network = new_autoencoder(cells, width=8)
    ended = ascend(network, cells, cells.sample(20, 0), lambda e: e[:, 0])
    assert bool(cells.is_valid(ended.x).all())
    assert ended.invalid == 0
