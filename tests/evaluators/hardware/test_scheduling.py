import itertools
from statistics import mean

import pytest
import torch
from hypothesis import given, strategies as st

from vitruvius.core.errors import UsageError
from vitruvius.evaluators.hardware.scheduling import (
    Schedule,
    Workload,
    best_schedule,
    exact_schedule,
)

INFINITE = float("inf")


def drawn(seed: int, networks: tuple[int, ...], parts: int = 2, transfer: float = 0.0) -> Workload:
    """Layers that differ by a factor of ten; what is quicker takes more energy or less."""
    chance = torch.Generator().manual_seed(seed)
    shape = (sum(networks), parts)
    cycles = 10 ** torch.rand(shape, generator=chance, dtype=torch.float64) * 100
    energy = 10 ** torch.rand(shape, generator=chance, dtype=torch.float64) * 100
    return Workload(cycles, energy, networks, torch.full((shape[0],), transfer).double())


def check(workload: Workload, told: Schedule) -> None:
    """Nothing overlaps, nobody is ahead of who is waited for, and the sums are right."""
    taken = workload.cycles.gather(1, told.where[:, None])[:, 0]
    assert torch.allclose(told.finish - told.start, taken)
    assert told.makespan == float(told.finish.max())
    assert told.energy == pytest.approx(float(workload.energy.gather(1, told.where[:, None]).sum()))
    for layer, previous in enumerate(workload.before.tolist()):
        if previous >= 0:
            moved = told.where[layer] != told.where[previous]
            waits = float(workload.transfer[layer]) if moved else 0.0
            assert told.start[layer] >= told.finish[previous] + waits - 1e-9
    for a, b in itertools.combinations(range(len(told.where)), 2):
        if told.where[a] == told.where[b]:
            apart = told.finish[a] <= told.start[b] + 1e-9 or told.finish[b] <= told.start[a] + 1e-9
            assert apart


@given(
    st.integers(0, 1000),
    st.sampled_from([(3,), (2, 2), (4, 3), (1, 1, 2)]),
    st.sampled_from([1, 2, 3]),
    st.sampled_from([0.0, 50.0]),
    st.sampled_from(["energy", "makespan", "edp"]),
)
def test_schedules_are_possible(
    seed: int, networks: tuple[int, ...], parts: int, transfer: float, objective: str
) -> None:
    workload = drawn(seed, networks, parts, transfer)
    told = best_schedule(workload, objective)
    check(workload, told)
    assert told.met
    assert told.makespan >= workload.bound - 1e-9


def test_one_network_runs_where_it_is_quickest() -> None:
    workload = drawn(0, (6,))
    told = best_schedule(workload, "makespan")
    assert told.makespan == pytest.approx(float(workload.cycles.amin(1).sum()))


def test_least_energy_without_a_limit() -> None:
    workload = drawn(1, (5, 4))
    told = best_schedule(workload, "energy")
    assert told.energy == pytest.approx(float(workload.energy.amin(1).sum()))


def test_two_equal_networks_share_two_equal_parts() -> None:
    cycles = torch.full((6, 2), 10.0, dtype=torch.float64)
    told = best_schedule(Workload(cycles, cycles, (3, 3)), "makespan")
    assert told.makespan == 30


def test_a_limit_costs_energy() -> None:
    workload = drawn(2, (4, 4))
    free = best_schedule(workload, "energy")
    quick = best_schedule(workload, "makespan")
    limit = (free.makespan + quick.makespan) / 2
    told = best_schedule(workload, "energy", limit)
    assert told.met
    assert free.energy <= told.energy <= quick.energy
    assert not best_schedule(workload, "energy", 0.9 * workload.bound).met


@pytest.mark.parametrize("networks", [(6,), (3, 3), (2, 2, 2)])
def test_against_every_schedule(networks: tuple[int, ...]) -> None:
    ratios = []
    for seed in range(8):
        workload = drawn(seed, networks, transfer=20.0)
        exact = exact_schedule(workload)
        check(workload, exact)
        told = best_schedule(workload, "makespan")
        assert told.makespan >= exact.makespan - 1e-9
        ratios.append(told.makespan / exact.makespan)
    assert mean(ratios) < 1.05


def test_exact_energy_within_a_limit() -> None:
    for seed in range(5):
        workload = drawn(seed, (3, 2))
        limit = 1.2 * exact_schedule(workload).makespan
        exact = exact_schedule(workload, "energy", limit)
        told = best_schedule(workload, "energy", limit)
        assert exact.met
        assert told.met
        assert told.energy >= exact.energy - 1e-9


def test_layers_that_cannot_run_somewhere_run_elsewhere() -> None:
    workload = drawn(3, (4,))
    workload.cycles[:, 0] = INFINITE
    told = best_schedule(workload)
    assert told.where.tolist() == [1] * 4
    assert told.makespan < INFINITE


def test_networks_that_do_not_add_up() -> None:
    with pytest.raises(UsageError, match="4 layers are not those of networks of \\[3, 2\\]"):
        Workload(torch.ones(4, 2).double(), torch.ones(4, 2).double(), (3, 2))
