import itertools
from pathlib import Path

import pytest
import torch
from scipy.stats import chisquare
from torch import Tensor

from vitruvius.generators.schedulers import MASK, AbsorbingScheduler, draw
from vitruvius.spaces import space
from vitruvius.testing import decode_at_random

SIZES = (2, 3, 2)
WIDTH = max(SIZES)


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


class Tabular:
    """The exact denoiser of a small joint distribution, by enumeration."""

    def __init__(self, sizes: tuple[int, ...] = SIZES, seed: int = 0) -> None:
        self.rows = torch.tensor(list(itertools.product(*map(range, sizes))))
        weight = torch.rand(len(self.rows), generator=seeded(seed)).double() ** 2 + 0.01
        self.p = weight / weight.sum()
        self.width = max(sizes)

    def __call__(self, state: Tensor) -> Tensor:
        fits = ((state[:, None] == MASK) | (state[:, None] == self.rows)).all(2)
        weight = fits * self.p
        hot = torch.nn.functional.one_hot(self.rows, self.width).double()
        marginal = torch.einsum("br,rvc->bvc", weight, hot)
        return (marginal / marginal.sum(2, keepdim=True)).log().float()

    def index(self, x: Tensor) -> Tensor:
        return (x[:, None] == self.rows).all(2).long().argmax(1)


def reverse(denoiser: Tabular, n: int, steps: int, seed: int = 0) -> Tensor:
    scheduler, generator = AbsorbingScheduler(), seeded(seed)
    variables = denoiser.rows.shape[1]
    scheduler.set_timesteps(steps, variables)
    state = torch.full((n, variables), MASK)
    for i in range(len(scheduler.timesteps)):
        state = scheduler.step(denoiser(state), i, state, generator=generator).prev_sample
    return state


@pytest.mark.parametrize("constrained", [False, True])
def test_choosing_beforehand_draws_the_same(constrained: bool) -> None:
    cells = space("nasbench101")
    scheduler, logits = AbsorbingScheduler(), torch.randn(40, 26, 4, generator=seeded())
    logits = logits.masked_fill(~cells.choice_mask, -torch.inf)
    allowed = cells.allowed if constrained else None
    scheduler.set_timesteps(8, 26)
    together, apart = seeded(1), seeded(1)
    one = other = torch.full((40, 26), MASK)
    for i in range(len(scheduler.timesteps)):
        one = scheduler.step(logits, i, one, generator=together, allowed=allowed).prev_sample
        chosen = scheduler.choose(i, other, generator=apart)
        some = logits.gather(1, chosen[..., None].expand(-1, -1, 4))
        other = scheduler.step(
            some, i, other, chosen=chosen, generator=apart, allowed=allowed
        ).prev_sample
        assert torch.equal(one, other)


# -- forward ------------------------------------------------------------------------------------


@pytest.mark.parametrize("variables", [1, 6, 7, 13, 21, 26, 46])
def test_every_row_loses_exactly_its_share(variables: int) -> None:
    count = torch.arange(variables + 1)
    x = torch.zeros(len(count), variables, dtype=torch.long)
    masked = AbsorbingScheduler().add_noise(x, count / variables, seeded())
    assert torch.equal((masked == MASK).sum(1), count)


def test_shares_between_two_counts_are_rounded_up() -> None:
    x = torch.zeros(4, 6, dtype=torch.long)
    time = torch.tensor([0.0, 0.01, 0.5, 0.51])
    masked = AbsorbingScheduler().add_noise(x, time, seeded())
    assert (masked == MASK).sum(1).tolist() == [0, 1, 3, 4]


def test_what_is_not_masked_is_kept_and_subsets_are_uniform() -> None:
    x = torch.arange(4).repeat(12_000, 1)
    masked = AbsorbingScheduler().add_noise(x, torch.full((12_000,), 0.5), seeded())
    assert torch.equal(torch.where(masked == MASK, x, masked), x)
    code = ((masked == MASK) * 2 ** torch.arange(4)).sum(1)
    seen = torch.bincount(code)
    assert chisquare(seen[seen > 0].numpy()).pvalue > 1e-4
    assert (seen > 0).sum() == 6


def test_seeds_repeat() -> None:
    x = torch.zeros(50, 6, dtype=torch.long)
    time = torch.full((50,), 0.5)
    a, b, c = (AbsorbingScheduler().add_noise(x, time, seeded(s)) for s in (0, 0, 1))
    assert torch.equal(a, b)
    assert not torch.equal(a, c)


