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


def test_many_labels_are_fitted_without_chance() -> None:
    """Beyond 800 rows gpytorch would turn to an iterative, random solver."""
    cells = space("nasbench201")
    x = cells.sample(850, 0)
    y = cells.statistics(x)["params"]
    means = []
    for seed in (0, 1):
        torch.manual_seed(seed)
        before = torch.get_rng_state()
        means.append(GaussianProcess(cells, steps=2).fit(x, y).predict_scores(x[:50])[0])
        assert torch.equal(torch.get_rng_state(), before)
    assert torch.equal(*means)


def test_posterior_is_that_of_the_formula() -> None:
    cells = space("nasbench201")
    x = cells.sample(40, 0)
    gp = GaussianProcess(cells, steps=10).fit(x[:30], cells.statistics(x[:30])["macs"])
    mean, std = gp.predict_scores(x[30:])
    with torch.no_grad():
        views = gp._views(x)
        k = gp._kernel(views).to_dense().double()
    noise, constant = float(gp._noise), float(gp._constant)
    inner = torch.linalg.inv(k[:30, :30] + noise * torch.eye(30))
    z = gp.scores(cells.statistics(x[:30])["macs"])
    expected = constant + k[30:, :30] @ inner @ (z - constant)
    variance = k[30:, 30:] - k[30:, :30] @ inner @ k[:30, 30:] + noise * torch.eye(10)
    torch.testing.assert_close(mean.double(), expected, rtol=1e-3, atol=1e-3)
    torch.testing.assert_close(std.double(), variance.diagonal().sqrt(), rtol=1e-2, atol=1e-3)


def test_kernel_is_positive_semi_definite() -> None:
    cells = space("nasbench101")
    x = cells.sample(60, 0)
    gp = GaussianProcess(cells, steps=3).fit(x[:20], cells.statistics(x[:20])["macs"])
    with torch.no_grad():
        matrix = gp._kernel(gp._views(x)).to_dense().double()
    assert torch.linalg.eigvalsh((matrix + matrix.T) / 2).min() > -1e-4


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


def test_accuracies_on_cora() -> None:
    pytest.importorskip("nas_bench_graph")
    from vitruvius.evaluators.nas_bench_graph import NASBenchGraphTable

    table = NASBenchGraphTable("cora")
    x = table.rows
    y = table.values(x)["valid_perf"]
    order = torch.randperm(len(x), generator=torch.Generator().manual_seed(0))
    labelled, held_out = order[:200], order[200:1200]
    mean, _ = GaussianProcess(table.space).fit(x[labelled], y[labelled]).predict(x[held_out])
    assert kendalltau(mean.numpy(), y[held_out].numpy()).statistic > 0.3
