import pytest
import torch

from vitruvius.encoders.feature_sets import Features, FeatureSets
from vitruvius.predictors.averaged_gp import AveragedGP
from vitruvius.predictors.mixture import Blend, Independent, Mixture
from vitruvius.predictors.ridge import Ridge
from vitruvius.spaces import space

CELLS = space("nasbench201")
VIEWS = FeatureSets(CELLS, ("one-hot",))


@pytest.fixture(scope="module")
def data() -> Features:
    return VIEWS(CELLS.sample(30, 0))


@pytest.fixture(scope="module")
def z(data: Features) -> torch.Tensor:
    convolutions = (data.x == 3).sum(1).double()
    return (convolutions - convolutions.mean()) / convolutions.std()


@pytest.fixture(scope="module")
def mixture(data: Features, z: torch.Tensor) -> Mixture:
    return Mixture(AveragedGP(), Independent(Ridge(CELLS))).fit(data, z)


def test_members_count_alike_however_many_settings_they_have(
    mixture: Mixture, data: Features
) -> None:
    process, ridge = (member.marginals(data[:4])[0] for member in mixture.beliefs)
    assert len(process) == 16
    assert len(ridge) == 1
    mean, variance = mixture.marginals(data[:4])
    assert mean.shape == variance.shape == (32, 4)
    torch.testing.assert_close(mean.mean(0), (process.mean(0) + ridge[0]) / 2)


def test_points_depend_on_each_other_only_where_a_member_says_so(
    mixture: Mixture, data: Features
) -> None:
    mean, covariance = mixture.joint(data[:4])
    alone = mixture.marginals(data[:4])
    torch.testing.assert_close(mean, alone[0])
    torch.testing.assert_close(covariance.diagonal(dim1=1, dim2=2), alone[1], atol=1e-4, rtol=1e-3)
    correlated = (
        (covariance - torch.diag_embed(covariance.diagonal(dim1=1, dim2=2))).abs().sum((1, 2))
    )
    assert bool((correlated[:16] > 0).all())
    assert bool((correlated[16:] == 0).all())


def test_only_processes_have_noise_beside_their_variance(mixture: Mixture) -> None:
    noise = mixture.noise()
    assert bool((noise[:16] > 0).all())
    assert bool((noise[16:] == 0).all())


def test_a_first_look_is_at_fewer_settings(mixture: Mixture, data: Features) -> None:
    coarse = mixture.coarse()
    assert isinstance(coarse, Blend)
    assert len(coarse.marginals(data[:4])[0]) < 32


def test_predictors_do_not_learn_from_other_tasks(data: Features, z: torch.Tensor) -> None:
    task = (torch.arange(30) % 3 == 2).long()
    other = torch.where(task.bool(), -z, z)
    told = Independent(Ridge(CELLS)).fit(data, other, task)
    alone = Independent(Ridge(CELLS)).fit(data[task == 0], z[task == 0])
    assert torch.equal(told.marginals(data)[0], alone.marginals(data)[0])
