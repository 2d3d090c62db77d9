"""Continuous diffusion: the relaxation, its schedulers, and what comes out of the pipeline."""

from __future__ import annotations

import itertools
import json
from pathlib import Path

import pytest
import torch
from scipy.stats import chisquare
from torch import Tensor

from vitruvius.core.errors import CheckpointError, UnknownNameError, UsageError
from vitruvius.generators import (
    ClassifierFree,
    Gradient,
    GraphDiffusion,
    Guidance,
    Resampling,
    Source,
    continuous_scheduler,
    new_denoiser,
)
from vitruvius.generators.continuous import CONTINUOUS, ContinuousRun, relax
from vitruvius.generators.recipe import source_of, train_generator
from vitruvius.spaces import Space, space

# One of them here, the others where there is time.
NAMES = [CONTINUOUS[0], *(pytest.param(name, marks=pytest.mark.slow) for name in CONTINUOUS[1:])]


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def changed(generator: GraphDiffusion, name: str) -> GraphDiffusion:
    """The same network under another scheduler."""
    return GraphDiffusion(generator.denoiser, continuous_scheduler(name))


# -- relaxation and schedulers ------------------------------------------------------------------


def test_relaxed_choices_have_mean_zero() -> None:
    graphs = space("nas-bench-graph")
    x = graphs.sample(50, 0)
    clean = relax(x, graphs.choice_mask)
    torch.testing.assert_close(clean.sum(2), torch.zeros(x.shape), atol=1e-6, rtol=0)
    assert clean[:, ~graphs.choice_mask].eq(0).all()
    assert torch.equal(clean.masked_fill(~graphs.choice_mask, -1).argmax(2), x)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("steps", [1, 2, 10, 48, 1000, 5000])
def test_noise_falls_from_everything_to_nothing(name: str, steps: int) -> None:
    run = ContinuousRun(continuous_scheduler(name), steps, torch.ones(2, 3).bool())
    assert len(run.sigmas) == min(steps, 1000)
    assert all(a > b > 0 for a, b in itertools.pairwise(run.sigmas))
    if steps > 1:
        assert run.sigmas[0] > 9.9
        assert run.sigmas[-1] < 0.17 or steps == 2


@pytest.mark.parametrize("name", NAMES)
def test_steps_lead_to_the_next_noise_level(name: str) -> None:
    """Where the clean architecture is known, the state stays it plus noise of the planned level."""
    choices = torch.ones(1, 2).bool()
    scheduler = continuous_scheduler(name)
    run = ContinuousRun(scheduler, 40, choices)
    x = torch.zeros(4000, 1, dtype=torch.long)
    clean = relax(x, choices)
    certain = torch.tensor([[[0.0, -torch.inf]]]).expand(4000, -1, -1)
    state, generator = run.noised(clean, 10, seeded()), seeded(1)
    for i in range(10, 20):
        state = run.step(i, state, certain, generator)
        noise = (state - clean[:, 0]) / run.sigmas[i + 1]
        assert float(noise.mean()) == pytest.approx(0, abs=0.05)
        # The predictor of the reverse SDE adds a little too much, which its corrector mends.
        assert float(noise.std()) == pytest.approx(1, abs=0.15 if name == "ve-sde" else 0.03)


def test_unknown_schedulers_are_named() -> None:
    with pytest.raises(UnknownNameError, match="dpm-solver"):
        continuous_scheduler("dpm-solver")


