import math

import pytest
import torch
from botorch.acquisition import (
    LogExpectedImprovement,
    UpperConfidenceBound,
    qLogExpectedImprovement,
    qLogNoisyExpectedImprovement,
    qUpperConfidenceBound,
)
from botorch.sampling import SobolQMCNormalSampler
from hypothesis import given, settings, strategies as st

from vitruvius.bo.acquisition.pool_model import PoolModel
from vitruvius.encoders.feature_sets import Features, FeatureSets
from vitruvius.predictors.averaged_gp import AveragedGP
from vitruvius.predictors.surrogate import Belief, Known
from vitruvius.spaces import space

POINTS = 6
NOISE = 0.5


def pool(n: int = POINTS) -> Features:
    return Features(torch.arange(n)[:, None], ())


class ExternalResult:
    """A belief in random means and a random covariance."""

    def __init__(self, settings: int, n: int = POINTS, seed: int = 0) -> None:
        generator = torch.Generator().manual_seed(seed)
        self.mean = torch.randn(settings, n, generator=generator, dtype=torch.float64)
        root = torch.randn(settings, n, n, generator=generator, dtype=torch.float64)
        self.covariance = root @ root.transpose(1, 2) + 0.1 * torch.eye(n, dtype=torch.float64)

    def noise(self) -> torch.Tensor:
        return torch.full((len(self.mean),), NOISE, dtype=torch.float64)

    def marginals(self, data: Features) -> tuple[torch.Tensor, torch.Tensor]:
        return self.mean, self.covariance.diagonal(dim1=1, dim2=2).clone()

    def joint(self, data: Features) -> tuple[torch.Tensor, torch.Tensor]:
        return self.mean, self.covariance.clone()


def as_points(*rows: list[int]) -> torch.Tensor:
    return torch.tensor(rows, dtype=torch.float64)[..., None]


def test_beliefs() -> None:
    assert isinstance(ExternalResult(1), Belief)
    assert isinstance(Known(torch.zeros(2)), Belief)
    encode = FeatureSets(space("nasbench201"), ("depth",))
    data = encode(encode.space.sample(3, 0))
    assert isinstance(AveragedGP().fit(data, torch.arange(3.0)), Belief)


@settings(max_examples=50, deadline=None)
@given(
    rows=st.lists(
        st.lists(st.integers(0, POINTS - 1), min_size=3, max_size=3, unique=True),
        min_size=1,
        max_size=4,
    ),
    kept=st.sampled_from([1, 5]),
    outputs=st.integers(1, 3),
)
def test_posterior_equals_the_belief(rows: list[list[int]], kept: int, outputs: int) -> None:
    """Of any sets of points."""
    beliefs = [ExternalResult(kept, seed=i) for i in range(outputs)]
    posterior = PoolModel(pool(), beliefs).posterior(as_points(*rows))
    x = torch.tensor(rows)
    batch = (len(rows), kept, 3) if kept > 1 else (len(rows), 3)
    assert posterior.mean.shape == (*batch, outputs)
    for output, belief in enumerate(beliefs):
        mean = belief.mean[:, x].movedim(0, 1)
        covariance = belief.covariance[:, x[:, :, None], x[:, None, :]].movedim(0, 1)
        if kept == 1:
            mean, covariance = mean[:, 0], covariance[:, 0]
        torch.testing.assert_close(posterior.mean[..., output], mean)
        whole = posterior.distribution.covariance_matrix
        block = slice(3 * output, 3 * output + 3)
        torch.testing.assert_close(whole[..., block, block], covariance)
        assert not whole[..., block, block.stop :].any()


def test_uncorrelated_has_variances_alone() -> None:
    belief = ExternalResult(3)
    model = PoolModel(pool(), [belief], correlated=False)
    posterior = model.posterior(as_points([0, 4]))
    torch.testing.assert_close(
        posterior.distribution.covariance_matrix[0],
        belief.covariance.diagonal(dim1=1, dim2=2)[:, [0, 4]].diag_embed(),
    )
    for kind in (model, PoolModel(pool(), [belief])):
        torch.testing.assert_close(kind.variance(0), belief.marginals(pool())[1])


@pytest.mark.parametrize("correlated", [True, False])
def test_what_an_evaluation_shows_is_noisy(correlated: bool) -> None:
    """Unless it is counted."""
    beliefs = [ExternalResult(3), Known(torch.zeros(POINTS))]
    plain, shown = (
        PoolModel(pool(), beliefs, correlated=correlated, shown=shown) for shown in (False, True)
    )
    torch.testing.assert_close(shown.variance(0), plain.variance(0) + NOISE)
    torch.testing.assert_close(shown.variance(1), plain.variance(1))


def test_settings_are_models_of_their_own() -> None:
    model = PoolModel(pool(), [ExternalResult(3, seed=i) for i in range(2)])
    x = as_points([1, 2])
    parts = [part.posterior(x) for part in model.settings()]
    assert len(parts) == 3
    torch.testing.assert_close(torch.stack([p.mean for p in parts], 1), model.posterior(x).mean)
    torch.testing.assert_close(
        torch.stack([p.variance for p in parts], 1), model.posterior(x).variance
    )


