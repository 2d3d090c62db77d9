"""Many workloads at a time, against the thorough search and what no schedule is below."""

import math
from statistics import mean

import pytest
import torch

from vitruvius.evaluators.hardware.list_scheduling import Chains, list_schedules, simulated
from vitruvius.evaluators.hardware.scheduling import Workload, exact_schedule

LONG = (30, 17)


def drawn(count: int, lengths: tuple[int, ...], parts: int = 2) -> tuple[torch.Tensor, ...]:
    chance = torch.Generator().manual_seed(0)
    shape = (count, sum(lengths), parts)
    cycles = 10 ** torch.rand(shape, generator=chance, dtype=torch.float64)
    energy = 10 ** torch.rand(shape, generator=chance, dtype=torch.float64)
    return cycles, energy


def spans(cycles: torch.Tensor, chains: Chains, told: tuple[torch.Tensor, ...]) -> torch.Tensor:
    return simulated(chains, cycles, *told)[1].amax(1)


@pytest.mark.parametrize("transfer", [None, 5.0])
def test_nothing_overlaps_and_nobody_is_early(transfer: float | None) -> None:
    cycles, energy = drawn(6, LONG, 3)
    waits = None if transfer is None else torch.full((sum(LONG),), transfer).double()
    chains = Chains(LONG, waits)
    where, order = list_schedules(cycles, energy, chains, "edp")
    start, finish = simulated(chains, cycles, where, order)
    for row in range(6):
        for layer, previous in enumerate(chains.before.tolist()):
            if previous >= 0:
                moved = bool(where[row, layer] != where[row, previous])
                ready = float(finish[row, previous]) + (transfer or 0.0) * moved
                assert start[row, layer] >= ready - 1e-9
        for part in range(3):
            own = where[row] == part
            begun, at = start[row, own].sort()
            assert (finish[row, own][at][:-1] <= begun[1:] + 1e-9).all()


@pytest.mark.parametrize("objective", ["makespan", "edp"])
def test_against_every_schedule(objective: str) -> None:
    lengths = (3, 3)
    cycles, energy = drawn(10, lengths)
    chains = Chains(lengths)
    where, order = list_schedules(cycles, energy, chains, objective)
    ratios = []
    for row, span in enumerate(spans(cycles, chains, (where, order))):
        exact = exact_schedule(Workload(cycles[row], energy[row], lengths), objective)
        joules = float(energy[row].gather(1, where[row, :, None]).sum())
        best = exact.makespan * (exact.energy if objective == "edp" else 1)
        ratios.append(float(span) * (joules if objective == "edp" else 1) / best)
    assert min(ratios) >= 1 - 1e-9
    assert mean(ratios) < 1.1


def test_long_networks_come_near_to_what_no_schedule_is_below() -> None:
    cycles, energy = drawn(8, LONG)
    chains = Chains(LONG)
    told = spans(cycles, chains, list_schedules(cycles, energy, chains, "makespan"))
    bounds = [Workload(own, joules, LONG).bound for own, joules in zip(cycles, energy, strict=True)]
    ratios = (told / torch.tensor(bounds).double()).tolist()
    assert min(ratios) >= 1 - 1e-9
    assert mean(ratios) < 1.25


def test_least_energy_and_a_limit() -> None:
    cycles, energy = drawn(8, LONG)
    chains = Chains(LONG)

    def joules(told: tuple[torch.Tensor, torch.Tensor]) -> torch.Tensor:
        return energy.gather(2, told[0][..., None]).sum((1, 2))

    free = list_schedules(cycles, energy, chains, "energy")
    assert torch.allclose(joules(free), energy.amin(2).sum(1))
    quick = list_schedules(cycles, energy, chains, "makespan")
    limit = float(spans(cycles, chains, quick).max()) * 1.05
    within = list_schedules(cycles, energy, chains, "energy", limit)
    assert (spans(cycles, chains, within) <= limit).all()
    assert (joules(within) >= joules(free) - 1e-9).all()
    assert joules(within).mean() < joules(quick).mean()


def test_a_batch_is_a_loop_and_what_is_filled_up_takes_nothing() -> None:
    cycles, energy = drawn(5, LONG)
    chains = Chains(LONG)
    whole = spans(cycles, chains, list_schedules(cycles, energy, chains, "edp"))
    # Nothing is added behind the first network.
    cut = LONG[0]
    filled = [
        torch.cat([each[:, :cut], each.new_zeros(5, 4, 2), each[:, cut:]], 1)
        for each in (cycles, energy)
    ]
    longer = Chains((cut + 4, LONG[1]))
    for row in range(5):
        one = [each[row : row + 1] for each in (cycles, energy)]
        alone = spans(one[0], chains, list_schedules(*one, chains, "edp"))
        assert math.isclose(float(alone), float(whole[row]), rel_tol=1e-9)
    padded = spans(filled[0], longer, list_schedules(*filled, longer, "edp"))
    assert torch.allclose(padded, whole)


def test_layers_that_cannot_run_somewhere_run_elsewhere() -> None:
    cycles, energy = drawn(3, LONG)
    cycles[:, ::2, 0] = torch.inf
    where, order = list_schedules(cycles, energy, Chains(LONG), "makespan")
    assert (where[:, ::2] == 1).all()
    assert spans(cycles, Chains(LONG), (where, order)).isfinite().all()