class Exact:
    """The exact denoiser of a small joint distribution, by enumeration."""

    def __init__(self, sizes: tuple[int, ...] = (2, 3, 2), seed: int = 0) -> None:
        self.choices = torch.arange(max(sizes)) < torch.tensor(sizes)[:, None]
        self.rows = torch.tensor(list(itertools.product(*map(range, sizes))))
        weight = torch.rand(len(self.rows), generator=seeded(seed)).double() ** 3 + 0.002
        self.p = weight / weight.sum()

    def __call__(self, state: Tensor, sigma: float) -> Tensor:
        clean = relax(self.rows, self.choices).double()
        inner = torch.einsum("bvc,rvc->br", state.double(), clean)
        evidence = (inner - clean.square().sum((1, 2)) / 2) / sigma**2
        weight = (evidence + self.p.log()).softmax(1)
        hot = torch.nn.functional.one_hot(self.rows, self.choices.shape[1]).double()
        return torch.einsum("br,rvc->bvc", weight, hot).log().float()

    def sample(self, name: str, n: int, steps: int) -> Tensor:
        run = ContinuousRun(continuous_scheduler(name), steps, self.choices)
        generator = seeded()
        state = run.noised(torch.zeros(n, *self.choices.shape), 0, generator)
        for i, sigma in enumerate(run.sigmas):
            logits = self(run.unflatten(state), sigma)
            for _ in range(run.corrections):
                state = run.correct(i, state, logits, generator)
                logits = self(run.unflatten(state), sigma)
            if i + 1 < len(run.sigmas):
                state = run.step(i, state, logits, generator)
        found = (logits.argmax(2)[:, None] == self.rows).all(2).long().argmax(1)
        return torch.bincount(found, minlength=len(self.rows))


@pytest.mark.parametrize("name", NAMES)
def test_every_scheduler_samples_the_joint_distribution(name: str) -> None:
    exact, n = Exact(), 4000
    seen = exact.sample(name, n, 100).double()
    marginals = torch.ones(len(exact.p)).double()
    for v in range(exact.rows.shape[1]):
        share = torch.zeros(3).double().index_add(0, exact.rows[:, v], exact.p)
        marginals *= share[exact.rows[:, v]]
    distance = float((seen / n - exact.p).abs().sum() / 2)
    independent = float((marginals - exact.p).abs().sum() / 2)
    assert distance < 0.04 < 0.1 < independent
    if name != "ve-sde":
        assert chisquare(seen.numpy(), (n * exact.p).numpy()).pvalue > 1e-4


def test_alone_each_variable_is_told_by_bayes_rule(toy: Space) -> None:
    """A network that has learnt nothing knows what Gaussian noise says of every choice."""
    denoiser = new_denoiser([Source(toy, toy.enumerate())], width=16, process="continuous")
    with torch.no_grad():
        denoiser.words_out.weight.zero_()
    sigma, choices = torch.tensor([0.4, 3.0]), toy.choice_mask
    state = relax(toy.sample(2, 0), choices)
    state = (state + sigma[:, None, None] * torch.randn(state.shape, generator=seeded())) * choices
    found = denoiser(state, sigma).softmax(2)
    for c in range(3):
        hot = torch.full((2, 4), c)
        there = choices[:, c]
        clean = relax(hot.clamp(max=choices.sum(1) - 1), choices)
        density = (-(state - clean).square().sum(2) / (2 * sigma[:, None].square())).exp()
        total = torch.zeros(2, 4)
        for other in range(3):
            row = torch.full((2, 4), other).clamp(max=choices.sum(1) - 1)
            gap = (state - relax(row, choices)).square().sum(2)
            term = (-gap / (2 * sigma[:, None].square())).exp()
            total += torch.where(choices[:, other], term, 0.0)
        expected = torch.where(there, density / total, 0.0)
        torch.testing.assert_close(found[..., c], expected, atol=1e-5, rtol=1e-4)


# -- proposing ----------------------------------------------------------------------------------


@pytest.mark.parametrize("name", NAMES)
def test_what_comes_out_is_like_the_space(cells: Space, flowing: GraphDiffusion, name: str) -> None:
    found = changed(flowing, name).propose(cells, 600, steps=16, seed=0)
    assert found.valid.all()
    ideal = len(cells.hashes(cells.sample(600, 0)).unique())
    assert len(cells.hashes(found.x).unique()) > 0.9 * ideal
    share = torch.nn.functional.one_hot(found.x, 5).double().mean(0)
    wanted = torch.nn.functional.one_hot(cells.shuffle(cells.enumerate(), 0), 5).double().mean(0)
    assert (share - wanted).abs().max() < 0.08
    assert 0.35 < float((~flowing.seen(cells, found.x)).double().mean()) < 0.65


