"""Predictors by name, and the choice by cross-validation."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from scipy.stats import kendalltau
from torch import Tensor

from vitruvius.core.errors import UnknownNameError, UsageError
from vitruvius.encoders import View
from vitruvius.encoders.feature_sets import FeatureSets
from vitruvius.evaluators import Evaluation, Evaluator, Metric
from vitruvius.predictors import (
    Predictor,
    Ridge,
    cross_validate,
    fit_predictor,
    new_predictor,
    predictor_names,
    resolver,
)
from vitruvius.predictors.resolver import Choice, predictors_that
from vitruvius.spaces import space

CELLS = space("nasbench201")


@pytest.mark.slow
def test_every_name_fits_and_predicts() -> None:
    x = CELLS.sample(40, 0)
    values = CELLS.statistics(x)["params"]
    for name in predictor_names():
        # Some take seconds and have contracts of their own; one looks at views alone.
        if name in ("nao", "seminas", "latent", "mixer"):
            continue
        mean, std = fit_predictor(name, CELLS, x, values).predict(x)
        assert mean.shape == std.shape == (40,)


@pytest.mark.slow
def test_auto_takes_the_best_of_cross_validation(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resolver, "_AT_ONCE", replace(resolver._AT_ONCE, fewest=60))
    x = CELLS.sample(60, 1)
    values = CELLS.statistics(x)["macs"]
    scores = cross_validate(CELLS, x, values, seed=2)
    assert set(scores) == {"gp", "ridge", "lightgbm", "gnn", "average"}
    assert all(-1 <= tau <= 1 for tau in scores.values())
    best = max(scores, key=lambda name: scores[name])
    assert scores[best] > 0.6
    better = scores[best] > scores["average"] + resolver._AT_ONCE.margin
    expected = best if better else "average"
    assert fit_predictor("auto", CELLS, x, values, seed=2).name == expected


@pytest.mark.slow
@pytest.mark.parametrize(
    ("scores", "expected"),
    [
        ({"gp": 0.5, "lightgbm": 0.9, "gnn": 0.1, "average": 0.8}, "lightgbm"),
        ({"gp": 0.5, "lightgbm": 0.9, "gnn": 0.1, "average": 0.895}, "average"),
        ({"gp": 0.5, "lightgbm": 0.4, "gnn": 0.1, "average": 0.6}, "average"),
    ],
)
def test_the_average_is_taken_where_it_comes_close(
    monkeypatch: pytest.MonkeyPatch, scores: dict[str, float], expected: str
) -> None:
    monkeypatch.setattr(resolver, "cross_validate", lambda *_, **__: scores)
    x = CELLS.sample(resolver._AT_ONCE.fewest, 1)
    assert fit_predictor("auto", CELLS, x, CELLS.statistics(x)["params"]).name == expected


@pytest.mark.slow
def test_labels_without_signal_score_near_nothing() -> None:
    x = CELLS.sample(45, 1)
    noise = torch.rand(45, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    assert all(abs(tau) < 0.4 for tau in cross_validate(CELLS, x, noise).values())


@pytest.mark.slow
def test_few_labels_are_left_to_the_average() -> None:
    x = CELLS.sample(resolver._AT_ONCE.fewest - 1, 0)
    assert fit_predictor("auto", CELLS, x, CELLS.statistics(x)["params"]).name == "average"


def test_options_follow_the_name() -> None:
    x = CELLS.sample(20, 0)
    values = CELLS.statistics(x)["params"]
    few, whole = (
        fit_predictor(name, CELLS, x, values).predict_scores(CELLS.sample(9, 1))[0]
        for name in ("ridge:features=path+counts", "ridge")
    )
    assert not torch.equal(few, whole)
    with pytest.raises(UnknownNameError, match="features"):
        fit_predictor("ridge:featuers=path", CELLS, x, values)
    with pytest.raises(UnknownNameError, match="data set of nasbench201"):
        fit_predictor("gp:views=path", CELLS, x, values)
    with pytest.raises(UnknownNameError, match="weisfeiler-lehman"):
        fit_predictor("ridge:features=wl", CELLS, x, values)


def test_mistakes_are_named() -> None:
    x = CELLS.sample(5, 0)
    with pytest.raises(UnknownNameError, match="lightgbm"):
        fit_predictor("lightgmb", CELLS, x, CELLS.statistics(x)["params"])
    with pytest.raises(UsageError, match="at least 3"):
        fit_predictor("gp", CELLS, x[:2], CELLS.statistics(x[:2])["params"])


def test_a_search_sets_the_number_of_samples_of_those_that_average() -> None:
    assert new_predictor("average", CELLS, num_samples=2).num_samples == 2  # type: ignore[attr-defined]
    assert new_predictor("gp:num_samples=3", CELLS, num_samples=2).num_samples == 3  # type: ignore[attr-defined]
    assert not hasattr(new_predictor("ensemble", CELLS, num_samples=2), "num_samples")


def test_capabilities_are_declared() -> None:
    assert predictors_that("learns_fidelities") == ["gp", "deep-kernel", "latent"]
    assert predictors_that("learns_tasks") == ["gp", "average", "ensemble"]
    assert predictors_that("averages") == ["gp", "average", "deep-kernel", "latent"]


def test_the_choice_of_a_search_is_made_once_for_each_doubling(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    made: list[str] = []

    def counted(name: str, *args: object, **options: object) -> Predictor:
        made.append(name)
        return Ridge(CELLS)

    monkeypatch.setattr(resolver, "new_predictor", counted)
    encode = FeatureSets(CELLS, ("one-hot",))
    x = CELLS.sample(45, 0)
    values = CELLS.statistics(x)["params"]
    choice = Choice(CELLS)
    fits = []
    for n in (10, 20, 30, 39, 40, 45):
        assert choice(encode(x[:n]), values[:n]) == "gp"
        fits.append(len(made))
    once = 4 * resolver._SEARCH.folds  # each of what it chooses among
    assert fits == [0, once, once, once, 2 * once, 2 * once]
    assert set(made) == {"gp", "average", "deep-kernel", "ensemble"}


@pytest.mark.slow
def test_the_choice_of_a_search_is_among_the_able(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resolver, "_best", lambda scores, rule: "+".join(scores))
    encode = FeatureSets(CELLS, ("one-hot",))
    x = CELLS.sample(20, 0)
    choice = Choice(CELLS, "learns_fidelities")
    assert choice(encode(x), CELLS.statistics(x)["params"]) == "gp+deep-kernel"


@pytest.mark.parametrize("name", ["gp", "ridge", "lightgbm", "average", "auto"])
def test_views_are_compared(name: str) -> None:
    """What only a view tells is learned from few labels."""
    cells = space("nasbench201")
    x = cells.sample(160, 0)
    hidden = torch.randn(1 << 20, generator=torch.Generator().manual_seed(0)).double()

    class Hidden(Evaluator):
        batched = True

        def evaluate(self, architecture, fidelity=None, seed=0, context=None) -> Evaluation:
            raise NotImplementedError

        def values(self, x: Tensor, fidelity: int | None = None) -> dict[str, Tensor]:
            return {"hidden": hidden[self.space.hashes(x) % len(hidden)]}

    view = View(Hidden(cells, {"hidden": Metric("hidden", "", "higher")}))
    values = view.evaluator.values(x)["hidden"]
    plain = fit_predictor(name, cells, x[:60], values[:60])
    if name == "auto":
        made = fit_predictor("auto:views=[]", cells, x[:60], values[:60])
        assert made.name == plain.name
        return
    seen = new_predictor(name, cells, views=(view,)).fit(x[:60], values[:60])
    tau = [
        kendalltau(each.predict(x[60:])[0].numpy(), values[60:].numpy()).statistic
        for each in (plain, seen)
    ]
    assert tau[0] < 0.3 < 0.5 < tau[1]


def test_views_of_a_name() -> None:
    cells = space("nasbench201:width=4,cells=1")
    made = new_predictor("gp:views=[proxy:naswot+snip;batch=4]", cells)
    assert [view.names for view in made.views] == [("naswot", "snip")]
    with pytest.raises(UnknownNameError, match="option of auto"):
        fit_predictor("auto:members=2", cells, cells.sample(5, 0), torch.arange(5.0))
