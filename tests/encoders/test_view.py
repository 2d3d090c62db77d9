from pathlib import Path

import pytest
import torch
from torch import Tensor

from vitruvius.core.errors import UnknownNameError
from vitruvius.encoders import FeatureSets, View, views_of
from vitruvius.evaluators import Evaluation, Evaluator, Metric
from vitruvius.spaces import Space, space

CELLS = space("nasbench201:width=4,cells=1")


class Sum(Evaluator):
    """The sum of choices, and where it is even its negative; counts what it is asked."""

    def __init__(self, space: Space) -> None:
        metrics = {name: Metric(name, "", "higher", (-99.0, 99.0)) for name in ("sum", "even")}
        super().__init__(space, metrics)
        self.asked = 0

    def evaluate(self, architecture, fidelity=None, seed=0, context=None) -> Evaluation:
        self.asked += 1
        made = self.space.architecture(architecture)
        total = float(sum(made.canonical))
        told = {"sum": total} if total % 2 else {"sum": total, "even": -total}
        return Evaluation(made, told if total else {}, "ok" if total else "failed", "zero")


class LookedUp(Sum):
    batched = True

    def values(self, x: Tensor, fidelity: int | None = None) -> dict[str, Tensor]:
        total = self.space.canonical(x).sum(1).double()
        return {"sum": total, "even": torch.where(total % 2 == 1, torch.nan, -total)}


@pytest.mark.parametrize("kind", [Sum, LookedUp])
def test_scores_by_rank(kind: type[Sum]) -> None:
    view = View(kind(CELLS))
    x = CELLS.sample(200, 1)
    scores, total = view(x), CELLS.canonical(x).sum(1).double()
    assert view.costly == (kind is Sum)
    assert abs(float(scores[:, 0].mean())) < 0.5
    assert scores[:, 0].std() == pytest.approx(1, abs=0.4)
    order = total.argsort()
    assert bool((scores[order, 0].diff() >= 0).all())
    # What has no value has the middle score.
    assert bool((scores[total % 2 == 1, 1] == 0).all())
    assert view.trend(scores).std() == pytest.approx(1, abs=0.5)


def test_nothing_is_computed_twice() -> None:
    told = Sum(CELLS)
    view, x = View(told), CELLS.sample(20, 2)
    first, asked = view(x), told.asked
    assert torch.equal(view(x.flip(0)).flip(0), first)
    assert told.asked == asked


def test_beside_feature_sets() -> None:
    view = View(LookedUp(CELLS))
    encode = FeatureSets(CELLS, ("one-hot", "counts"), (view,))
    data = encode(CELLS.sample(500, 3))
    assert [each.shape[1] for each in data.features] == [30, 2, 2]
    distance = torch.cdist(data.features[2], data.features[2]).square().mean()
    assert distance == pytest.approx(1, abs=0.3)
    some = data[:3].join(data[5:6])
    assert torch.equal(some.trend, torch.cat([data.trend[:3], data.trend[5:6]]))


def test_views_by_text() -> None:
    [one, two] = views_of(CELLS, ["proxy:naswot+snip;batch=4", View(Sum(CELLS))])
    assert (one.names, two.names) == (("naswot", "snip"), ("sum", "even"))
    with pytest.raises(UnknownNameError, match="proxy 'nope'"):
        views_of(CELLS, "proxy:nope")


def test_what_was_computed_is_kept(tmp_path: Path) -> None:
    file, x = tmp_path / "views.jsonl", CELLS.sample(9, 2)
    first, told = View(Sum(CELLS)), Sum(CELLS)
    first.keep_in(file)
    scores = first(x)
    with file.open("a") as kept:
        kept.write('{"names": ["sum", "ev')  # cut off
    again = View(told)
    again.keep_in(file)
    assert torch.equal(again(x), scores)
    assert told.asked == 0
    # Other metrics are another view's.
    other = View(Sum(CELLS))
    other.names = ("sum",)
    other.keep_in(file)
    assert other._told == {}