@pytest.mark.parametrize("name", NAMES)
def test_seeds_repeat(cells: Space, flowing: GraphDiffusion, name: str) -> None:
    generator = changed(flowing, name)
    before = torch.get_rng_state()
    a, b, c = (generator.propose(cells, 30, steps=6, seed=seed).x for seed in (0, 0, 1))
    assert torch.equal(a, b)
    assert not torch.equal(a, c)
    assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.parametrize(("n", "batch", "steps"), [(1, 256, 1), (7, 3, 2), (10, 100, 30)])
@pytest.mark.parametrize("name", NAMES)
def test_as_many_as_asked_for(
    cells: Space, flowing: GraphDiffusion, name: str, n: int, batch: int, steps: int
) -> None:
    found = changed(flowing, name).propose(cells, n, batch_size=batch, steps=steps, seed=0)
    assert found.x.shape == (n, 6)
    assert torch.equal(found.valid, cells.is_valid(found.x))


@pytest.mark.parametrize("name", ["nasbench101", "nas-bench-graph", "mobilenetv3"])
def test_choices_stay_in_their_sets(name: str) -> None:
    served = space(name)
    source = Source(served, served.sample(50, 0))
    denoiser = new_denoiser([source], width=16, layers=1, process="continuous")
    found = GraphDiffusion.of(denoiser).propose(served, 60, steps=3, seed=0)
    assert served.in_range(found.x).all()
    assert torch.equal(found.valid, served.is_valid(found.x))
    assert len(found.x.unique(dim=0)) > 50


# -- guidance -----------------------------------------------------------------------------------


def convolutions(p: Tensor) -> Tensor:
    return p[..., 3].sum(1)


@pytest.mark.parametrize("name", NAMES)
def test_gradients_point_uphill(cells: Space, flowing: GraphDiffusion, name: str) -> None:
    generator = changed(flowing, name)
    free = generator.propose(cells, 200, seed=0).x
    for scale in (1.0, -1.0):
        guidance = Guidance(gradient=Gradient(convolutions, scale=scale))
        steered = generator.propose(cells, 200, guidance=guidance, seed=0).x
        gain = (steered == 3).double().sum(1).mean() - (free == 3).double().sum(1).mean()
        assert scale * gain > 0.5


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("rounds", [1, 3])
def test_resampling_raises_the_value(
    cells: Space, flowing: GraphDiffusion, name: str, rounds: int
) -> None:
    def value(x: Tensor) -> Tensor:
        return -(cells.statistics(x)["params"] / 1e5 - 10.0).abs()

    generator = changed(flowing, name)
    free = value(generator.propose(cells, 128, seed=0).x)
    guidance = Guidance(resampling=Resampling(value, temperature=0.2, rounds=rounds))
    found = generator.propose(cells, 128, guidance=guidance, seed=0)
    assert value(found.x).mean() > free.mean() + 1.0
    assert torch.equal(generator.propose(cells, 128, guidance=guidance, seed=0).x, found.x)


def test_further_rounds_start_from_survivors(cells: Space, flowing: GraphDiffusion) -> None:
    def value(x: Tensor) -> Tensor:
        return 4.0 * (x == 3).double().sum(1)

    near = Guidance(resampling=Resampling(value, rounds=2, renoise=0.2))
    found = flowing.propose(cells, 100, guidance=near, steps=20, seed=0).x
    first, second = cells.canonical(found[:50]), cells.canonical(found[50:])
    distance = (second[:, None] != first).sum(2).amin(1)
    unrelated = flowing.propose(cells, 50, steps=20, seed=1).x
    apart = (cells.canonical(unrelated)[:, None] != first).sum(2).amin(1)
    assert distance.double().mean() < 0.6 * apart.double().mean()


def test_conditions_move_the_mean(cells: Space, flowing: GraphDiffusion) -> None:
    counts = cells.statistics(cells.enumerate())["params"].double()
    means = []
    for level in (0.1, 0.5, 0.9):
        wanted = float(counts.quantile(level))
        guide = ClassifierFree(lambda n, g, wanted=wanted: {"params": torch.full((n,), wanted)})
        x = flowing.propose(cells, 200, guidance=Guidance(classifier_free=guide), seed=0).x
        means.append(float(cells.statistics(x)["params"].mean()))
        assert abs(means[-1] - wanted) < 0.5 * float(counts.std())
    assert means[0] < means[1] < means[2]


