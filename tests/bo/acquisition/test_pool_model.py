import math
from dataclasses import replace

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
from vitruvius.encoders.feature_sets import FeatureSets
from vitruvius.predictors.averaged_gp import AveragedGP
from vitruvius.predictors.posterior import CERTAIN, Posterior
from vitruvius.spaces import space

POINTS = 6
NOISE = 0.5


def random(samples: int, n: int = POINTS, seed: int = 0) -> Posterior:
    """Random means and a random covariance."""
    generator = torch.Generator().manual_seed(seed)
    mean = torch.randn(samples, n, generator=generator, dtype=torch.float64)
    root = torch.randn(samples, n, n, generator=generator, dtype=torch.float64)
    covariance = root @ root.transpose(1, 2) + 0.1 * torch.eye(n, dtype=torch.float64)
    noise = torch.full((samples,), NOISE, dtype=torch.float64)
    return Posterior(mean, covariance.diagonal(dim1=1, dim2=2), noise, covariance)


def matrix(posterior: Posterior) -> torch.Tensor:
    assert posterior.covariance is not None
    return posterior.covariance


def as_points(*rows: list[int]) -> torch.Tensor:
    return torch.tensor(rows, dtype=torch.float64)[..., None]


@settings(max_examples=50, deadline=None)
@given(
    rows=st.lists(
        st.lists(st.integers(0, POINTS - 1), min_size=3, max_size=3, unique=True),
        min_size=1,
        max_size=4,
    ),
    samples=st.sampled_from([1, 5]),
    outputs=st.integers(1, 3),
)
def test_posterior_equals_that_of_the_outputs(
    rows: list[list[int]], samples: int, outputs: int
) -> None:
    """Of any sets of points."""
    given_outputs = [random(samples, seed=i) for i in range(outputs)]
    posterior = PoolModel(given_outputs).posterior(as_points(*rows))
    x = torch.tensor(rows)
    batch = (len(rows), samples, 3) if samples > 1 else (len(rows), 3)
    assert posterior.mean.shape == (*batch, outputs)
    for output, each in enumerate(given_outputs):
        mean = each.mean[:, x].movedim(0, 1)
        covariance = matrix(each)[:, x[:, :, None], x[:, None, :]].movedim(0, 1)
        if samples == 1:
            mean, covariance = mean[:, 0], covariance[:, 0]
        torch.testing.assert_close(posterior.mean[..., output], mean)
        whole = posterior.distribution.covariance_matrix
        block = slice(3 * output, 3 * output + 3)
        torch.testing.assert_close(whole[..., block, block], covariance)
        assert not whole[..., block, block.stop :].any()


def test_without_a_covariance_points_are_asked_for_one_by_one() -> None:
    alone = replace(random(3), covariance=None)
    posterior = PoolModel([alone]).posterior(as_points([0, 4]))
    torch.testing.assert_close(
        posterior.distribution.covariance_matrix[0], alone.variance[:, [0, 4]].diag_embed()
    )


@pytest.mark.parametrize("joint", [True, False])
def test_what_an_evaluation_shows_is_noisy(joint: bool) -> None:
    """Unless it is counted."""
    outputs = [
        random(3) if joint else replace(random(3), covariance=None),
        Posterior.deterministic(torch.zeros(POINTS), joint=joint),
    ]
    plain, noisy = (PoolModel(outputs, observation_noise=noise) for noise in (False, True))
    torch.testing.assert_close(noisy.outputs[0].variance, plain.outputs[0].variance + NOISE)
    torch.testing.assert_close(noisy.outputs[1].variance, plain.outputs[1].variance)
    x = as_points([2])
    torch.testing.assert_close(
        noisy.posterior(x).variance[..., 0], plain.posterior(x).variance[..., 0] + NOISE
    )


def test_samples_are_models_of_their_own() -> None:
    model = PoolModel([random(3, seed=i) for i in range(2)])
    x = as_points([1, 2])
    parts = [part.posterior(x) for part in model.split_samples()]
    assert len(parts) == 3
    torch.testing.assert_close(torch.stack([p.mean for p in parts], 1), model.posterior(x).mean)
    torch.testing.assert_close(
        torch.stack([p.variance for p in parts], 1), model.posterior(x).variance
    )