def test_a_belief_of_one_setting_joins_those_of_several() -> None:
    model = PoolModel(pool(), [ExternalResult(4), Known(torch.arange(6.0))])
    posterior = model.posterior(as_points([5], [2]))
    assert model.batch_shape == (4,)
    assert posterior.mean.shape == (2, 4, 1, 2)
    assert posterior.mean[..., 1].tolist() == [[[5.0]] * 4, [[2.0]] * 4]
    assert float(posterior.variance[..., 1].max()) <= Known.VARIANCE + 1e-12


def test_samples_have_the_mean_and_the_covariance() -> None:
    belief = ExternalResult(1)
    posterior = PoolModel(pool(), [belief]).posterior(as_points(list(range(6))))
    samples = SobolQMCNormalSampler(torch.Size([4096]), seed=0)(posterior)[:, 0, :, 0]
    torch.testing.assert_close(samples.mean(0), belief.mean[0], atol=0.05, rtol=0)
    torch.testing.assert_close(samples.T.cov(), belief.covariance[0], atol=0.3, rtol=0.05)


def test_some_outputs() -> None:
    model = PoolModel(pool(), [ExternalResult(2, seed=i) for i in range(3)])
    x = as_points([1, 2])
    whole = model.posterior(x)
    assert torch.equal(model.subset_output([2, 0]).posterior(x).mean, whole.mean[..., [2, 0]])
    assert torch.equal(model.posterior(x, output_indices=[1]).mean, whole.mean[..., [1]])
    assert model.subset_output([1]).num_outputs == 1
    assert model.num_outputs == 3


@pytest.mark.parametrize("kept", [1, 4])
def test_acquisition_functions_of_botorch_work(kept: int) -> None:
    belief = ExternalResult(kept)
    model = PoolModel(pool(), [belief])
    x = as_points(*[[i] for i in range(6)])
    sampler = SobolQMCNormalSampler(torch.Size([2048]), seed=0)
    exact = LogExpectedImprovement(model, best_f=0.2)(x)
    assert exact.shape == (6,)
    estimated = qLogExpectedImprovement(model, best_f=0.2, sampler=sampler)(x)
    torch.testing.assert_close(estimated, exact, atol=0.05, rtol=0)
    bound = UpperConfidenceBound(model, beta=4.0)(x)
    deviation = belief.covariance.diagonal(dim1=1, dim2=2).sqrt()
    torch.testing.assert_close(bound, (belief.mean + 2 * deviation).mean(0))
    # The mean of |N(0, 1)| stands for a deviation; a factor in the formula makes up for it.
    torch.testing.assert_close(
        qUpperConfidenceBound(model, beta=4.0, sampler=sampler)(x), bound, atol=0.05, rtol=0
    )
    pairs = as_points([0, 1], [2, 3])
    singles = qLogExpectedImprovement(model, best_f=0.2, sampler=sampler)(pairs)
    assert bool((singles >= exact[[0, 2]] - 0.05).all())


@pytest.mark.parametrize("kept", [1, 4])
def test_noisy_improvement_over_what_is_certain_is_improvement(kept: int) -> None:
    belief = ExternalResult(kept)
    belief.covariance[:, 0] = belief.covariance[:, :, 0] = 0.0
    belief.covariance[:, 0, 0] = 1e-10
    belief.mean[:, 0] = 0.2
    model = PoolModel(pool(), [belief])
    x = as_points([1], [2], [3])
    noisy = qLogNoisyExpectedImprovement(
        model,
        X_baseline=torch.zeros(1, 1, dtype=torch.float64),
        sampler=SobolQMCNormalSampler(torch.Size([2048]), seed=0),
        prune_baseline=False,
        cache_root=False,
    )(x)
    exact = LogExpectedImprovement(model, best_f=0.2)(x)
    torch.testing.assert_close(noisy, exact, atol=0.06, rtol=0)


def test_log_of_the_average_improvement_not_average_of_the_log() -> None:
    """A mixture improves by the average over its parts."""
    belief = ExternalResult(2, n=1)
    belief.mean[:] = torch.tensor([[0.0], [-8.0]])
    belief.covariance[:] = 1.0
    value = LogExpectedImprovement(PoolModel(pool(1), [belief]), best_f=0.0)(as_points([0]))
    assert value.item() == pytest.approx(math.log(0.39894 / 2), abs=1e-3)


def test_a_fitted_process() -> None:
    cells = space("nasbench201")
    views = FeatureSets(cells)
    gp = AveragedGP().fit(views(cells.sample(20, 0)), torch.linspace(-1, 1, 20))
    new = views(cells.sample(9, 1))
    mean, covariance = gp.joint(new)
    posterior = PoolModel(new, [gp]).posterior(as_points([3, 0, 8]))
    torch.testing.assert_close(posterior.mean[0, :, :, 0], mean[:, [3, 0, 8]])
    torch.testing.assert_close(
        posterior.distribution.covariance_matrix[0], covariance[:, [3, 0, 8]][:, :, [3, 0, 8]]
    )
