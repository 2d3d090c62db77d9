import pytest
import torch

from vitruvius.encoders.feature_sets import Features, FeatureSets
from vitruvius.predictors.deep_kernel import DeepKernelGP
from vitruvius.spaces import space


@pytest.fixture(scope="module")
def views() -> FeatureSets:
    return FeatureSets(space("nasbench201"), ("one-hot", "depth"))


@pytest.fixture(scope="module")
def data(views: FeatureSets) -> Features:
    return views(views.space.sample(60, 0).unique(dim=0)[:30])


def fitted(views: FeatureSets, data: Features, task: torch.Tensor | None = None) -> DeepKernelGP:
    return DeepKernelGP(views.space).fit(data, torch.linspace(-2, 2, 30), task)


def test_everything_it_inherits_sees_the_embedding(views: FeatureSets, data: Features) -> None:
    gp = fitted(views, data, torch.arange(30) % 2)
    new = views(views.space.sample(6, 1))
    mean, variance = gp.marginals(new)
    joint_mean, covariance = gp.joint(new)
    torch.testing.assert_close(mean, joint_mean)
    torch.testing.assert_close(variance, covariance.diagonal(dim1=1, dim2=2), atol=1e-4, rtol=0)
    assert gp.coarse(1).marginals(new)[0].shape == (1, 6)
    assert gp.correlation(new, 1).shape == (6,)
    assert gp.leave_one_out()[0].shape == (30,)


def test_it_learns_what_was_observed(views: FeatureSets, data: Features) -> None:
    z = torch.linspace(-2, 2, 30)
    mean = fitted(views, data).marginals(data)[0].mean(0)
    assert float(torch.stack([mean, z.double()]).corrcoef()[0, 1]) > 0.9


def test_the_same_seed_gives_the_same(views: FeatureSets, data: Features) -> None:
    torch.manual_seed(0)
    before = torch.get_rng_state()
    first, again = (fitted(views, data).marginals(data)[0] for _ in range(2))
    assert torch.equal(first, again)
    assert torch.equal(torch.get_rng_state(), before)