# -- plan ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("variables", [1, 2, 5, 26, 46])
def test_plans_fall_to_nothing(variables: int) -> None:
    scheduler = AbsorbingScheduler()
    for steps in range(1, variables + 3):
        scheduler.set_timesteps(steps, variables)
        plan = [*scheduler.timesteps.tolist(), 0]
        assert len(plan) - 1 == scheduler.num_inference_steps == min(steps, variables)
        assert plan[0] == variables
        gaps = [a - b for a, b in itertools.pairwise(plan)]
        assert min(gaps) >= 1
        assert max(gaps) - min(gaps) <= 1


def test_no_steps() -> None:
    with pytest.raises(ValueError, match="at least 1, got 0"):
        AbsorbingScheduler().set_timesteps(0, 6)


# -- reverse ------------------------------------------------------------------------------------


@pytest.mark.parametrize("steps", [1, 2, 4, 6, 50])
def test_reverse_reveals_everything_in_range(steps: int) -> None:
    mask = space("nas-bench-graph").choice_mask
    logits = torch.zeros(300, *mask.shape).masked_fill(~mask, -torch.inf)
    scheduler, generator = AbsorbingScheduler(), seeded()
    scheduler.set_timesteps(steps, len(mask))
    state = torch.full((300, len(mask)), MASK)
    for i, left in enumerate(scheduler.timesteps.tolist()):
        assert ((state == MASK).sum(1) == left).all()
        before = state
        state = scheduler.step(logits, i, state, generator=generator).prev_sample
        assert torch.equal(torch.where(before == MASK, before, state), before)
    assert (state >= 0).all()
    assert (state < mask.sum(1)).all()
    for v, size in enumerate(mask.sum(1).tolist()):  # every choice comes up
        assert len(state[:, v].unique()) == size


def test_rows_masked_unequally_all_end() -> None:
    state = torch.tensor([[MASK, MASK, MASK, 1], [0, 1, MASK, 1], [1, 1, 1, 1]])
    known = state != MASK
    scheduler = AbsorbingScheduler()
    scheduler.set_timesteps(2, 3)
    for i in range(2):
        logits = torch.zeros(3, 4, 2)
        found = scheduler.step(logits, i, state, generator=seeded(i)).prev_sample
        assert torch.equal(found[known], torch.tensor([1, 0, 1, 1, 1, 1, 1, 1]))
        state = found
    assert (state >= 0).all()


def test_order_of_revealing_is_uniform() -> None:
    scheduler = AbsorbingScheduler()
    scheduler.set_timesteps(2, 4)
    state = torch.full((12_000, 4), MASK)
    found = scheduler.step(torch.zeros(12_000, 4, 2), 0, state, generator=seeded()).prev_sample
    code = ((found != MASK) * 2 ** torch.arange(4)).sum(1)
    seen = torch.bincount(code)
    assert (seen > 0).sum() == 6
    assert chisquare(seen[seen > 0].numpy()).pvalue > 1e-4


def test_tuples_on_demand() -> None:
    scheduler = AbsorbingScheduler()
    scheduler.set_timesteps(1, 2)
    state = torch.full((3, 2), MASK)
    logits = torch.zeros(3, 2, 2)
    (row,) = scheduler.step(logits, 0, state, generator=seeded(), return_dict=False)
    assert torch.equal(row, scheduler.step(logits, 0, state, generator=seeded()).prev_sample)


def test_draws_follow_the_logits() -> None:
    p = torch.tensor([0.5, 0.25, 0.15, 0.1, 0.0])
    seen = torch.bincount(draw(p.log().expand(20_000, -1), seeded()), minlength=5)
    assert seen[4] == 0
    assert chisquare(seen[:4].numpy(), 20_000 * p[:4].double().numpy()).pvalue > 1e-4


def test_one_variable_at_a_time_is_exact() -> None:
    """With exact conditionals, ancestral sampling gives the joint distribution."""
    denoiser, n = Tabular(), 30_000
    seen = torch.bincount(denoiser.index(reverse(denoiser, n, steps=3)), minlength=12)
    assert chisquare(seen.numpy(), (n * denoiser.p).numpy()).pvalue > 1e-4


