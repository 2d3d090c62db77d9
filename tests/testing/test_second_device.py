from collections.abc import Callable
from copy import deepcopy

import pytest
import torch
from torch import nn

from vitruvius.core.device import resolve_device
from vitruvius.testing.second_device import SECOND, second_device


def test_what_is_moved_or_made_there_stays_there() -> None:
    network = nn.Sequential(nn.Linear(2, 3), nn.LayerNorm(3))
    with second_device() as device:
        network.to(device)
        copied = deepcopy(network)
        x = torch.zeros(4, 2, device=device)
        assert network(x).device == copied(x)[0].device == x.new_zeros(2).device == SECOND
        optimizer = torch.optim.AdamW(network.parameters())
        network(x).sum().backward()
        nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        optimizer.step()
        weight = network[0].weight
        assert isinstance(weight, nn.Parameter)
        assert weight.grad is not None
        assert weight.grad.device == next(copied.parameters()).device == SECOND
        assert resolve_device(str(SECOND)) == SECOND
        assert network.cpu()(torch.zeros(4, 2)).device == torch.zeros(1).device


def test_moving_copies() -> None:
    here = torch.zeros(2)
    with second_device() as device:
        here.to(device).add_(1.0)
    assert here.tolist() == [0.0, 0.0]


@pytest.mark.parametrize(
    "mix",
    [
        lambda here, there: here + there,
        lambda here, there: torch.cat([here, there]),
        lambda here, there: here[there.long()],
        lambda here, there: there.__setitem__(0, here[:1]),
        lambda here, there: there.exponential_(generator=torch.Generator()),
        lambda here, there: torch.rand(2, generator=torch.Generator(device=there.device)),
    ],
)
def test_devices_do_not_mix(mix: Callable[[torch.Tensor, torch.Tensor], object]) -> None:
    with second_device() as device:
        here, there = torch.zeros(3), torch.zeros(3, device=device)
        with pytest.raises(RuntimeError):
            mix(here, there)


def test_single_numbers_and_copies_cross() -> None:
    with second_device() as device:
        there = torch.zeros(3, device=device) + torch.tensor(1.0)
        assert there.copy_(torch.ones(3)).device == device
        assert there.sum().item() == 3.0
        with pytest.raises(TypeError, match="numpy"):
            there.numpy()


def test_generators_are_of_their_device() -> None:
    plain = torch.Generator()
    with second_device() as device:
        chance = torch.Generator(device=device)
        assert isinstance(chance, torch.Generator)
        assert isinstance(plain, torch.Generator)
        assert chance.device == device
    assert type(torch.Generator()) is type(plain)
