"""The loop: windows, initial designs, ask and tell, exhaustion, failures."""

from __future__ import annotations

import math
import sys
from collections.abc import Callable
from pathlib import Path

import cloudpickle
import pytest
import torch

from vitruvius.bo.best import best_trials, front
from vitruvius.bo.problem import Problem
from vitruvius.bo.search import Search
from vitruvius.bo.store import Run, RunConfig
from vitruvius.bo.trial import History, Proposal, Trial
from vitruvius.core.errors import ArchitectureError, UsageError
from vitruvius.evaluators import Evaluation, Evaluator, Metric
from vitruvius.evaluators.context import Context
from vitruvius.evaluators.function import FunctionEvaluator
from vitruvius.spaces import Architecture, ArchitectureLike, space

# Workers cannot import a test module by its name.
cloudpickle.register_pickle_by_value(sys.modules[__name__])

CELLS = space("nasbench201")


class Best:
    """A neighbour of the best; remembers what it was shown."""

    name = "best"

    def __init__(self, repeat: bool = False) -> None:
        self.repeat = repeat
        self.shown: list[History] = []

    def propose(self, history: History, seed: int) -> Proposal | None:
        self.shown.append(history)
        best = history.x[int(history.scores[:, 0].argmax())]
        if self.repeat:
            return Proposal(tuple(best.tolist()), "again")
        whole = history.problem.whole()
        near = history.fresh(CELLS.neighbours(best))
        left = near if len(near) else history.fresh(whole if whole is not None else near)
        return Proposal(tuple(left[seed % len(left)].tolist()), "best") if len(left) else None


def quality(architecture: Architecture) -> dict[str, float]:
    return {"accuracy": sum(math.sin(3 * i + c) for i, c in enumerate(architecture.indices))}


def problem(function: Callable[[Architecture], dict[str, float]] = quality, **told: str) -> Problem:
    told = told or {"maximize": "accuracy"}
    evaluator = FunctionEvaluator(CELLS, function, ", ".join(told.values()))
    return Problem.of(evaluator, **told)


def rows(search: Search) -> list[tuple[int, ...]]:
    return [entry.trial.proposal.row for entry in search.log.read()]


def test_a_trial_sees_the_results_up_to_batch_before_it_and_nothing_later() -> None:
    method = Best()
    Search(problem(), method, batch=3, initial=4).run(12)
    for shown in method.shown:
        k = len(shown.trials)
        assert [t.number for t in shown.ok] == list(range(k - 2))
        assert [t.number for t in shown.running] == [k - 2, k - 1]


def test_the_trajectory_follows_from_seed_and_batch_not_from_workers_or_pieces() -> None:
    straight = Search(problem(), Best(), seed=1, batch=3)
    straight.run(20)
    pieces = Search(problem(), Best(), seed=1, batch=3)
    for budget in (2, 3, 11, 20):
        pieces.run(budget)
    workers = Search(problem(), Best(), seed=1, batch=3)
    workers.run(20, workers=3, executor="process")
    assert rows(straight) == rows(pieces) == rows(workers)
    for settings in ({"seed": 2, "batch": 3}, {"seed": 1, "batch": 1}):
        other = Search(problem(), Best(), **settings)
        other.run(20)
        assert rows(other) != rows(straight)


def test_initial_designs_are_those_of_the_seed_whatever_the_method() -> None:
    first, second = Search(problem(), Best(), seed=5), Search(problem(), Best(True), seed=5)
    for search in (first, second):
        search.run(9)
    assert rows(first)[:5] == rows(second)[:5]
    sources = [trial.proposal.source for trial in first.result().trials]
    assert sources == ["initial"] * 5 + ["best"] * 4


def test_prior_results_replace_initial_designs_and_are_not_in_the_budget() -> None:
    fresh = Search(problem(), Best(), seed=5)
    fresh.run(5)
    search = Search(problem(), Best(), seed=5)
    # Two of the designs themselves, and one that is not.
    for row in [*rows(fresh)[:2], (3, 3, 3, 3, 3, 3)]:
        architecture = CELLS.architecture(row)
        search.tell(Evaluation(architecture, quality(architecture)))
    result = search.run(6)
    sources = [trial.proposal.source for trial in result.trials]
    assert sources == ["prior"] * 3 + ["initial"] * 2 + ["best"] * 4
    assert len(set(rows(search))) == 9
    assert (result.summary["evaluated"], result.summary["prior"]) == (6, 3)


