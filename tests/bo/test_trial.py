"""Histories: what a method decides from."""

import torch

from vitruvius.bo.problem import Problem
from vitruvius.bo.trial import History, Proposal, Trial
from vitruvius.evaluators import Evaluation
from vitruvius.evaluators.metric import Metric
from vitruvius.spaces import space

CELLS = space("nasbench201")
ROWS = [tuple(row) for row in CELLS.enumerate()[:200:25].tolist()]
PROBLEM = Problem(
    CELLS, {"quality": Metric("quality", "%", "higher")}, minimize="quality", where="params<=10M"
)


def trial(number: int, status: str = "ok", fidelity: int | None = None) -> Trial:
    architecture = CELLS.architecture(ROWS[number])
    metrics = {"quality": float(number)} if status == "ok" else {}
    return Trial.of(number, Evaluation(architecture, metrics, status, "why", fidelity))  # type: ignore[arg-type]


def running(number: int) -> Trial:
    return Trial(number, Proposal(ROWS[number], "x"))


def test_only_full_results_are_learned_from_and_all_bar_their_architecture() -> None:
    history = History(
        PROBLEM, [trial(0), trial(1, "failed"), running(2), trial(3, fidelity=12), trial(4)]
    )
    assert [t.number for t in history.ok] == [0, 4]
    assert history.scores.tolist() == [[0.0], [-4.0]]
    assert history.feasible.tolist() == [True, True]
    assert history.values.keys() >= {"quality", "params"}
    assert len(history.pending) == 1
    asked = torch.tensor(ROWS[:6])
    assert history.knows(asked).tolist() == [True, True, True, False, True, False]
    assert len(history.at(12).ok) == 1


def test_what_is_fresh_is_possible_new_and_once_each() -> None:
    history = History(PROBLEM, [trial(0), running(1)])
    fresh = history.fresh(torch.tensor([*ROWS[:4], *ROWS[:4]]))
    assert [tuple(row) for row in fresh.tolist()] == ROWS[2:4]


def test_a_result_is_taken_back_and_given() -> None:
    done = trial(0)
    assert (done.done, done.status, done.metrics) == (True, "ok", {"quality": 0.0})
    again = done.pending()
    assert (again.done, again.status, again.metrics, again.reason) == (False, "running", {}, "")
    assert again.finish(Evaluation(CELLS.architecture(ROWS[0]), {}, "failed", "no")).reason == "no"
