from pathlib import Path

import pytest
import torch
from scipy.stats import kendalltau
from torch import Tensor

from vitruvius.core.errors import UsageError
from vitruvius.encoders import autoencoding
from vitruvius.encoders.autoencoder import Autoencoder
from vitruvius.encoders.autoencoding import (
    Labelled,
    new_autoencoder,
    pretrained,
    train_autoencoder,
)
from vitruvius.spaces import Space, space


@pytest.fixture(scope="module")
def cells() -> Space:
    return space("nasbench201")


def labelled(cells: Space, n: int = 60) -> Labelled:
    x = cells.sample(n, 0)
    params = cells.statistics(x)["params"]
    z = ((params - params.mean()) / params.std()).float()
    return Labelled(x, z, torch.ones(n))


def trained(cells: Space, seed: int = 0, **options: float) -> Autoencoder:
    network = new_autoencoder(cells, width=16, seed=seed)
    train_autoencoder(
        network, cells, cells.enumerate(), labelled=labelled(cells), steps=8, seed=seed, **options
    )
    return network


@pytest.mark.parametrize("labels", [0, 60])
def test_resumed_training_ends_as_a_straight_run(
    cells: Space, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, labels: int
) -> None:
    """Interrupted right after a checkpoint, and some steps after it."""
    monkeypatch.setattr(autoencoding, "EVERY", 3)
    told = labelled(cells, labels) if labels else None

    def train(network: Autoencoder, checkpoint: Path | None = None) -> list[float]:
        return train_autoencoder(
            network, cells, cells.enumerate(), labelled=told, steps=8, checkpoint=checkpoint
        )

    straight, shuffles = new_autoencoder(cells, width=8), []
    losses = train(straight)

    def interrupted(x: Tensor, generator: torch.Generator) -> Tensor:
        shuffles.append(len(x))
        if len(shuffles) in (5, 9):
            raise KeyboardInterrupt
        return shuffle(x, generator)

    shuffle = cells.shuffle
    with monkeypatch.context() as patch:
        patch.setattr(cells, "shuffle", interrupted)
        for seed in (0, 1):
            with pytest.raises(KeyboardInterrupt):
                train(new_autoencoder(cells, width=8, seed=seed), tmp_path)
    resumed = new_autoencoder(cells, width=8, seed=2)
    assert train(resumed, tmp_path) == losses
    for ours, theirs in zip(resumed.parameters(), straight.parameters(), strict=True):
        assert torch.equal(ours, theirs)


def test_the_same_seed_gives_the_same_network(cells: Space) -> None:
    torch.manual_seed(3)
    before = torch.get_rng_state()
    one, two, other = trained(cells), trained(cells), trained(cells, seed=1)
    assert torch.equal(torch.get_rng_state(), before)
    for name, weight in one.state_dict().items():
        assert torch.equal(weight, two.state_dict()[name])
    assert not torch.equal(one.embed.weight, other.embed.weight)
    assert not one.training


def test_the_trade_off_weighs_the_two_losses(cells: Space) -> None:
    """At its ends one of the two parts learns nothing; decay alone shrinks its weights."""
    fresh = new_autoencoder(cells, width=16)
    for trade_off, still, moving in ((1.0, "decoder", "head"), (0.0, "head", "decoder")):
        network = trained(cells, trade_off=trade_off)

        def turned(part: str, network: Autoencoder = network) -> float:
            a, b = (getattr(n, part)[0].weight.detach() for n in (network, fresh))
            return 1 - float(torch.cosine_similarity(a.flatten(), b.flatten(), dim=0))

        assert turned(still) < 1e-6
        assert turned(moving) > 1e-4


def test_labels_reach_all_encodings_of_a_class(cells: Space) -> None:
    network = new_autoencoder(cells, width=32)
    few = labelled(cells, 150)
    losses = train_autoencoder(network, cells, cells.enumerate(), labelled=few, steps=100)
    assert losses[-1] < 0.2 * losses[0]
    x = cells.enumerate()[::7]
    truth = cells.statistics(x)["params"]
    with torch.no_grad():
        canonical = network.score(network.encode(x))
        shuffled = network.score(network.encode(cells.shuffle(x, 0)))
    for score in (canonical, shuffled):
        assert kendalltau(score.numpy(), truth.numpy()).statistic > 0.7


def test_labels_that_do_not_count_teach_nothing(cells: Space) -> None:
    few = labelled(cells)
    none = Labelled(few.x, few.z, torch.zeros(len(few.x)))
    moved = Labelled(few.x, few.z + 5, torch.zeros(len(few.x)))
    networks = [new_autoencoder(cells, width=16) for _ in range(2)]
    for network, labels in zip(networks, (none, moved), strict=True):
        train_autoencoder(network, cells, cells.enumerate(), labelled=labels, steps=4)
    for name, weight in networks[0].state_dict().items():
        assert torch.equal(weight, networks[1].state_dict()[name])


def test_nothing_to_learn_is_refused(cells: Space) -> None:
    network = new_autoencoder(cells, width=8)
    for rows, steps in ((cells.sample(0, 0), 5), (cells.sample(3, 0), 0)):
        with pytest.raises(UsageError, match="at least 1 step and architecture"):
            train_autoencoder(network, cells, rows, steps=steps)


def test_a_space_is_learnt_once(cells: Space) -> None:
    assert pretrained(cells, 1) is pretrained(cells, 1)
    assert pretrained(cells, 1) is not pretrained(cells, 2)