def test_all_forms_together(cells: Space, flowing: GraphDiffusion) -> None:
    def conditions(n: int, generator: torch.Generator) -> dict[str, Tensor]:
        return {"params": torch.rand(n, generator=generator) * 1e6 + 2e5}

    guidance = Guidance(
        classifier_free=ClassifierFree(conditions, 2.0),
        gradient=Gradient(convolutions),
        resampling=Resampling(lambda x: x.sum(1).double(), rounds=2),
    )
    for name in CONTINUOUS:
        generator = changed(flowing, name)
        a, b = (generator.propose(cells, 40, guidance=guidance, seed=0) for _ in range(2))
        assert a.valid.all()
        assert torch.equal(a.x, b.x)


def test_what_a_solver_remembers_follows_the_survivors() -> None:
    choices = torch.ones(1, 2).bool()
    run = ContinuousRun(continuous_scheduler("dpm-solver++"), 8, choices)
    logits = torch.tensor([[[4.0, 0.0]], [[0.0, 4.0]]])
    state = run.noised(torch.zeros(2, 1, 2), 0, seeded())
    for i in range(2):
        state = run.step(i, state, logits, seeded())
    swapped = torch.tensor([1, 0])
    run.keep(swapped)
    after = run.step(2, state[swapped], logits[swapped], seeded())
    again = ContinuousRun(continuous_scheduler("dpm-solver++"), 8, choices)
    state = again.noised(torch.zeros(2, 1, 2), 0, seeded())
    for i in range(3):
        state = again.step(i, state, logits, seeded())
    torch.testing.assert_close(after, state[swapped])


# -- saving, loading, mistakes ------------------------------------------------------------------


@pytest.mark.parametrize("name", NAMES)
def test_round_trip(cells: Space, flowing: GraphDiffusion, name: str, tmp_path: Path) -> None:
    generator = changed(flowing, name)
    generator.save_pretrained(tmp_path)
    again = GraphDiffusion.from_pretrained(tmp_path)
    assert type(again.scheduler) is type(generator.scheduler)
    assert again.name == "nasbench201 continuous diffusion"
    ours, theirs = (g.propose(cells, 40, steps=6, seed=3).x for g in (generator, again))
    assert torch.equal(ours, theirs)


def test_schedulers_are_swapped_by_assignment(cells: Space, flowing: GraphDiffusion) -> None:
    generator = changed(flowing, "ddpm")
    generator.scheduler = continuous_scheduler("ve-sde")
    expected = changed(flowing, "ve-sde").propose(cells, 20, steps=5, seed=0).x
    assert torch.equal(generator.propose(cells, 20, steps=5, seed=0).x, expected)


def test_schedulers_of_other_processes_are_refused(
    cells: Space, flowing: GraphDiffusion, trained: GraphDiffusion, tmp_path: Path
) -> None:
    mixed = GraphDiffusion(flowing.denoiser, trained.scheduler)
    with pytest.raises(UsageError, match="DDPMScheduler or DPMSolver"):
        mixed.propose(cells, 1)
    with pytest.raises(UsageError, match="takes AbsorbingScheduler, got DDPMScheduler"):
        GraphDiffusion(trained.denoiser, flowing.scheduler).propose(cells, 1)
    noise = type(flowing.scheduler)()
    with pytest.raises(UsageError, match="predicts samples"):
        GraphDiffusion(flowing.denoiser, noise).propose(cells, 1)
    mixed.save_pretrained(tmp_path)
    with pytest.raises(CheckpointError, match="holds no GraphDiffusion"):
        GraphDiffusion.from_pretrained(tmp_path)


def test_training_into_a_folder(cells: Space, tmp_path: Path) -> None:
    folder = tmp_path / "cells"
    source = source_of(cells, cells.sample(100, 0))
    train_generator([source], folder, steps=2, process="continuous")
    assert json.loads((folder / "training.json").read_text())["process"] == "continuous"
    assert GraphDiffusion.from_pretrained(folder).propose(cells, 4, seed=0).valid.all()
