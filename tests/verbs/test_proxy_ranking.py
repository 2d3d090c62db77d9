import pytest
import torch
from scipy.stats import spearmanr

from vitruvius.core.errors import UsageError
from vitruvius.evaluators import Evaluation, Evaluator, Metric
from vitruvius.evaluators.proxies import rank_sum
from vitruvius.spaces import Space, space
from vitruvius.verbs import sampler
from vitruvius.verbs.proxy_ranking import ProxyRanking
from vitruvius.verbs.sampler import Sampler

CELLS = space("nasbench201:width=4,cells=1")


class Unknown(Evaluator):
    def __init__(self, space: Space) -> None:
        metrics = {
            "accuracy": Metric("accuracy", "%", "higher"),
            "joules": Metric("joules", "J", "lower"),
        }
        super().__init__(space, metrics)

    def evaluate(self, architecture, fidelity=None, seed=0, context=None) -> Evaluation:
        raise AssertionError("No label may be spent.")


def test_sums_of_ranks() -> None:
    scores = [torch.tensor([1.0, 2.0, 3.0]), torch.tensor([1.0, torch.nan, 9.0])]
    thirds = torch.tensor([1 / 3 * 2 / 3, 2 / 3 * 1 / 3, 1.0]).double()
    torch.testing.assert_close(rank_sum(scores).exp(), thirds, rtol=1e-6, atol=0)
    # Equal ones have equal ranks.
    assert rank_sum([torch.tensor([1.0, 1.0, 0.0])]).tolist()[:2] == [0.0, 0.0]


@pytest.mark.slow
def test_larger_networks_come_first() -> None:
    x = CELLS.canonical(CELLS.sample(12, 0))
    order = ProxyRanking(CELLS, CELLS.task, batch=8)(x)
    place = torch.empty(len(x)).scatter_(0, order, torch.arange(len(x)).float())
    assert spearmanr(-place.numpy(), CELLS.statistics(x)["macs"].numpy()).statistic > 0.5


def test_no_label_at_all(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sampler, "RANKED", 6)
    made = Sampler(
        CELLS, data=Unknown(CELLS), target="accuracy>=90, joules<=1, params<=20k", labels=0
    )
    result = made.sample(2, generator="uniform")
    assert len(result.samples) == 2
    assert all(each.exact["params"] <= 20_000 for each in result.samples)
    assert result.summary["predictor"] == {"accuracy": "proxies"}
    assert result.summary["labels_used"] == 0
    [proxies, blind] = [note for note in result.notes if "labels were spent" in note]
    assert "accuracy was chosen from 6 by zero-cost proxies" in proxies
    assert "joules guided nothing" in blind


@pytest.mark.parametrize("name", ["toy_recipe.yaml", "autognn"])
def test_only_networks_of_images_are_ranked(name: str) -> None:
    other = space(name)
    made = Sampler(other, data=Unknown(other), target="accuracy>=90", labels=0)
    assert made.sample(2, generator="uniform").summary["predictor"] == {}


def test_views_that_are_computed_are_for_searches() -> None:
    with pytest.raises(UsageError, match="each view takes a computation"):
        Sampler(CELLS, data=Unknown(CELLS), target="accuracy>=9", predictor="gp:views=[proxy:snip]")
