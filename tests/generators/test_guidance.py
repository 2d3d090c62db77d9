import pytest
import torch
from torch import Tensor

from vitruvius.generators import (
    ClassifierFree,
    Gradient,
    GraphDiffusion,
    Guidance,
    Resampling,
)
from vitruvius.generators.guidance import systematic
from vitruvius.generators.schedulers import MASK, clamp_known
from vitruvius.spaces import Space


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def certain(x: Tensor) -> Tensor:
    """Logits of architectures that are known."""
    return clamp_known(torch.zeros(*x.shape, int(x.max()) + 1), x)


# -- systematic resampling ----------------------------------------------------------------------


def test_systematic_is_proportional() -> None:
    """Every index comes floor or ceil of its expected number of times."""
    weight = torch.tensor([0.1, 0.25, 0.05, 0.6])
    for seed in range(50):
        counts = torch.bincount(systematic(weight.log(), 10, seeded(seed)), minlength=4)
        assert ((counts - 10 * weight).abs() < 1).all()


def test_systematic_is_unbiased() -> None:
    weight = torch.tensor([0.13, 0.27, 0.04, 0.56])
    generator, total = seeded(), torch.zeros(4)
    for _ in range(4000):
        total += torch.bincount(systematic(weight.log(), 3, generator), minlength=4)
    assert (total / 12_000 - weight).abs().max() < 0.01


def test_systematic_needs_no_normalised_weights() -> None:
    weight = torch.tensor([1.0, 2.0, 5.0]).log()
    for shift in (-1e6, 0.0, 1e6):
        found = systematic((weight + shift).double(), 80, seeded())
        assert torch.bincount(found).tolist() == pytest.approx([10, 20, 50], abs=1)


def test_what_has_no_weight_is_never_drawn() -> None:
    weight = torch.tensor([-torch.inf, 0.0, -torch.inf, 0.0, -torch.inf])
    assert set(systematic(weight, 100, seeded()).tolist()) == {1, 3}


# -- gradient -----------------------------------------------------------------------------------


def test_shift_of_a_linear_value_is_its_coefficients() -> None:
    coefficients = torch.randn(6, 5, generator=seeded())
    guide = Gradient(lambda p: (p * coefficients).sum((1, 2)), scale=2.5)
    logits = torch.randn(7, 6, 5, generator=seeded())
    torch.testing.assert_close(guide.shift(logits), (2.5 * coefficients).expand(7, -1, -1))


def test_shift_of_a_product_depends_on_the_other_variable() -> None:
    guide = Gradient(lambda p: p[:, 0, 1] * p[:, 1, 1])
    logits = torch.tensor([[[0.0, 0.0], [0.0, 3.0]]])
    expected = logits.softmax(-1)
    shift = guide.shift(logits)
    torch.testing.assert_close(shift[0, 0, 1], expected[0, 1, 1])
    torch.testing.assert_close(shift[0, 1, 1], expected[0, 0, 1])
    # A known variable holds its choice, whatever the denoiser says.
    known = guide.shift(clamp_known(logits, torch.tensor([[MASK, 0]])))
    assert known[0, 0, 1] == 0
    assert known[0, 1, 1] == 0.5


def test_a_linear_value_gives_its_posterior(cells: Space, trained: GraphDiffusion) -> None:
    """For independent variables the shifted logits are Bayes' rule."""
    coefficients = torch.tensor([0.0, 0.5, -1.0])
    logits = torch.tensor([[[0.2, 0.1, 0.0]]])
    guide = Gradient(lambda p: (p[:, 0] * coefficients).sum(1))
    shifted = (logits + guide.shift(logits)).softmax(-1)
    expected = logits.softmax(-1) * coefficients.exp()
    torch.testing.assert_close(shifted, expected / expected.sum(-1, keepdim=True))


def moved(logits: Tensor, shift: Tensor) -> Tensor:
    """Divergence of the shifted distributions from those before, summed over variables."""
    after, before = (logits + shift).log_softmax(2), logits.log_softmax(2)
    return (after.exp() * torch.where(before.isinf(), 0.0, after - before)).sum((1, 2))


def test_bayes_rule_is_never_shortened() -> None:
    """Where the first order is exact, so is the bound: no log-probability asks for more."""
    for seed in range(20):
        losses = -5 * torch.rand(4, 3, generator=seeded(seed)) ** 4
        value = lambda p, losses=losses: (p * losses).sum((1, 2))  # noqa: E731
        logits = 3 * torch.randn(30, 4, 3, generator=seeded(seed))
        free, bounded = (Gradient(value, best=best).shift(logits) for best in (torch.inf, 0.0))
        torch.testing.assert_close(bounded, free)