def test_what_is_known_is_replaced_and_counted() -> None:
    result = Search(problem(), Best(repeat=True)).run(12)
    assert result.summary["duplicates_avoided"] == 7
    assert [t.proposal.source for t in result.trials[5:]] == ["fallback"] * 7
    assert len({trial.proposal.row for trial in result.trials}) == 12


def test_a_space_that_is_used_up_ends_the_search() -> None:
    tight = problem(maximize="accuracy", where="params<=75k")
    whole = CELLS.enumerate()
    possible = int(tight.possible(whole).sum())
    assert 5 < possible < 200
    result = Search(tight, Best(), batch=2).run(1000)
    assert result.summary["evaluated"] == possible
    assert "Everything" in result.notes[0]
    assert result.best[0].metrics["accuracy"] == max(
        quality(a)["accuracy"] for a in CELLS.architectures(whole[tight.possible(whole)])
    )


def test_failures_are_named_and_cost_one_trial_each() -> None:
    def moody(architecture: Architecture) -> dict[str, float]:
        kind = sum(architecture.indices) % 4
        if kind == 0:
            raise RuntimeError("diverged")
        return [{}, {"accuracy": math.nan}, quality(architecture)][kind - 1]

    result = Search(problem(moody), Best()).run(40)
    kinds = {sum(t.proposal.row) % 4: t.reason.split(" (")[0] for t in result.trials}
    assert kinds == {
        0: "RuntimeError: diverged", 1: "no accuracy", 2: "accuracy is nan", 3: "",
    }  # fmt: skip
    failed = [trial for trial in result.trials if trial.status == "failed"]
    assert len(result.trials) == 40
    assert result.summary["failed"] == len(failed) > 10
    printed = result.to_json()["trials"]
    assert [entry["number"] for entry in printed if "reason" in entry] == [t.number for t in failed]


def test_where_nothing_succeeds_designs_go_on() -> None:
    def hopeless(architecture: Architecture) -> Evaluation:
        return Evaluation(architecture, status="failed", reason="no")

    result = Search(problem(hopeless), Best()).run(8)
    assert (result.summary["failed"], result.best, result.missed) == (8, [], True)


def test_ask_and_tell() -> None:
    search = Search(problem(), Best(), seed=3)
    asked = search.ask(3)
    assert [trial.number for trial in asked] == [0, 1, 2]
    search.tell(1, {"accuracy": 2.0})
    search.tell(str(CELLS.architecture(asked[0].proposal.row)), {"accuracy": 1.0}, seconds=9.0)
    search.tell(2, reason="no memory")
    found = search.result()
    assert [t.status for t in found.trials] == ["ok", "ok", "failed"]
    assert (found.best[0].number, found.trials[2].reason) == (1, "no memory")
    with pytest.raises(UsageError, match="Trial 1 has its result"):
        search.tell(1, {"accuracy": 2.0})
    with pytest.raises(UsageError, match="There is no trial 7"):
        search.tell(7, {"accuracy": 2.0})
    with pytest.raises(UsageError, match="accuracy is missing"):
        search.tell((0, 0, 0, 0, 0, 0), {"acuracy": 2.0})
    with pytest.raises(ArchitectureError):
        search.tell("rubbish", {"accuracy": 2.0})
    with pytest.raises(UsageError, match="at least 1"):
        search.ask(0)


def test_ask_within_a_pool_proposes_nothing_else_until_it_is_used_up() -> None:
    search = Search(problem(), Best())
    pool = CELLS.sample(6, 0).unique(dim=0)
    # In another encoding of the same architectures.
    asked = search.ask(99, CELLS.shuffle(pool, 0))
    assert sorted(t.proposal.row for t in asked) == sorted(map(tuple, pool.tolist()))


def test_what_is_asked_does_not_hold_up_a_search() -> None:
    search = Search(problem(), Best())
    search.ask(2)
    result = search.run(10)
    assert (result.summary["evaluated"], result.summary["running"]) == (8, 2)


def test_several_objectives_give_the_feasible_front() -> None:
    both = problem(maximize="accuracy", minimize="params", where="params<=0.8M")
    result = Search(both, Best(), seed=2).run(60)
    values = [(t.metrics["accuracy"], -float(both.exact(torch.tensor([t.proposal.row]))["params"]))
              for t in result.trials]  # fmt: skip
    expected = {
        i
        for i, a in enumerate(values)
        if not any(b[0] >= a[0] and b[1] >= a[1] and b != a for b in values)
    }
    assert {trial.number for trial in result.best} == expected
    assert len(expected) > 1
    assert result.to_json()["best"][0]["metrics"].keys() == {"accuracy", "params"}


