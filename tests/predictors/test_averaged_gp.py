from dataclasses import replace
from functools import cache

import gpytorch
import numpy as np
import pytest
import torch
from hypothesis import given, settings, strategies as st
from scipy.stats import spearmanr

from vitruvius.core.gaussian_process import condition, factorise
from vitruvius.core.normal_scores import NormalScores
from vitruvius.encoders.feature_sets import Features, FeatureSets
from vitruvius.evaluators import NASBenchGraphTable
from vitruvius.predictors.averaged_gp import (
    CONSTANT,
    JITTER,
    AveragedGP,
    Hyperparameters,
    _distances,
    _equal_weights,
    posterior_draws,
)
from vitruvius.spaces import space

SPACES = ["nasbench201", "nasbench101", "nas-bench-graph", "toy_recipe.yaml"]


@cache
def encoder_of(name: str) -> FeatureSets:
    return FeatureSets(space(name))


def observed(name: str = "nasbench201", n: int = 15, seed: int = 0) -> Features:
    """Distinct architectures."""
    encode = encoder_of(name)
    return encode(encode.space.sample(4 * n, seed).unique(dim=0)[:n])


def targets(n: int = 15, seed: int = 0) -> torch.Tensor:
    return torch.randn(n, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def prior(n: int, sets: int, seed: int) -> Hyperparameters:
    """Hyper-parameters drawn from the prior."""
    generator = torch.Generator().manual_seed(seed)
    normal = torch.randn(n, 2 * sets + 3, generator=generator, dtype=torch.float64)
    return Hyperparameters.of(normal)


def plain_kernel(gp: AveragedGP, sample: int, a: Features, b: Features) -> np.ndarray:
    """The formula of the docstring in numpy."""
    total = np.zeros((len(a), len(b)))
    for v, (left, right) in enumerate(zip(a.features, b.features, strict=True)):
        gap = left.double().numpy()[:, None] - right.double().numpy()[None]
        square = (gap**2).sum(-1)
        weight, scale = gp.hyper.weight[sample, v].item(), gp.hyper.scale[sample, v].item()
        root = np.sqrt(3 * square / scale)
        total += weight * (1 + root) * np.exp(-root)
    return gp.hyper.amplitude[sample].item() * total


def plain_mean(covariance: np.ndarray, z: np.ndarray) -> float:
    """The posterior mean of the constant."""
    ones = np.ones(len(z))
    inverse = np.linalg.inv(covariance)
    return float(ones @ inverse @ z / (ones @ inverse @ ones + 1 / CONSTANT[1]))


@settings(max_examples=8, deadline=None)
@given(name=st.sampled_from(SPACES), seed=st.integers(0, 2**20), n=st.integers(2, 40))
def test_kernels_are_symmetric_and_positive_semi_definite(name: str, seed: int, n: int) -> None:
    """Under 32 draws of the prior, whatever the architectures, repeats included."""
    encode = encoder_of(name)
    data = encode(encode.space.sample(n, seed)).double()
    drawn = prior(32, len(data.features), seed)
    task = torch.arange(n) % 2
    kernel = AveragedGP()._kernel(drawn, _distances(data, data), task, task)
    assert torch.allclose(kernel, kernel.transpose(1, 2))
    assert float(torch.linalg.eigvalsh(kernel).min()) > -1e-4
    assert bool((kernel.diagonal(dim1=1, dim2=2) <= drawn.amplitude[:, None] + 1e-9).all())


@pytest.mark.parametrize("sample", [0, 1])
def test_posterior_equals_the_textbook(sample: int) -> None:
    """Rasmussen & Williams, 2006, eq. 2.25 and 2.26, with the constant mean plugged in."""
    data, new, z = observed(), observed(seed=5, n=8), targets()
    gp = AveragedGP(num_samples=4, seed=1).fit(data, z)
    index = int(gp._parts[sample])
    covariance = plain_kernel(gp, index, data, data) + gp.hyper.noise[index].item() * np.eye(15)
    cross, prior = plain_kernel(gp, index, data, new), plain_kernel(gp, index, new, new)
    constant = plain_mean(covariance, z.numpy())
    mean = constant + cross.T @ np.linalg.solve(covariance, z.numpy() - constant)
    posterior = prior - cross.T @ np.linalg.solve(covariance, cross)
    ours = gp.posterior(new, joint=True)
    assert ours.covariance is not None
    np.testing.assert_allclose(ours.mean[sample].numpy(), mean, atol=1e-3)
    np.testing.assert_allclose(ours.covariance[sample].numpy(), posterior, atol=1e-3)


def test_posterior_equals_gpytorch() -> None:
    data, new, z = observed(), observed(seed=5, n=8), targets()
    gp = AveragedGP(num_samples=1, seed=3).fit(data, z)

    class Exact(gpytorch.models.ExactGP):
        def __init__(self, x: torch.Tensor, y: torch.Tensor) -> None:
            likelihood = gpytorch.likelihoods.GaussianLikelihood(
                noise_constraint=gpytorch.constraints.GreaterThan(1e-6)
            )
            super().__init__(x, y, likelihood)
            likelihood.noise = gp.hyper.noise[0]
            self.mean_module = gpytorch.means.ConstantMean()
            self.mean_module.constant = float(gp._weight[0])
            parts, start = [], 0
            for v, features in enumerate(data.features):
                columns = tuple(range(start, start + features.shape[1]))
                part = gpytorch.kernels.ScaleKernel(
                    gpytorch.kernels.MaternKernel(nu=1.5, active_dims=columns)
                )
                part.outputscale = gp.hyper.amplitude[0] * gp.hyper.weight[0, v]
                part.base_kernel.lengthscale = gp.hyper.scale[0, v].sqrt()
                parts.append(part)
                start += features.shape[1]
            self.covar_module = gpytorch.kernels.AdditiveKernel(*parts)

        def forward(self, x: torch.Tensor) -> gpytorch.distributions.MultivariateNormal:
            return gpytorch.distributions.MultivariateNormal(
                self.mean_module(x), self.covar_module(x)
            )

    model = Exact(torch.cat(data.features, 1).double(), z).double().eval()
    with torch.no_grad():
        theirs = model(torch.cat(new.features, 1).double())
    ours = gp.posterior(new, joint=True)
    assert ours.covariance is not None
    torch.testing.assert_close(ours.mean[0], theirs.mean, atol=1e-3, rtol=0)
    torch.testing.assert_close(ours.covariance[0], theirs.covariance_matrix, atol=1e-3, rtol=0)


@pytest.mark.parametrize("name", [*SPACES, pytest.param("mobilenetv3", marks=pytest.mark.slow)])
def test_joint_has_the_marginals_on_its_diagonal(name: str) -> None:
    gp = AveragedGP().fit(observed(name), targets())
    new = observed(name, 30, 1)
    alone, joint = gp.posterior(new), gp.posterior(new, joint=True)
    assert alone.covariance is None
    assert joint.covariance is not None
    torch.testing.assert_close(alone.mean, joint.mean)
    diagonal = joint.covariance.diagonal(dim1=1, dim2=2)
    assert torch.equal(joint.variance, diagonal)
    torch.testing.assert_close(alone.variance, diagonal, atol=1e-4, rtol=0)
    assert bool((alone.variance >= JITTER).all())
    assert float(torch.linalg.eigvalsh(joint.covariance).min()) > -1e-4


def test_leave_one_out_equals_leaving_out() -> None:
    """With the hyper-parameters and the constant mean kept as they are."""
    data, z = observed(), targets()
    gp = AveragedGP(num_samples=1).fit(data, z)
    noise, constant = gp.hyper.noise[0].item(), float(gp._weight[0])
    kernel = plain_kernel(gp, 0, data, data)
    mean, variance = gp.leave_one_out()
    for i in range(15):
        others = [j for j in range(15) if j != i]
        covariance = kernel[np.ix_(others, others)] + noise * np.eye(14)
        weights = np.linalg.solve(covariance, kernel[others, i])
        expected = constant + weights @ (z.numpy()[others] - constant)
        assert float(mean[i]) == pytest.approx(expected, abs=1e-6)
        left = kernel[i, i] + noise - weights @ kernel[others, i]
        assert float(variance[i]) == pytest.approx(left, abs=1e-6)


def test_leave_one_out_averages_over_samples() -> None:
    """Total variance: within samples, and between them."""
    gp = AveragedGP(num_samples=8).fit(observed(), targets())
    alone = []
    for index in gp._parts.tolist():
        one = gp.thinned()
        one.hyper, one._factor = gp.hyper[torch.tensor([index])], gp._factor[[index]]
        one._weight, one._alpha = gp._weight[[index]], gp._alpha[[index]]
        one._parts = torch.tensor([0])
        alone.append(one.leave_one_out())
    means, variances = (torch.stack(part) for part in zip(*alone, strict=True))
    mean, variance = gp.leave_one_out()
    torch.testing.assert_close(mean, means.mean(0))
    torch.testing.assert_close(variance, variances.mean(0) + means.var(0, correction=0))


@settings(max_examples=50, deadline=None)
@given(weight=st.lists(st.floats(1e-6, 1.0), min_size=1, max_size=30), n=st.integers(2, 40))
def test_equal_weights_stand_for_those_given(weight: list[float], n: int) -> None:
    """Systematic resampling: every share is met to within one part."""
    log_weight = torch.tensor(weight, dtype=torch.float64).log().log_softmax(0)
    chosen = _equal_weights(log_weight, n)
    assert len(chosen) == n
    counts = chosen.bincount(minlength=len(weight)).double()
    assert float((counts - n * log_weight.exp()).abs().max()) < 1 + 1e-6


def log_likelihood(data: Features, z: torch.Tensor, hyper: Hyperparameters) -> torch.Tensor:
    task, exact = torch.zeros(len(z), dtype=torch.long), data.double()
    kernel = AveragedGP()._kernel(hyper, _distances(exact, exact), task, task)
    basis = torch.ones(len(z), 1, dtype=torch.float64)
    return condition(factorise(kernel, hyper.noise), z, basis, (CONSTANT,)).log_likelihood


def test_one_sample_is_the_likeliest() -> None:
    one, many = (AveragedGP(num_samples=n, seed=2).fit(observed(), targets()) for n in (1, 16))
    best = log_likelihood(observed(), targets(), one.hyper)
    rest = log_likelihood(observed(), targets(), many.hyper)
    assert len(one.hyper.noise) == 1
    assert float(best) == pytest.approx(float(rest.max()))


def test_likelihood_is_that_of_gaussian_data() -> None:
    """Up to what all samples share, and with the constant mean at its most probable value."""
    data, z = observed(), targets()
    gp = AveragedGP()
    gp.hyper = prior(3, len(data.features), 4)
    expected = []
    for sample in range(3):
        noise = gp.hyper.noise[sample].item() * np.eye(15)
        covariance = plain_kernel(gp, sample, data, data) + noise
        constant = plain_mean(covariance, z.numpy())
        gap = z.numpy() - constant
        quadratic = gap @ np.linalg.solve(covariance, gap) + constant**2 / CONSTANT[1]
        expected.append(-0.5 * (quadratic + np.linalg.slogdet(covariance)[1]))
    ours = log_likelihood(data, z, gp.hyper).numpy()
    np.testing.assert_allclose(np.diff(ours), np.diff(expected), atol=1e-4)


def test_prior_covers_the_simplex_and_the_noise_range() -> None:
    drawn = prior(4096, 4, 0)
    torch.testing.assert_close(drawn.weight.sum(1), torch.ones(4096, dtype=torch.float64))
    assert bool((drawn.weight >= 0).all())
    assert drawn.weight.mean(0).tolist() == pytest.approx([0.25] * 4, abs=0.02)
    # Often one feature set has most of it.
    assert 0.15 < float((drawn.weight.amax(1) > 0.9).double().mean()) < 0.35
    assert 1e-3 <= float(drawn.noise.min()) < 2e-3
    assert 0.2 < float(drawn.noise.max()) <= 0.3
    assert float(drawn.scale.log().mean()) == pytest.approx(0, abs=0.03)


def test_draws_follow_the_posterior() -> None:
    """A Gaussian likelihood of mean 1.5 and variance 1/4 per number: mean 1.2, variance 1/5."""

    def likelihood(x: torch.Tensor) -> torch.Tensor:
        return -2 * (x - 1.5).square().sum(1)

    draws = torch.cat([posterior_draws(likelihood, 3, 16, seed) for seed in range(60)])
    assert draws.mean(0).tolist() == pytest.approx([1.2] * 3, abs=0.06)
    assert draws.var(0).tolist() == pytest.approx([0.2] * 3, abs=0.04)


def test_a_narrow_posterior_is_reached_where_no_draw_of_the_prior_lies() -> None:
    """In eleven numbers, none of 256 draws comes near: the walk does."""
    centre = torch.linspace(-1.5, 1.5, 11, dtype=torch.float64)

    def likelihood(x: torch.Tensor) -> torch.Tensor:
        return -4 * (x - centre).square().sum(1)

    draws = posterior_draws(likelihood, 11, 16, seed=0)
    engine = torch.quasirandom.SobolEngine(11, scramble=True, seed=0)
    drawn = torch.special.ndtri(engine.draw(256, dtype=torch.float64).clamp(1e-6, 1 - 1e-6))
    assert float(likelihood(draws).median()) > float(likelihood(drawn).max())


def fixed(monkeypatch: pytest.MonkeyPatch, correlation: float) -> None:
    """Makes all samples have this correlation between tasks."""
    of = Hyperparameters.of

    def made(normal: torch.Tensor) -> Hyperparameters:
        given = torch.full((len(normal),), correlation, dtype=torch.float64)
        return replace(of(normal), correlation=given)

    monkeypatch.setattr(Hyperparameters, "of", made)


def test_perfectly_correlated_tasks_are_one(monkeypatch: pytest.MonkeyPatch) -> None:
    fixed(monkeypatch, 1.0)
    data, z, new = observed(), targets(), observed(seed=9, n=6)
    one = AveragedGP().fit(data, z)
    two = AveragedGP().fit(data, z, torch.arange(15) % 2)
    for task in (0, 1):
        ours, theirs = two.posterior(new, task=task), one.posterior(new)
        torch.testing.assert_close(ours.mean, theirs.mean)
        torch.testing.assert_close(ours.variance, theirs.variance)


def test_uncorrelated_tasks_say_nothing_of_each_other(monkeypatch: pytest.MonkeyPatch) -> None:
    fixed(monkeypatch, 0.0)
    gp = AveragedGP().fit(observed(), targets(), torch.ones(15, dtype=torch.long))
    new = observed(seed=9, n=6)
    posterior = gp.posterior(new)
    variance = posterior.variance
    assert float(posterior.mean.std(1).max()) < 1e-6
    torch.testing.assert_close(variance, gp.hyper.amplitude[gp._parts][:, None].expand(-1, 6))
    assert float(gp.posterior(new, task=1).variance.max()) < float(variance.max())


def test_thinned_is_of_the_samples_that_weigh_most() -> None:
    gp = AveragedGP().fit(observed(), targets())
    thinned = gp.thinned(2)
    new = observed(seed=9, n=6)
    assert thinned.posterior(new).mean.shape == (min(2, len(gp.hyper.noise)), 6)
    most = int(gp._parts.bincount().argmax())
    part = int((gp._parts == most).nonzero()[0, 0])
    torch.testing.assert_close(thinned.posterior(new).mean[0], gp.posterior(new).mean[part])
    torch.testing.assert_close(thinned.posterior(new).variance[0], gp.posterior(new).variance[part])


def test_the_same_seed_gives_the_same_and_the_global_state_is_left_alone() -> None:
    torch.manual_seed(0)
    before = torch.get_rng_state()
    data, new = observed(), observed(seed=9, n=6)
    first, again, other = (
        AveragedGP(seed=seed).fit(data, targets()).posterior(new).mean for seed in (0, 0, 1)
    )
    assert torch.equal(first, again)
    assert not torch.equal(first, other)
    assert torch.equal(torch.get_rng_state(), before)


def test_repeated_and_few_observations() -> None:
    """Two measurements of one architecture that differ are noise, not an error."""
    data = observed(n=1)
    gp = AveragedGP().fit(data.join(data), torch.tensor([-0.7, 0.7]))
    mean = gp.posterior(data).mean
    assert mean.mean().item() == pytest.approx(0, abs=1e-4)


@pytest.mark.slow
def test_predictions_improve_with_labels() -> None:
    """On Cora, also beyond the observations that likelihoods are of."""
    table = NASBenchGraphTable("cora")
    encode = encoder_of("nas-bench-graph")
    rows = table.rows[torch.randperm(len(table.rows), generator=torch.Generator().manual_seed(0))]
    held = rows[-1000:]
    truth = table.values(held)["valid_perf"]
    correlations, nearest = [], []
    for n in (10, 50, 400):
        values = table.values(rows[:n])["valid_perf"]
        gp = AveragedGP().fit(encode(rows[:n]), NormalScores(values)(values))
        mean = gp.posterior(encode(held)).mean.mean(0)
        correlations.append(float(spearmanr(mean, truth).statistic))
        nearest.append(float(gp.posterior(encode(held)).variance.mean()))
    assert correlations == sorted(correlations)
    assert correlations[-1] > 0.65
    assert nearest[0] > nearest[-1]