def test_steps_that_promise_too_much_are_shortened() -> None:
    """A steep value that is nearly met leaves little room; nothing to gain leaves none."""
    slope = torch.randn(6, 5, generator=seeded())
    logits = torch.randn(40, 6, 5, generator=seeded())
    logits[:, 0] = clamp_known(logits[:, :1], torch.zeros(40, 1, dtype=torch.long))[:, 0]
    steep = Gradient(lambda p: 30 * (p * slope).sum((1, 2)), best=0.0)
    value = steep.value(logits.softmax(2))
    found, free = steep.shift(logits), 30 * slope.expand(40, -1, -1)
    length = (found / free).flatten(1)
    assert (length.amax(1) - length.amin(1)).max() < 1e-5  # the direction stays
    room = -value
    short = moved(logits, free) > room
    assert short.any()
    torch.testing.assert_close(
        moved(logits, found)[short], room[short].clamp(min=0), rtol=0.05, atol=1e-4
    )
    torch.testing.assert_close(found[~short], free[~short])
    assert Gradient(steep.value, best=-100.0).shift(logits).eq(0).all()


def test_gradients_point_uphill_while_generating(cells: Space, trained: GraphDiffusion) -> None:
    def convolutions(p: Tensor) -> Tensor:
        return p[..., 3].sum(1)

    free = trained.propose(cells, 200, seed=0).x
    for scale in (1.0, -1.0):
        guidance = Guidance(gradient=Gradient(convolutions, scale=scale))
        steered = trained.propose(cells, 200, guidance=guidance, seed=0).x
        gain = (steered == 3).double().sum(1).mean() - (free == 3).double().sum(1).mean()
        assert scale * gain > 0.5


# -- importance resampling ----------------------------------------------------------------------


def test_resampling_shifts_as_the_weights_say() -> None:
    """Finished particles: the shares become proportional to exp(value / temperature)."""
    value = torch.tensor([0.0, 1.0, 2.0])
    for temperature in (1.0, 0.5):
        guide = Resampling(lambda x: value[x[:, 0]], temperature=temperature)
        # In random order, for a periodic one resonates with the even steps of the draws.
        sample = torch.arange(3).repeat(3000)[torch.randperm(9000, generator=seeded())][:, None]
        keep, left = guide.resample(certain(sample), None, seeded())
        seen = torch.bincount(sample[keep, 0], minlength=3).double()
        expected = 9000 * (value / temperature).softmax(0).double()
        # Systematic draws stay closer to the shares than independent ones would.
        assert (seen - expected).abs().max() < 60
        torch.testing.assert_close(left, value[sample[keep, 0]] / temperature)


def test_resampling_counts_only_what_rose() -> None:
    guide = Resampling(lambda x: x[:, 0].float())
    sample = torch.tensor([[5], [7]]).repeat(500, 1)
    before = torch.tensor([5.0, 7.0]).repeat(500)
    keep, _ = guide.resample(certain(sample), before, seeded())
    assert torch.equal(torch.bincount(sample[keep, 0])[[5, 7]], torch.tensor([500, 500]))


def test_resampling_values_what_the_denoiser_expects() -> None:
    guide = Resampling(lambda x: 3.0 * x[:, 0])
    kind = torch.arange(4000) % 2
    kind = kind[torch.randperm(4000, generator=seeded())]
    sample = torch.stack([torch.full((4000,), MASK), kind], 1)
    logits = torch.full((4000, 2, 2), -torch.inf)
    logits[torch.arange(4000), 0, kind] = 0.0  # the first variable will be what the second is
    keep, _ = guide.resample(clamp_known(logits, sample), None, seeded())
    share = sample[keep, 1].double().mean()
    assert share == pytest.approx(torch.tensor(3.0).sigmoid().item(), abs=0.01)


@pytest.mark.parametrize("offset", [0.0, -1e3, -1e6])
def test_far_from_the_target_the_less_far_still_win(offset: float) -> None:
    guide = Resampling(lambda x: x[:, 0] + offset)
    sample = torch.tensor([[0], [10]]).repeat(50, 1)
    keep, _ = guide.resample(certain(sample), None, seeded())
    assert (sample[keep] == 10).all()


