from collections.abc import Mapping
from pathlib import Path

import torch

from vitruvius.bo.problem import Problem
from vitruvius.bo.search import Search
from vitruvius.evaluators.evaluation import Evaluation
from vitruvius.evaluators.evaluator import Evaluator
from vitruvius.evaluators.metric import metric_of
from vitruvius.spaces import ArchitectureLike, space
from vitruvius.verbs.search import new_search, show

CELLS = space("nasbench201")


class Noisy(Evaluator):
    """Measures 10 at first, and then a value of its own for each architecture."""

    noisy = ("latency",)

    def __init__(self, again: Mapping[int, float], deviation: float = 0.0) -> None:
        metrics = [metric_of(n) for n in ("accuracy", "latency", "latency_deviation")]
        super().__init__(CELLS, {metric.name: metric for metric in metrics})
        self.again, self.deviation, self.asked = again, deviation, []

    def _score(self, architecture: ArchitectureLike) -> int:
        return sum(CELLS.architecture(architecture).indices)

    def evaluate(
        self, architecture: ArchitectureLike, fidelity=None, seed=0, context=None
    ) -> Evaluation:
        found = CELLS.architecture(architecture)
        metrics = {"accuracy": float(self._score(found)), "latency": 9.0}
        metrics["latency_deviation"] = self.deviation
        return Evaluation(found, metrics)

    def measure_again(self, architecture: ArchitectureLike, context=None) -> dict[str, float]:
        score = self._score(architecture)
        self.asked.append(score)
        value = self.again.get(score, 9.0)
        return {"latency": value, "latency_deviation": self.deviation}


def searched(evaluator: Noisy, where: str = "latency<=10", run: str | None = None) -> Search:
    return new_search(
        "nasbench201",
        evaluator=evaluator,
        maximize="accuracy",
        where=where,
        run=run,
        method="random",
    )


def scores(made: Search) -> list[int]:
    return sorted({sum(entry.trial.proposal.row) for entry in made.log.read()}, reverse=True)


def test_what_misses_a_limit_when_measured_again_is_not_best() -> None:
    evaluator = Noisy({})
    first = scores(made := searched(evaluator))
    assert not first
    told = made.run(12)
    best, second = scores(made)[:2]
    assert sum(told.best[0].proposal.row) == best
    assert evaluator.asked == [best]
    slow = Noisy({best: 10.5})
    told = (made := searched(slow)).run(12)
    assert sum(told.best[0].proposal.row) == second
    assert slow.asked == [best, second]
    assert any("Measured again" in note for note in told.notes)
    assert told.best[0].metrics["latency"] == 9.0
    dropped = next(t for t in told.trials if sum(t.proposal.row) == best)
    assert dropped.metrics["latency"] == 10.5


def test_two_deviations_are_kept_from_the_limit() -> None:
    assert searched(Noisy({}, deviation=0.4)).run(6).best
    near = searched(Noisy({}, deviation=0.6)).run(6)
    assert not near.best
    assert near.missed


def test_nothing_is_measured_again_where_no_limit_is_on_it() -> None:
    evaluator = Noisy({})
    searched(evaluator, "params<=1M").run(4)
    assert evaluator.asked == []


def test_a_run_remembers_what_was_measured_again(tmp_path: Path) -> None:
    run = str(tmp_path / "run")
    made = searched(Noisy({}), run=run)
    made.run(6)
    best = scores(made)[0]
    slow = Noisy({best: 11.0})
    told = searched(slow, run=str(tmp_path / "slow")).run(6)
    again = show(tmp_path / "slow")
    assert [t.number for t in again.best] == [t.number for t in told.best]
    assert again.best[0].metrics == told.best[0].metrics


def test_every_member_of_a_front_is_measured_again() -> None:
    evaluator = Noisy({})
    made = new_search(
        "nasbench201",
        evaluator=evaluator,
        maximize="accuracy",
        minimize="params",
        where="latency<=10",
        method="random",
    )
    told = made.run(10)
    assert sorted(evaluator.asked) == sorted(sum(t.proposal.row) for t in told.best)
    assert isinstance(made.problem, Problem)
    assert torch.isfinite(torch.tensor(evaluator.asked, dtype=torch.float)).all()


def test_nothing_counts_as_best_that_was_not_measured_again() -> None:
    evaluator = Noisy(dict.fromkeys(range(100), 11.0))
    told = searched(evaluator).run(25)
    assert not told.best
    assert len(evaluator.asked) == 25