def test_a_result_keeps_fidelity_seed_and_status() -> None:
    """What was measured in part is no full result, and bars none (after automl/neps#103)."""
    search = Search(problem(), Best(), initial=0)
    a, b = CELLS.architecture((3,) * 6), CELLS.architecture((2,) * 6)
    search.tell(Evaluation(a, {"accuracy": 50.0}, fidelity=12, seed=5))
    full = search.tell(Evaluation(a, {"accuracy": 93.0}, seconds=2.0))
    early = search.tell(Evaluation(b, {"accuracy": 40.0}, status="pruned", reason="early"))
    again = search.tell(b, {"accuracy": 91.0}, fidelity=12)
    trials = search.result().trials
    assert [t.evaluation for t in trials] == [
        Evaluation(a, {"accuracy": 50.0}, fidelity=12, seed=5),
        full.evaluation,
        early.evaluation,
        again.evaluation,
    ]
    assert (early.status, early.reason, again.proposal.fidelity) == ("pruned", "early", 12)
    assert [t.number for t in search.result().best] == [full.number]
    with pytest.raises(UsageError, match="has its result"):
        search.tell(a, {"accuracy": 51.0}, fidelity=12)
    assert search.has_result(b)
    assert not search.has_result(CELLS.architecture((1,) * 6))


class Learning(Evaluator):
    """Accuracy grows by the step; how far depends on the architecture."""

    def __init__(self) -> None:
        super().__init__(CELLS, {"accuracy": Metric("accuracy", "%", "higher")})
        self.folders: list[str] = []

    def evaluate(  # type: ignore[override]
        self,
        architecture: ArchitectureLike,
        fidelity: int | None = None,
        seed: int = 0,
        *,
        context: Context,
    ) -> Evaluation:
        architecture = self.space.architecture(architecture)
        end = float(sum(architecture.indices))
        self.folders.append(str(context.folder))
        for step in range(1, 9):
            if not context.report(step, {"accuracy": end * step / 8}):
                break
        return Evaluation(architecture, {"accuracy": end * step / 8})


@pytest.mark.slow
def test_optunas_pruners_stop_what_falls_behind(tmp_path: Path) -> None:
    told = Problem.of(Learning(), maximize="accuracy")
    config = RunConfig(space=CELLS.name, maximize="accuracy", pruner="median:n_startup_trials=3")
    run = Run.create(config, told.objectives, tmp_path / "run")
    result = Search(told, Best(), run).run(20)
    stopped = [t for t in result.trials if t.status == "pruned"]
    assert 0 < len(stopped) < 17
    assert result.best[0].status == "ok"
    assert all("stopped early at step" in t.reason for t in stopped)
    evaluator = told.evaluator
    assert isinstance(evaluator, Learning)
    assert evaluator.folders[7] == str(tmp_path / "run" / "trials" / "7")
    assert Search(told, Best(), Run.open(tmp_path / "run")).result().trials == result.trials
    two = problem(maximize="accuracy", minimize="params")
    with pytest.raises(UsageError, match="compares one objective"):
        Search(two, Best(), Run.in_memory(config, two.objectives))


def test_nothing_feasible_gives_nothing_and_a_note() -> None:
    result = Search(problem(maximize="accuracy", where="accuracy>=99"), Best()).run(8)
    assert (result.best, result.missed) == ([], True)
    assert "Nothing that was measured meets" in result.notes[0]


def test_equals_on_the_front_all_stay_and_ties_go_to_the_first() -> None:
    assert front(torch.tensor([[1.0, 1.0], [1.0, 1.0], [0.0, 1.0]])).tolist() == [True, True, False]
    told = problem()
    trials = [
        Trial.of(i, Evaluation(told.space.architecture(row), {"accuracy": value}), "x")
        for i, (row, value) in enumerate([((0,) * 6, 1.0), ((1,) * 6, 2.0), ((3,) * 6, 2.0)])
    ]
    assert [t.number for t in best_trials(History(told, trials))] == [1]


def test_arguments_out_of_range() -> None:
    with pytest.raises(UsageError, match="at least 1"):
        Search(problem(), Best()).run(0)
    nobody = Problem(CELLS, {}, minimize="params")
    with pytest.raises(UsageError, match="no evaluator"):
        Search(nobody, Best()).run(3)
