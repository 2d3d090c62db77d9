import math
from dataclasses import replace
from functools import cache

import pytest
import torch

from vitruvius.bo.acquisition import fitted as module
from vitruvius.bo.acquisition.fitted import FittedAcquisition
from vitruvius.bo.acquisition.functions import acquisition
from vitruvius.bo.problem import Problem
from vitruvius.bo.trial import History, Proposal, Trial
from vitruvius.encoders.feature_sets import FeatureSets
from vitruvius.evaluators import NASBenchGraphTable
from vitruvius.evaluators.evaluation import Evaluation


@cache
def table() -> NASBenchGraphTable:
    return NASBenchGraphTable("cora")


@cache
def encode() -> FeatureSets:
    return FeatureSets(table().space)


@cache
def rows() -> torch.Tensor:
    order = torch.randperm(len(table().rows), generator=torch.Generator().manual_seed(0))
    return table().rows[order]


def observed(n: int = 60, running: int = 0, **wanted: str) -> History:
    """The first rows measured, those after them running."""
    problem = Problem.of(table(), **(wanted or {"maximize": "valid_perf"}))
    values = table().values(rows()[:n])
    trials = [
        Trial.of(
            i,
            Evaluation(
                table().space.architecture(row), {k: float(v[i]) for k, v in values.items()}
            ),
        )
        for i, row in enumerate(rows()[:n].tolist())
    ]
    trials += [
        Trial(n + i, Proposal(tuple(row), "running"))
        for i, row in enumerate(rows()[n : n + running].tolist())
    ]
    return History(problem, trials)


def fit(history: History, name: str = "auto", **options: object) -> FittedAcquisition:
    function = acquisition(name, objectives=len(history.problem.objectives))
    return FittedAcquisition(history, encode(), function, **options)  # type: ignore[arg-type]


@pytest.mark.slow
def test_predictions_are_in_the_unit_of_the_metric() -> None:
    """Also of what is minimised."""
    fitted = fit(observed(200, maximize="valid_perf", minimize="latency"))
    held = rows()[-1000:]
    truth = table().values(held)
    predicted = fitted.predict(encode()(held))
    assert set(predicted) == {"valid_perf", "latency"}
    for name, least in (("valid_perf", 0.5), ("latency", 0.8)):
        median, std = predicted[name]
        both = torch.stack([median, truth[name].double()])
        assert float(both.argsort(1).argsort(1).double().corrcoef()[0, 1]) > least
        assert float(((median - truth[name]).abs() < 2 * std).double().mean()) > 0.7
        assert bool((std > 0).all())


def test_chunks_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    candidates = encode()(rows()[100:400])
    whole = fit(observed())(candidates, 0)
    monkeypatch.setattr(module, "CHUNK", 37)
    torch.testing.assert_close(fit(observed())(candidates, 0), whole, atol=1e-4, rtol=0)


def test_a_first_look_keeps_the_best(monkeypatch: pytest.MonkeyPatch) -> None:
    candidates = encode()(rows()[100:1100])
    whole = fit(observed())(candidates, 0)
    monkeypatch.setattr(module, "FINE", 100)
    rough = fit(observed())(candidates, 0)
    looked = rough > -math.inf
    assert int(looked.sum()) == 100
    torch.testing.assert_close(rough[looked], whole[looked], atol=1e-4, rtol=0)
    assert int(rough.argmax()) == int(whole.argmax())


@pytest.mark.parametrize("name", ["logei", "lognei", "thompson", "its"])
def test_what_is_known_is_not_chosen(name: str) -> None:
    candidates = encode()(rows()[:300])
    known = torch.arange(300) < 290
    value = fit(observed(), name)(candidates, 0, known)
    assert bool((value[known] == -math.inf).all())
    assert bool(value[~known].isfinite().all())


def test_values_favour_what_is_good() -> None:
    held = rows()[-2000:]
    value = fit(observed(200))(encode()(held), 0)
    truth = table().values(held)["valid_perf"]
    assert truth[value.argsort()[-50:]].median() > truth.quantile(0.8)