def test_the_impossible_dies_out() -> None:
    guide = Resampling(lambda x: torch.where(x[:, 0] == 1, -torch.inf, -80.0))
    sample = torch.tensor([[0], [1]]).repeat(50, 1)
    keep, value = guide.resample(certain(sample), None, seeded())
    assert (sample[keep] == 0).all()
    assert value.isfinite().all()


def test_when_everything_is_impossible_nothing_is_preferred() -> None:
    guide = Resampling(lambda x: torch.full((len(x),), -torch.inf))
    sample = torch.arange(20)[:, None]
    keep, value = guide.resample(certain(sample), None, seeded())
    assert torch.equal(keep.sort().values, torch.arange(20))
    assert value.isfinite().all()


def test_resampling_raises_the_value(cells: Space, trained: GraphDiffusion) -> None:
    def value(x: Tensor) -> Tensor:
        return -(cells.statistics(x)["params"] / 1e5 - 10.0).abs()

    free = value(trained.propose(cells, 128, seed=0).x)
    guidance = Guidance(resampling=Resampling(value, temperature=0.2))
    found = trained.propose(cells, 128, guidance=guidance, seed=0)
    assert found.valid.all()
    assert value(found.x).mean() > free.mean() + 1.0
    # Later rounds build on earlier ones.
    assert value(found.x[96:]).mean() > value(found.x[:32]).mean()


@pytest.mark.parametrize("n", [1, 2, 3, 5])
def test_fewer_proposals_than_rounds(cells: Space, trained: GraphDiffusion, n: int) -> None:
    guidance = Guidance(resampling=Resampling(lambda x: x.sum(1).double(), rounds=4))
    assert len(trained.propose(cells, n, guidance=guidance, seed=0).x) == n


def test_no_valid_survivor_starts_anew(
    cells: Space, trained: GraphDiffusion, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        type(cells), "is_valid", lambda self, x: torch.zeros(len(x), dtype=torch.bool)
    )
    guidance = Guidance(resampling=Resampling(lambda x: torch.full((len(x),), -torch.inf)))
    found = trained.propose(cells, 8, guidance=guidance, seed=0)
    assert found.x.shape == (8, 6)
    assert not found.valid.any()


# -- classifier-free ----------------------------------------------------------------------------


@pytest.mark.parametrize("scale", [0.0, 1.0, 2.0])
def test_classifier_free_formula(cells: Space, trained: GraphDiffusion, scale: float) -> None:
    state = torch.full((3, 6), MASK)
    state[:, 0] = 2
    time = torch.full((3,), 5 / 6)
    guide = ClassifierFree(lambda n, generator: {}, scale)
    scores = trained.denoiser.scores(0, {"params": torch.full((3,), 1e6)})
    with torch.no_grad():
        conditional = trained.denoiser(state, time, scores, 0)
        free = trained.denoiser(state, time, None, 0)
        found = trained._logits(0, state, time[:1], Guidance(classifier_free=guide), scores)
    assert not torch.allclose(conditional, free)
    torch.testing.assert_close(found, (1 - scale) * free + scale * conditional)


def test_logits_of_no_choices_stay_impossible(toy: Space) -> None:
    from vitruvius.generators import Source, new_denoiser

    source = Source(toy, toy.enumerate(), {"cost": torch.arange(36.0)})
    generator = GraphDiffusion.of(new_denoiser([source], width=16, layers=1))
    for scale in (0.0, 3.0):
        guide = ClassifierFree(lambda n, g: {"cost": torch.full((n,), 5.0)}, scale)
        found = generator.propose(toy, 50, guidance=Guidance(classifier_free=guide), seed=0)
        assert found.valid.all()


def test_conditions_follow_their_particles(cells: Space, trained: GraphDiffusion) -> None:
    """Resampling moves particles; each must keep the condition it was drawn for."""

    def conditions(n: int, generator: torch.Generator) -> dict[str, Tensor]:
        return {"params": torch.rand(n, generator=generator) * 1e6 + 2e5}

    guidance = Guidance(
        classifier_free=ClassifierFree(conditions, 2.0),
        gradient=Gradient(lambda p: p[..., 3].sum(1)),
        resampling=Resampling(lambda x: x.sum(1).double(), rounds=2),
    )
    assert guidance.name == "classifier-free+gradient+resampling"
    a, b = (trained.propose(cells, 40, guidance=guidance, seed=0) for _ in range(2))
    assert a.valid.all()
    assert torch.equal(a.x, b.x)


def test_names() -> None:
    assert Guidance().name == "none"
    assert Guidance(resampling=Resampling(lambda x: x.sum(1))).name == "resampling"
