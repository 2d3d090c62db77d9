from collections.abc import Mapping

import pytest
import torch

from vitruvius.encoders.feature_sets import Features, FeatureSets
from vitruvius.predictors import GaussianProcess, GraphNetwork, Mixture, Predictor, Ridge
from vitruvius.predictors.residual_transfer import ResidualTransfer
from vitruvius.predictors.transfer_gp import Sources, TransferGP
from vitruvius.spaces import space

CELLS = space("nasbench201")
ENCODE = FeatureSets(CELLS, ("one-hot",))


class Two(Mixture):
    name = "two"

    def _new_members(self, labels: int) -> Mapping[Predictor, int]:
        few = GraphNetwork(CELLS, members=2, steps=5)
        return {GaussianProcess(CELLS, seed=self.seed, num_samples=16): 1, few: 1}


@pytest.fixture(scope="module")
def data() -> Features:
    return ENCODE(CELLS.sample(30, 0))


@pytest.fixture(scope="module")
def z(data: Features) -> torch.Tensor:
    convolutions = (data.x == 3).sum(1).double()
    return (convolutions - convolutions.mean()) / convolutions.std()


@pytest.fixture(scope="module")
def mixture(data: Features, z: torch.Tensor) -> Mixture:
    return Two(CELLS).fit_scores(data, z)


def test_members_count_alike_however_many_samples_they_have(
    mixture: Mixture, data: Features
) -> None:
    process, networks = (member.posterior(data[:4]) for member in mixture.members)
    assert (process.num_samples, networks.num_samples) == (16, 1)
    whole = mixture.posterior(data[:4])
    assert whole.mean.shape == whole.variance.shape == (32, 4)
    torch.testing.assert_close(whole.mean.mean(0), (process.mean.mean(0) + networks.mean[0]) / 2)


def test_points_depend_on_each_other_only_where_a_member_says_so(
    mixture: Mixture, data: Features
) -> None:
    alone, joint = mixture.posterior(data[:4]), mixture.posterior(data[:4], joint=True)
    torch.testing.assert_close(joint.mean, alone.mean)
    torch.testing.assert_close(joint.variance, alone.variance, atol=1e-4, rtol=1e-3)
    assert joint.covariance is not None
    rest = (joint.covariance - joint.variance.diag_embed()).abs().sum((1, 2))
    assert bool((rest[:16] > 0).all())
    assert bool((rest[16:] == 0).all())


def test_only_processes_have_noise_beside_their_variance(mixture: Mixture, data: Features) -> None:
    noise = mixture.posterior(data[:1]).noise
    assert bool((noise[:16] > 0).all())
    assert bool((noise[16:] == 0).all())


def test_a_first_look_is_at_fewer_samples(mixture: Mixture, data: Features) -> None:
    assert mixture.thinned().posterior(data[:4]).num_samples < 32
    assert mixture.posterior(data[:4]).num_samples == 32


def test_lower_fidelities_are_left_out(data: Features, z: torch.Tensor) -> None:
    fidelity = (torch.arange(30) % 3 == 2).long()
    given = torch.where(fidelity.bool(), -z, z)
    both = Two(CELLS).fit_scores(data, given, fidelity)
    alone = Two(CELLS).fit_scores(data[fidelity == 0], z[fidelity == 0])
    assert torch.equal(both.posterior(data).mean, alone.posterior(data).mean)


def test_every_member_starts_from_earlier_tasks_in_its_own_way(
    data: Features, z: torch.Tensor
) -> None:
    model = Two(CELLS)
    model.start_from(Sources(("earlier",), lambda given: (given.x == 3).sum(1, keepdim=True) - 1.0))
    assert model.weights == {}
    model.fit_scores(data[:8], z[:8])
    process, networks = model.members
    assert isinstance(process, GaussianProcess)
    assert isinstance(process.process, TransferGP)
    assert isinstance(networks, ResidualTransfer)
    assert model.weights == {"earlier": 1.0}
    assert model.dropped == ()


def test_members_answer_in_the_unit_of_the_labels(data: Features) -> None:
    values = CELLS.statistics(data.x)["params"]
    for member in Two(CELLS).fit(data, values).members:
        assert 0.3 < float(member.predict(data)[0].median() / values.median()) < 3


def test_ridge_knows_how_points_depend_on_each_other(data: Features, z: torch.Tensor) -> None:
    """Against the textbook: features times the posterior covariance of their weights."""
    ridge = Ridge(CELLS).fit_scores(data[:20], z[:20])
    posterior = ridge.posterior(data[20:], joint=True)
    train, new = (
        torch.cat([part.features[0].double(), torch.ones(len(part), 1)], 1)
        for part in (data[:20], data[20:])
    )
    noise, signal = ridge._noise, ridge._signal
    ratio = noise / signal
    inner = torch.linalg.inv(train.T @ train + ratio * torch.eye(train.shape[1]).double())
    assert posterior.covariance is not None
    torch.testing.assert_close(
        posterior.covariance[0], noise * new @ inner @ new.T, atol=1e-6, rtol=1e-4
    )
    torch.testing.assert_close(posterior.variance, ridge.posterior(data[20:]).variance)
