import math

import numpy as np
import pytest
import torch
from hypothesis import given, strategies as st
from scipy.stats import norm

from vitruvius.predictors.posterior import CERTAIN, Posterior, aligned, log_interval, mixture


def random(samples: int, points: int = 3, seed: int = 0) -> Posterior:
    """Random means, a random covariance, noise of 1, 2, …"""
    generator = torch.Generator().manual_seed(seed)
    mean = torch.randn(samples, points, generator=generator, dtype=torch.float64)
    root = torch.randn(samples, points, points, generator=generator, dtype=torch.float64)
    covariance = root @ root.transpose(1, 2)
    noise = torch.arange(1, samples + 1).double()
    return Posterior(mean, covariance.diagonal(dim1=1, dim2=2), noise, covariance)


# -- one ----------------------------------------------------------------------------------------


def test_moments_are_those_of_a_mixture() -> None:
    """The law of total variance: mean of the variances plus variance of the means."""
    two = Posterior(
        torch.tensor([[0.0, 1.0], [2.0, 1.0]]).double(),
        torch.tensor([[1.0, 4.0], [1.0, 0.25]]).double(),
        torch.tensor([0.0, 1.0]).double(),
    )
    mean, std = two.moments()
    assert mean.tolist() == [1.0, 1.0]
    assert std.square().tolist() == pytest.approx([1.0 + 1.0, (4.0 + 0.25) / 2])
    assert two.moments(observation_noise=True)[1].square().tolist() == pytest.approx([2.5, 2.625])


def test_observed_has_the_noise_in_the_variance() -> None:
    plain = random(2)
    noisy = plain.observed()
    torch.testing.assert_close(noisy.variance, plain.variance + plain.noise[:, None])
    assert noisy.covariance is not None
    assert plain.covariance is not None
    torch.testing.assert_close(noisy.covariance.diagonal(dim1=1, dim2=2), noisy.variance)
    rest = noisy.covariance - plain.covariance
    torch.testing.assert_close(rest, plain.noise[:, None, None] * torch.eye(3))
    assert not noisy.noise.any()


def test_a_sample_and_some_points_are_parts_of_it() -> None:
    whole = random(3)
    part = whole.sample(1)[:2]
    assert part.num_samples == 1
    assert torch.equal(part.mean[0], whole.mean[1, :2])
    assert torch.equal(part.variance[0], whole.variance[1, :2])
    assert part.covariance is not None
    assert whole.covariance is not None
    assert torch.equal(part.covariance[0], whole.covariance[1, :2, :2])


def test_the_probability_is_that_of_the_mixture() -> None:
    two = Posterior(
        torch.tensor([[-3.0], [3.0]]).double(), torch.ones(2, 1).double(), torch.zeros(2)
    )
    expected = (norm.cdf(4, -3) - norm.cdf(2, -3) + norm.cdf(4, 3) - norm.cdf(2, 3)) / 2
    assert float(two.log_probability(2.0, 4.0).exp()) == pytest.approx(expected)


@pytest.mark.parametrize("joint", [False, True])
def test_draws_have_the_moments(joint: bool) -> None:
    posterior = random(2)
    if not joint:
        posterior = Posterior(posterior.mean, posterior.variance, posterior.noise)
    draws = posterior.draws(40_000, seed=0)
    mean, std = posterior.moments()
    torch.testing.assert_close(draws.mean(0), mean, atol=0.05, rtol=0)
    torch.testing.assert_close(draws.std(0), std, atol=0.05, rtol=0)
    if joint:
        assert posterior.covariance is not None
        gap = posterior.mean - mean
        expected = (posterior.covariance + gap[:, :, None] * gap[:, None]).mean(0)
        torch.testing.assert_close(draws.T.cov(), expected, atol=0.15, rtol=0.05)
    assert torch.equal(draws, posterior.draws(40_000, seed=0))


def test_what_is_counted_is_certain() -> None:
    counted = Posterior.deterministic(torch.tensor([3.0, 4.0]), joint=True)
    assert counted.mean.tolist() == [[3.0, 4.0]]
    assert counted.covariance is not None
    torch.testing.assert_close(counted.covariance, CERTAIN * torch.eye(2).double()[None])
    assert not counted.noise.any()


def test_independent_points_come_back() -> None:
    mean, std = torch.tensor([0.5, -1.0]), torch.tensor([0.1, 3.0])
    one = Posterior.gaussian(mean, std)
    assert one.covariance is None
    for ours, theirs in zip(one.moments(observation_noise=True), (mean, std), strict=True):
        assert torch.equal(ours, theirs.double())
    moved = one.shifted(torch.ones(2))
    assert torch.equal(moved.mean[0], mean.double() + 1)
    assert torch.equal(moved.variance, one.variance)


