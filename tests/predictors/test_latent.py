from collections.abc import Callable

import pytest
import torch

from vitruvius.bo.methods.bayesian import BayesianOptimization
from vitruvius.bo.problem import Problem
from vitruvius.bo.trial import History, Trial
from vitruvius.encoders.autoencoding import new_autoencoder
from vitruvius.encoders.feature_sets import Features, FeatureSets
from vitruvius.evaluators.evaluation import Evaluation
from vitruvius.generators.nao import train_nao
from vitruvius.predictors import Predictor, latent
from vitruvius.predictors.latent import Latent, LatentGP
from vitruvius.predictors.resolver import new_predictor
from vitruvius.spaces import Space, space
from vitruvius.testing import PredictorContract


class TestContract(PredictorContract):
    @pytest.fixture(scope="class")
    @classmethod
    def make(cls) -> Callable[[int], Predictor]:
        return lambda seed: Latent(space("nasbench201"), steps=40, seed=seed)


@pytest.fixture(scope="module")
def cells() -> Space:
    return space("nasbench201")


@pytest.fixture(scope="module")
def data(cells: Space) -> Features:
    return FeatureSets(cells, ("one-hot",))(cells.sample(80, 0).unique(dim=0)[:60])


def test_it_predicts_from_the_embedding(cells: Space, data: Features) -> None:
    params = cells.statistics(data.x)["params"]
    z = (params - params.mean()) / params.std()
    few, rest = torch.arange(40), torch.arange(40, 60)
    gp = LatentGP(cells, steps=40).fit(data[few], z[few])
    alone, joint = gp.posterior(data[rest]), gp.posterior(data[rest], joint=True)
    assert float(torch.stack([alone.mean.mean(0), z[rest]]).corrcoef()[0, 1]) > 0.7
    torch.testing.assert_close(alone.mean, joint.mean)
    torch.testing.assert_close(alone.variance, joint.variance, atol=1e-4, rtol=0)


def test_scale_is_that_of_two_draws(cells: Space) -> None:
    gp = LatentGP(cells, steps=40)
    x = cells.sample(4000, 5)
    place = gp._embed(Features(x, ())).features[0]
    assert abs(float((place[:2000] - place[2000:]).square().sum(1).mean()) - 1) < 0.05


def test_isomorphic_encodings_are_one_point(cells: Space, data: Features) -> None:
    gp = LatentGP(cells, steps=40).fit(data, torch.linspace(-2, 2, 60))
    other = Features(cells.shuffle(data.x, 1), data.features)
    assert not torch.equal(other.x, data.x)
    assert torch.equal(gp.posterior(other).mean, gp.posterior(data).mean)


def test_it_is_known_by_name(cells: Space, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(latent, "pretrained", lambda space, steps: new_autoencoder(space))
    x = cells.sample(10, 0)
    model = new_predictor("latent", cells).fit(x, cells.statistics(x)["params"])
    assert isinstance(model, Latent)
    assert isinstance(model.process, LatentGP)


def test_candidates_come_from_the_embedding() -> None:
    """Latent-space search of a space too large to list."""
    nets = space("mobilenetv3")
    generator = train_nao(nets, nets.sample(300, 0), steps=3, width=8, show=False)
    problem = Problem(nets, {}, minimize="params")
    rows = nets.sample(6, 0).tolist()
    trials = [Trial.of(i, Evaluation(nets.architecture(row))) for i, row in enumerate(rows)]
    made = BayesianOptimization(generator=generator, sources="diffusion", pool=40, climbers=0)
    proposal = made.propose(History(problem, trials), 0)
    assert proposal is not None
    assert proposal.source == "diffusion"
    assert generator.tally.seeds > 0