def test_one_step_gives_the_marginals_alone() -> None:
    denoiser, n = Tabular(), 30_000
    x = reverse(denoiser, n, steps=1)
    marginal = denoiser(torch.full((1, 3), MASK))[0].exp().double()
    for v, size in enumerate(SIZES):
        expected = marginal[v, :size] / marginal[v, :size].sum()
        seen = torch.bincount(x[:, v], minlength=size).double()
        assert chisquare(seen.numpy(), (n * expected).numpy()).pvalue > 1e-4
    joint = torch.bincount(denoiser.index(x), minlength=12)
    assert chisquare(joint.numpy(), (n * denoiser.p).numpy()).pvalue < 1e-4


def test_transition_is_bayes_rule() -> None:
    """q(x_s | x_t, x_0) by enumeration over all ways to mask a known row."""
    row, total, now, after = torch.tensor([1, 2, 0, 1]), 4, 3, 1
    state = torch.tensor([MASK, 2, MASK, MASK])
    # Prior over subsets that are masked at s, and likelihood of the subset at t given it.
    posterior: dict[tuple[int, ...], float] = {}
    for subset in itertools.combinations(range(total), after):
        # From `after` to `now` masked variables: any superset of the right size is as likely.
        supersets = [s for s in itertools.combinations(range(total), now) if set(subset) <= set(s)]
        reached = tuple((state == MASK).nonzero()[:, 0].tolist()) in supersets
        posterior[subset] = reached / len(supersets)
    norm = sum(posterior.values())
    scheduler, n = AbsorbingScheduler(), 12_000
    scheduler.timesteps, scheduler._after = torch.tensor([now]), [after]
    logits = torch.full((n, 4, 3), -torch.inf).scatter(2, row.expand(n, -1)[..., None], 0.0)
    found = scheduler.step(logits, 0, state.expand(n, -1), generator=seeded()).prev_sample
    assert torch.equal(torch.where(found == MASK, row, found), row.expand(n, -1))
    for subset, weight in posterior.items():
        wanted = torch.tensor([v in subset for v in range(total)])
        share = float(((found == MASK) == wanted).all(1).double().mean())
        assert share == pytest.approx(weight / norm, abs=0.02)


def test_constraints_are_decided_one_after_the_other() -> None:
    """No two equal: drawn all at once that would fail in most rows."""

    def allowed(x: Tensor, known: Tensor) -> Tensor:
        hot = torch.nn.functional.one_hot(x.clamp(min=0), 4).bool() & known[..., None]
        return ~hot.any(1, keepdim=True).expand(-1, x.shape[1], -1)

    scheduler = AbsorbingScheduler()
    scheduler.set_timesteps(1, 4)
    state = torch.full((2000, 4), MASK)
    state[:, 1] = 3
    logits = torch.zeros(2000, 4, 4)
    logits[..., 0] = 2.0
    found = scheduler.step(logits, 0, state, generator=seeded(), allowed=allowed).prev_sample
    assert torch.equal(found.sort(1).values, torch.arange(4).expand(2000, -1))
    assert (found[:, 1] == 3).all()


def test_where_nothing_is_allowed_the_denoiser_decides() -> None:
    scheduler = AbsorbingScheduler()
    scheduler.set_timesteps(1, 2)
    state = torch.full((5, 2), MASK)
    logits = torch.tensor([0.0, -torch.inf]).expand(5, 2, 2)
    nothing = torch.zeros(5, 2, 2, dtype=torch.bool)
    found = scheduler.step(logits, 0, state, allowed=lambda x, known: nothing).prev_sample
    assert (found == 0).all()


@pytest.mark.parametrize("steps", [1, 5, 26])
def test_spaces_with_constraints_come_out_valid(steps: int) -> None:
    cells = space("nasbench101")
    scheduler, generator = AbsorbingScheduler(), seeded()
    scheduler.set_timesteps(steps, 26)
    start = decode_at_random(cells, 64, 0)
    state = AbsorbingScheduler().add_noise(start, torch.full((64,), 0.5), generator)
    known = state != MASK
    logits = torch.zeros(64, *cells.choice_mask.shape).masked_fill(~cells.choice_mask, -torch.inf)
    scheduler.set_timesteps(steps, 13)
    for i in range(len(scheduler.timesteps)):
        state = scheduler.step(
            logits, i, state, generator=generator, allowed=cells.allowed
        ).prev_sample
    assert cells.is_valid(state).all()
    assert torch.equal(state[known], start[known])


def test_configuration_round_trip(tmp_path: Path) -> None:
    AbsorbingScheduler(num_train_timesteps=7).save_pretrained(tmp_path)
    assert AbsorbingScheduler.from_pretrained(tmp_path).config.num_train_timesteps == 7