def test_pending_lowers_the_value_of_neighbours() -> None:
    """The best candidate becomes pending; its neighbours lose more than others do."""
    history = observed()
    fitted = fit(history)
    best = int(fitted(encode()(rows()[100:2000]), 0).argmax())
    row = rows()[100:2000][best]
    near = history.fresh(table().space.neighbours(row))
    far = rows()[2000:2050]
    pending = Trial(60, Proposal(tuple(row.tolist()), "exhaustive"))
    with_it = fit(History(history.problem, [*history.trials, pending]))
    lost = []
    for candidates in (near, far):
        before = fitted._joint(encode()(candidates), 0)
        after = with_it._joint(encode()(candidates), 0)
        lost.append(float((before - after).mean()))
    assert lost[0] > lost[1] + 0.05


def test_constraints_of_measured_metrics() -> None:
    """A limit that three quarters miss."""
    limit = float(table().values(rows())["latency"].quantile(0.25))
    fitted = fit(observed(150, maximize="valid_perf", where=f"latency<={limit}"))
    held = rows()[-2000:]
    chosen = fitted(encode()(held), 0).argsort()[-20:]
    assert float((table().values(held)["latency"][chosen] <= limit).double().mean()) > 0.6


def test_nothing_feasible_is_searched_by_feasibility() -> None:
    limit = float(table().values(rows()[:60])["latency"].min()) * 0.99
    fitted = fit(observed(60, maximize="valid_perf", where=f"latency<={limit}"))
    held = rows()[-2000:]
    latency = table().values(held)["latency"]
    chosen = fitted(encode()(held), 0).argsort()[-20:]
    assert latency[chosen].mean() < latency.quantile(0.1)


@pytest.mark.parametrize("where", ["valid_perf>=0.7", "valid_perf<=0.75", "0.7<=valid_perf<=0.75"])
@pytest.mark.parametrize("way", ["maximize", "minimize"])
def test_limits_in_the_units_of_the_model(where: str, way: str) -> None:
    """An objective may be limited too; what meets the limit lies between the bounds."""
    history = observed(where=where, **{way: "valid_perf"})
    fitted = fit(history)
    (bound,) = fitted._bounds()
    assert bound.output == 0
    z = fitted._inputs.scores[:, 0]
    met = (z >= bound.low) & (z <= bound.high)
    assert torch.equal(met, history.feasible)
    assert 0 < int(met.sum()) < len(met)


def test_counted_metrics_need_no_surrogate() -> None:
    fitted = fit(observed(maximize="valid_perf", minimize="params"))
    assert set(fitted.predict(encode()(rows()[:2]))) == {"valid_perf"}
    assert fitted(encode()(rows()[100:200]), 0).shape == (100,)


def test_improvement_per_second() -> None:
    """Where cost grows a thousandfold at random it decides."""
    history = observed()
    slow = [
        t.finish(replace(t.evaluation, seconds=1e3 if t.proposal.row[0] else 1.0))
        for t in history.trials
        if t.evaluation is not None
    ]
    fitted = fit(History(history.problem, slow), per_second=True)
    plain = fit(history)
    candidates = rows()[100:1100]
    gap = plain(encode()(candidates), 0) - fitted(encode()(candidates), 0)
    dear = candidates[:, 0] > 0
    assert gap[dear].mean() > gap[~dear].mean() + 2


class Correlated:
    """Knows of each candidate how the fidelities depend on each other."""

    def fidelity_correlation(self, candidates):  # type: ignore[no-untyped-def]
        return torch.tensor([1.0, 0.5, -0.2], dtype=torch.float64)


def test_augmented_improvement_is_by_correlation_and_cost() -> None:
    """Huang et al.: the value at the full fidelity, times correlation, times how much cheaper."""
    fitted = fit(observed())
    fitted._models = {"valid_perf": Correlated()}  # type: ignore[dict-item]
    fitted._full, fitted._lower = 200.0, 10.0
    value = torch.tensor([0.3, 0.3, 0.3], dtype=torch.float64)
    found = fitted.lower(encode()(rows()[:3]), value)
    assert found[0].item() == pytest.approx(0.3 + math.log(20.0))
    assert found[1].item() == pytest.approx(0.3 + math.log(20.0) + math.log(0.5))
    assert found[2] < found[1] - 10, "what does not tell of the full fidelity is not worth a look"


def test_the_same_seed_gives_the_same() -> None:
    candidates = encode()(rows()[100:200])
    torch.manual_seed(0)
    before = torch.get_rng_state()
    first, again, other = (fit(observed(), "its")(candidates, seed) for seed in (0, 0, 1))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)
    assert torch.equal(torch.get_rng_state(), before)