# -- several ------------------------------------------------------------------------------------


@pytest.mark.parametrize("counts", [(1, 4), (2, 3), (16, 1, 2), (5, 5)])
def test_members_count_alike_however_many_samples_they_have(counts: tuple[int, ...]) -> None:
    parts = [random(count, seed=i) for i, count in enumerate(counts)]
    whole = mixture(parts)
    assert whole.num_samples == len(counts) * math.lcm(*counts)
    expected = torch.stack([part.mean.mean(0) for part in parts]).mean(0)
    torch.testing.assert_close(whole.mean.mean(0), expected)
    for ours, part in zip(aligned(parts), parts, strict=True):
        assert ours.num_samples == math.lcm(*counts)
        for mine, theirs in zip(ours.moments(), part.moments(), strict=True):
            torch.testing.assert_close(mine, theirs)
        assert ours.covariance is not None
        assert part.covariance is not None
        torch.testing.assert_close(ours.covariance.mean(0), part.covariance.mean(0))


def test_members_count_as_often_as_they_have_votes() -> None:
    parts = [random(count, seed=i) for i, count in enumerate((2, 3))]
    whole = mixture(parts, (2, 1))
    expected = (2 * parts[0].mean.mean(0) + parts[1].mean.mean(0)) / 3
    torch.testing.assert_close(whole.mean.mean(0), expected)
    assert whole.covariance is not None
    assert whole.num_samples == len(whole.covariance) == 18


def test_without_covariances_there_is_none() -> None:
    assert mixture([Posterior.deterministic(torch.zeros(2))] * 2).covariance is None


# -- intervals ----------------------------------------------------------------------------------


def interval(mean: float, std: float, low: float, high: float) -> float:
    one = torch.ones(1, dtype=torch.float64)
    bounds = torch.tensor([low, high], dtype=torch.float64)
    return float(log_interval(mean * one, std * one, bounds))


@pytest.mark.parametrize(
    ("low", "high"), [(-1, 1), (0, 3), (-3, 0), (2, 5), (-5, -2), (-math.inf, 1), (1, math.inf)]
)
def test_intervals_in_the_middle(low: float, high: float) -> None:
    expected = math.log(norm.cdf(high, 0.3, 1.7) - norm.cdf(low, 0.3, 1.7))
    assert interval(0.3, 1.7, low, high) == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize("z", [8.0, 20.0, 40.0, 1e3, 1e6])
def test_tails(z: float) -> None:
    assert interval(0.0, 1.0, z, math.inf) == pytest.approx(norm.logsf(z), rel=1e-9)
    assert interval(0.0, 1.0, -math.inf, -z) == pytest.approx(norm.logcdf(-z), rel=1e-9)
    # log(a - b) by the logarithms of a and b, both far below the smallest double.
    a, b = norm.logsf(z), norm.logsf(z + 0.01)
    expected = a + np.log1p(-np.exp(b - a))
    assert interval(0.0, 1.0, z, z + 0.01) == pytest.approx(expected, rel=1e-9)
    assert interval(0.0, 1.0, -z - 0.01, -z) == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize("at", [-6.0, 0.0, 0.7, 6.0])
@pytest.mark.parametrize("width", [1e-4, 1e-7, 1e-10])
def test_narrow_intervals_are_density_times_width(at: float, width: float) -> None:
    expected = norm.logpdf(at) + math.log(width)
    assert interval(0.0, 1.0, at, at + width) == pytest.approx(expected, rel=1e-3)


def test_the_whole_line_is_certain_and_a_point_is_not() -> None:
    assert interval(0.0, 1.0, -math.inf, math.inf) == 0.0
    assert math.isfinite(interval(0.0, 1.0, 0.5, 0.5))
    assert interval(0.0, 1.0, 0.5, 0.5) < -25


@given(st.floats(-30, 30), st.floats(0, 30), st.floats(0.05, 5))
def test_intervals_are_symmetric(low: float, width: float, std: float) -> None:
    right = interval(0.0, std, low, low + width)
    assert right == pytest.approx(interval(0.0, std, -low - width, -low), rel=1e-6, abs=1e-12)


@pytest.mark.parametrize("bounds", [(-1e4, 2.0), (2.0, 1e4), (2.0, 2.1), (-1e4, 1e4)])
def test_gradients_of_intervals_are_finite(bounds: tuple[float, float]) -> None:
    mean = torch.linspace(-40, 40, 9, dtype=torch.float64).requires_grad_()
    std = torch.full((9,), 0.1, dtype=torch.float64).requires_grad_()
    log_interval(mean, std, torch.tensor(bounds, dtype=torch.float64)).sum().backward()
    for leaf in (mean, std):
        assert leaf.grad is not None
        assert leaf.grad.isfinite().all()
