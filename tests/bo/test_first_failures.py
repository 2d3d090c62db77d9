"""What no architecture is to blame for must not cost the budget, nor bar an architecture."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from vitruvius.bo.first_failures import commonest
from vitruvius.core.errors import UnknownNameError, UsageError
from vitruvius.evaluators import Evaluation
from vitruvius.spaces import Architecture
from vitruvius.verbs import search as searching
from vitruvius.verbs.sample import sample

SEARCH = {"maximize": "accuracy", "method": "random", "budget": 8, "executor": "serial"}


def search(evaluator: Callable[..., Any], **settings: Any) -> Any:
    return searching.search("nasbench201", evaluator=evaluator, **{**SEARCH, **settings})


def raising(architecture: Architecture) -> None:
    raise RuntimeError(f"CUDA error {sum(architecture.indices)}: device is busy at {architecture}")


@pytest.mark.parametrize(
    ("evaluator", "reason"),
    [
        (raising, "device is busy"),
        (lambda a: {"acuracy": 1.0}, "no accuracy among acuracy: is it 'acuracy'?"),
        (lambda a: {"accuracy": "63"}, "is text"),
        (lambda a: float("nan"), "accuracy is nan"),
        (lambda a: {"accuracy": float("inf") * (1 - 2 * (a.indices[0] % 2))}, "accuracy is"),
        (lambda a: Evaluation(a, {"accuracy": 1.0}, "done"), "'done'"),
        (lambda a: Evaluation(a, {"accuracy": 1.0}, fidelity=12), "at the fidelity 12, not in f"),
    ],
)
def test_first_failures_that_are_alike_end_a_search_and_are_free_again(
    evaluator: Callable[..., Any], reason: str, tmp_path: Path
) -> None:
    told = search(evaluator, run=tmp_path)
    assert reason in told.mistake
    assert [trial.status for trial in told.trials] == ["failed"] * 3
    assert reason in told.notes[0]
    mended = searching.resume(tmp_path, evaluator=lambda a: sum(a.indices))
    assert [trial.status for trial in mended.trials] == ["ok"] * 8
    assert [t.proposal for t in mended.trials[:3]] == [t.proposal for t in told.trials]


def test_what_an_evaluator_judges_or_fails_in_other_ways_does_not_end_it() -> None:
    ways = [KeyError("a"), ValueError("b"), RuntimeError("c")]

    calls_made: list[int] = []

    def by_turns(architecture: Architecture) -> None:
        calls_made.append(0)
        raise ways[len(calls_made) % 3]

    told = search(by_turns)
    assert (told.mistake, told.summary["failed"]) == ("", 8)
    assert told.notes[0].startswith("8 failed, 3 of them: ")
    judged = search(lambda a: Evaluation(a, status="failed", reason="does not map"))
    assert judged.notes == ["8 failed, all: does not map."]


def test_a_mistake_after_a_result_is_no_mistake_of_the_run() -> None:
    calls: list[int] = []

    def once(architecture: Architecture) -> float:
        calls.append(0)
        if len(calls) > 1:
            raise RuntimeError("no")
        return 1.0

    assert search(once).summary["failed"] == 7


def test_labels_end_at_the_same_mistake() -> None:
    with pytest.raises(UsageError, match="all failed alike: RuntimeError: CUDA error"):
        sample("nasbench201", data=raising, target="accuracy>=1", labels=8, executor="serial")
    with pytest.raises(UnknownNameError, match="meant to be 'params'"):
        sample("nasbench201", data=raising, target="accuracy>=1, parms<=3", labels=8)
    with pytest.raises(UnknownNameError, match="meant to be 'params'"):
        search(raising, where="parms<=1M")


@pytest.mark.parametrize("evaluator", [raising, lambda a: Evaluation(a, status="failed")])
def test_failures_are_tried_again_or_corrected(
    evaluator: Callable[..., Any], tmp_path: Path
) -> None:
    calls: list[int] = []

    def mostly(architecture: Architecture) -> Any:
        calls.append(0)
        return evaluator(architecture) if len(calls) > 1 else 1.0

    told = search(mostly, run=tmp_path, budget=4)
    assert told.summary["failed"] == 3
    opened = searching.open_search(tmp_path, evaluator=mostly)
    failed = told.trials[2]
    with pytest.raises(UsageError, match="has its result"):
        opened.tell(2, status="failed", reason="again")
    assert opened.tell(2, {"accuracy": 61.0}).metrics == {"accuracy": 61.0}
    assert opened.result().trials[2].metrics == {"accuracy": 61.0}
    again = searching.resume(tmp_path, evaluator=lambda a: 5.0, retry_failed=True)
    assert [t.metrics["accuracy"] for t in again.trials] == [1.0, 5.0, 61.0, 5.0]
    assert again.trials[2].proposal == failed.proposal
    assert searching.finished_trials(again.problem.space, tmp_path) == again.trials


def test_many_told_results_replace_failures(tmp_path: Path) -> None:
    from vitruvius.bo.store.external import parse_results

    made = searching.new_search("nasbench201", maximize="accuracy", method="random")
    names = [str(made.problem.space.architecture(t.proposal.row)) for t in made.ask(2)]
    made.tell(0, reason="busy")
    lines = [f"{names[0]},ok,1", f"{names[1]},failed,", f"{names[1]},ok,2", f"{names[1]},ok,3"]
    text = "\n".join(["architecture,status,accuracy", *lines])
    assert made.tell_all(parse_results(text)) == {"told": 3, "failed": 1, "known": 1}
    assert [t.metrics["accuracy"] for t in made.result().trials] == [1.0, 2.0]


def test_commonest_reason_is_of_its_kind() -> None:
    assert commonest(["a 1", "b", "a 2"]) == ("a 1", 2)