def test_outputs_of_any_numbers_of_samples_join() -> None:
    counted = Posterior.deterministic(torch.arange(6.0), joint=True)
    model = PoolModel([random(4), counted])
    posterior = model.posterior(as_points([5], [2]))
    assert model.batch_shape == (4,)
    assert posterior.mean.shape == (2, 4, 1, 2)
    assert posterior.mean[..., 1].tolist() == [[[5.0]] * 4, [[2.0]] * 4]
    assert float(posterior.variance[..., 1].max()) <= CERTAIN + 1e-12
    assert PoolModel([random(4), random(6)]).num_samples == 12


def test_samples_have_the_mean_and_the_covariance() -> None:
    given_output = random(1)
    posterior = PoolModel([given_output]).posterior(as_points(list(range(6))))
    samples = SobolQMCNormalSampler(torch.Size([4096]), seed=0)(posterior)[:, 0, :, 0]
    torch.testing.assert_close(samples.mean(0), given_output.mean[0], atol=0.05, rtol=0)
    torch.testing.assert_close(samples.T.cov(), matrix(given_output)[0], atol=0.3, rtol=0.05)


def test_some_outputs() -> None:
    model = PoolModel([random(2, seed=i) for i in range(3)])
    x = as_points([1, 2])
    whole = model.posterior(x)
    assert torch.equal(model.subset_output([2, 0]).posterior(x).mean, whole.mean[..., [2, 0]])
    assert torch.equal(model.posterior(x, output_indices=[1]).mean, whole.mean[..., [1]])
    assert model.subset_output([1]).num_outputs == 1
    assert model.num_outputs == 3


@pytest.mark.parametrize("samples", [1, 4])
def test_acquisition_functions_of_botorch_work(samples: int) -> None:
    output = random(samples)
    model = PoolModel([output])
    x = as_points(*[[i] for i in range(6)])
    sampler = SobolQMCNormalSampler(torch.Size([2048]), seed=0)
    exact = LogExpectedImprovement(model, best_f=0.2)(x)
    assert exact.shape == (6,)
    estimated = qLogExpectedImprovement(model, best_f=0.2, sampler=sampler)(x)
    torch.testing.assert_close(estimated, exact, atol=0.05, rtol=0)
    bound = UpperConfidenceBound(model, beta=4.0)(x)
    deviation = output.variance.sqrt()
    torch.testing.assert_close(bound, (output.mean + 2 * deviation).mean(0))
    # The mean of |N(0, 1)| stands for a deviation; a factor in the formula makes up for it.
    torch.testing.assert_close(
        qUpperConfidenceBound(model, beta=4.0, sampler=sampler)(x), bound, atol=0.05, rtol=0
    )
    pairs = as_points([0, 1], [2, 3])
    singles = qLogExpectedImprovement(model, best_f=0.2, sampler=sampler)(pairs)
    assert bool((singles >= exact[[0, 2]] - 0.05).all())


@pytest.mark.parametrize("samples", [1, 4])
def test_noisy_improvement_over_what_is_certain_is_improvement(samples: int) -> None:
    output = random(samples)
    covariance = matrix(output)
    covariance[:, 0] = covariance[:, :, 0] = 0.0
    covariance[:, 0, 0] = 1e-10
    output.mean[:, 0] = 0.2
    model = PoolModel([output])
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
    output = random(2, n=1)
    output.mean[:] = torch.tensor([[0.0], [-8.0]])
    matrix(output)[:] = 1.0
    value = LogExpectedImprovement(PoolModel([output]), best_f=0.0)(as_points([0]))
    assert value.item() == pytest.approx(math.log(0.39894 / 2), abs=1e-3)


def test_a_fitted_process() -> None:
    cells = space("nasbench201")
    encode = FeatureSets(cells)
    gp = AveragedGP().fit(encode(cells.sample(20, 0)), torch.linspace(-1, 1, 20))
    output = gp.posterior(encode(cells.sample(9, 1)), joint=True)
    posterior = PoolModel([output]).posterior(as_points([3, 0, 8]))
    torch.testing.assert_close(posterior.mean[0, :, :, 0], output.mean[:, [3, 0, 8]])
    torch.testing.assert_close(
        posterior.distribution.covariance_matrix[0], matrix(output)[:, [3, 0, 8]][:, :, [3, 0, 8]]
    )
