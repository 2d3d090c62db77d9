from collections.abc import Callable

import pytest
import torch
from scipy.stats import kendalltau

from vitruvius.predictors import GaussianProcess, Predictor
from vitruvius.spaces import DeclaredSpace, space
from vitruvius.testing import PredictorContract


class TestContract(PredictorContract):
    @pytest.fixture(scope="class")
    @classmethod
    def make(cls) -> Callable[[int], Predictor]:
        return lambda seed: GaussianProcess(space("nasbench201"), seed=seed)


def test_many_labels_keep_memory_bounded() -> None:
    """Fewer hyper-parameter samples are averaged, the global random state is left alone."""
    cells = space("nasbench201")
    x = cells.enumerate()[:2100]
    before = torch.get_rng_state()
    gp = GaussianProcess(cells, features=("one-hot",)).fit(x, cells.statistics(x)["params"])
    assert torch.equal(torch.get_rng_state(), before)
    assert gp.posterior(x[:5]).num_samples == 3
    assert gp.predict_scores(x[:5])[0].shape == (5,)


def test_prediction_is_the_mixture_of_all_samples() -> None:
    cells = space("nasbench201")
    x = cells.sample(40, 0)
    gp = GaussianProcess(cells).fit(x[:30], cells.statistics(x[:30])["macs"])
    mean, std = gp.predict_scores(x[30:])
    posterior = gp.posterior(x[30:])
    means = posterior.mean
    second = (posterior.variance + posterior.noise[:, None] + means.square()).mean(0)
    torch.testing.assert_close(mean, means.mean(0))
    torch.testing.assert_close(std.square(), second - means.mean(0).square())


@pytest.mark.slow
def test_unsure_far_from_labels() -> None:
    cells = space("mobilenetv3")
    x = cells.sample(60, 0)
    gp = GaussianProcess(cells).fit(x[:50], cells.statistics(x[:50])["macs"])
    _, near = gp.predict_scores(x[:50])
    _, far = gp.predict_scores(x[50:])
    assert near.mean() < far.mean()


def test_spaces_without_statistics() -> None:
    recipes = DeclaredSpace(
        {
            "name": "recipes",
            "nodes": ["training"],
            "variables": [
                {"name": f"bits_{i}", "choices": [2, 4, 8], "kind": "bits"} for i in range(4)
            ],
        }
    )
    x = recipes.sample(60, 0)
    y = x.sum(1).double()
    mean, _ = GaussianProcess(recipes).fit(x[:30], y[:30]).predict(x[30:])
    assert (mean - y[30:]).abs().mean() < 0.5 * (y[:30].mean() - y[30:]).abs().mean()


@pytest.mark.slow
def test_accuracies_on_cora() -> None:
    pytest.importorskip("nas_bench_graph")
    from vitruvius.evaluators.tables.nas_bench_graph import NASBenchGraphTable

    table = NASBenchGraphTable("cora")
    x = table.rows
    y = table.values(x)["valid_perf"]
    order = torch.randperm(len(x), generator=torch.Generator().manual_seed(0))
    labelled, held_out = order[:200], order[200:1200]
    mean, _ = GaussianProcess(table.space).fit(x[labelled], y[labelled]).predict(x[held_out])
    assert kendalltau(mean.numpy(), y[held_out].numpy()).statistic > 0.3
