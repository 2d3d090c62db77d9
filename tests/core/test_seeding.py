import torch

from vitruvius.core.seeding import generators_for, make_generator
from vitruvius.testing.second_device import second_device


def test_one_generator_serves_the_cpu() -> None:
    cpu = torch.device("cpu")
    given = make_generator(3)
    assert generators_for(given, cpu) == (given, given)
    host, there = generators_for(3, cpu)
    assert host is there
    assert host.initial_seed() == 3


def test_each_device_has_its_own() -> None:
    with second_device() as device:
        for seed in (3, None, make_generator(3), make_generator(3, device)):
            host, there = generators_for(seed, device)
            assert (host.device, there.device) == (torch.device("cpu"), device)
        draws = [torch.rand(3, generator=generators_for(5, device)[0]) for _ in range(2)]
        assert torch.equal(*draws)
        # What is given goes on: two calls in a row differ.
        given = make_generator(3)
        one, other = (generators_for(given, device)[1].initial_seed() for _ in range(2))
        assert one != other
