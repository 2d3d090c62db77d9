import pytest
import torch
from scipy.stats import kendalltau

from vitruvius.core.errors import UsageError
from vitruvius.core.normal_scores import NormalScores
from vitruvius.encoders.feature_sets import Features, FeatureSets
from vitruvius.predictors import DeepKernel, GaussianProcess, GraphNetwork, Ridge
from vitruvius.predictors.residual_transfer import ResidualTransfer, warm_started
from vitruvius.predictors.transfer_gp import Sources
from vitruvius.spaces import space

CELLS = space("nasbench201")
ENCODE = FeatureSets(CELLS, ("one-hot",))
SCORES = NormalScores(CELLS.statistics(CELLS.enumerate())["params"].double())


def right(data: Features) -> torch.Tensor:
    return SCORES(CELLS.statistics(data.x)["params"].double())[:, None]


def wrong(data: Features) -> torch.Tensor:
    return ((CELLS.hashes(data.x) % 1009).double() / 1009 - 0.5)[:, None] * 3


def test_what_is_left_over_is_learnt_from_there_on() -> None:
    """With eight labels an earlier task that is right is worth more than trees or lines."""
    x = CELLS.sample(8, 3)
    data, held = ENCODE(x), ENCODE(CELLS.sample(400, 9))
    z, truth = right(data)[:, 0], right(held)[:, 0]
    taus = []
    for model in (ResidualTransfer(Ridge(CELLS), Sources(("right",), right)), Ridge(CELLS)):
        mean, std = model.fit_scores(data, z).predict_scores(held)
        assert bool((std > 0).all())
        taus.append(kendalltau(mean, truth).statistic)
    assert taus[0] > taus[1] + 0.05


def test_where_no_task_is_believed_it_is_the_predictor_by_itself() -> None:
    data = ENCODE(CELLS.sample(40, 0).unique(dim=0))
    z = NormalScores(right(data)[:, 0])(right(data)[:, 0])
    model = ResidualTransfer(Ridge(CELLS), Sources(("wrong",), wrong)).fit_scores(data, z)
    assert model.dropped == ("wrong",)
    assert model.weights == {"wrong": 0.0}
    alone = Ridge(CELLS).fit_scores(data, z)
    for joint in (False, True):
        ours, theirs = (each.posterior(data, joint=joint) for each in (model, alone))
        assert torch.equal(ours.mean, theirs.mean)
        assert torch.equal(ours.variance, theirs.variance)


def test_it_has_the_capabilities_of_what_it_wraps() -> None:
    sources = Sources(("right",), right)
    plain, kernel = (ResidualTransfer(kind(CELLS), sources) for kind in (Ridge, DeepKernel))
    assert (plain.name, plain.learns_fidelities) == ("ridge", False)
    assert (kernel.name, kernel.learns_fidelities) == ("deep-kernel", True)
    data = ENCODE(CELLS.sample(12, 0))
    kernel.fit_scores(data, right(data)[:, 0], torch.arange(12) % 2)
    assert kernel.fidelity_correlation(data).shape == (12,)
    assert kernel.thinned().posterior(data).num_samples <= 2


def test_predictors_that_learn_from_tasks_by_themselves_are_not_wrapped() -> None:
    sources = Sources(("right",), right)
    assert isinstance(warm_started(GaussianProcess(CELLS), sources), GaussianProcess)
    assert isinstance(warm_started(GraphNetwork(CELLS), sources), ResidualTransfer)
    with pytest.raises(UsageError, match="earlier tasks"):
        GraphNetwork(CELLS).start_from(sources)
    with pytest.raises(UsageError, match="fidelities"):
        GraphNetwork(CELLS).fidelity_correlation(torch.zeros(1, 6, dtype=torch.long))
