import pytest
import torch

from vitruvius.core.errors import UsageError
from vitruvius.predictors import HeldOut, held_out, importance, new_predictor
from vitruvius.spaces import space


def test_every_label_is_predicted_by_a_fit_to_others() -> None:
    """What a label is changes the predictions of other folds, not its own."""
    cells = space("nasbench201")
    x = cells.sample(12, 0)
    y = cells.statistics(x)["params"].double()
    told = held_out(cells, x, y, predictor="ridge", folds=3)
    assert bool(((told.low <= told.mean) & (told.mean <= told.high)).all())
    changed = y.clone()
    changed[0] = 0.0
    again = held_out(cells, x, changed, predictor="ridge", folds=3)
    assert float(again.mean[0]) == pytest.approx(float(told.mean[0]), rel=1e-6)
    assert not torch.equal(again.mean, told.mean)


def test_measures() -> None:
    truth = torch.tensor([1.0, 2.0, 3.0, 4.0], dtype=torch.float64)
    told = HeldOut(truth, truth.flip(0), truth - 1, truth + torch.tensor([1, 1, -0.5, 1]))
    assert told.tau == -1
    assert told.coverage == 0.75
    assert HeldOut(truth, torch.ones(4).double(), truth, truth).tau == 0


def test_too_few() -> None:
    cells = space("nasbench201")
    with pytest.raises(UsageError, match="20 labels"):
        held_out(cells, cells.sample(19, 0), torch.arange(19).double())


def test_unknown_predictor() -> None:
    with pytest.raises(Exception, match="gp"):
        new_predictor("gpp", space("nasbench201"))


def test_importance_finds_what_decides() -> None:
    graphs = space("nas-bench-graph")
    x = graphs.sample(150, 0)
    names = [variable.name for variable in graphs.variables]
    first, other = names.index("op_1"), names.index("op_3")
    shares = importance(graphs, x, 3.0 * x[:, first] + x[:, other].double())
    assert float(shares.sum()) == pytest.approx(1)
    assert shares.argsort(descending=True)[:2].tolist() == [first, other]
    assert float(shares[first]) > float(shares[other]) > 0.1


def test_importance_of_nothing() -> None:
    graphs = space("nas-bench-graph")
    assert float(importance(graphs, graphs.sample(30, 0), torch.ones(30)).sum()) == 0
