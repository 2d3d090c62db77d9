"""What comes next is told by the log alone."""

from __future__ import annotations

import torch

from vitruvius.bo.draws import draw_possible
from vitruvius.bo.method import Method
from vitruvius.bo.problem import Problem
from vitruvius.bo.proposer import FALLBACK, INITIAL, Proposer
from vitruvius.bo.store import Entry, Run, RunConfig, TrialLog
from vitruvius.bo.trial import History, Proposal
from vitruvius.evaluators import Evaluation, Metric
from vitruvius.spaces import space

CELLS = space("nasbench201")
PROBLEM = Problem(CELLS, {"a": Metric("a", "", "higher")}, maximize="a", where="params<=400k")


class Stubborn:
    """Always the same, whether it is known or not."""

    name = "stubborn"

    def __init__(self) -> None:
        self.seen: list[History] = []

    def propose(self, history: History, seed: int) -> Proposal | None:
        self.seen.append(history)
        return Proposal((0, 0, 0, 0, 0, 1), "stubborn")


def log() -> TrialLog:
    config = RunConfig(space=CELLS.name, maximize="a", where="params<=400k")
    return TrialLog(Run.in_memory(config, PROBLEM.objectives), PROBLEM)


def done(made: TrialLog, proposal: Proposal) -> None:
    entry = made.claim(len(made.read()), proposal)
    assert entry is not None
    made.finish(entry, Evaluation(CELLS.architecture(proposal.row), {"a": 1.0}))


def proposer(method: Method, **options: int) -> Proposer:
    return Proposer(PROBLEM, method, **{"seed": 3, "batch": 1, "initial": 2, **options})


def test_initial_designs_first_then_the_method_and_a_draw_for_what_is_known() -> None:
    made, asked = log(), proposer(Stubborn())
    sources, rejected = [], 0
    for _ in range(5):
        chosen = asked.next(made.read())
        assert chosen.proposal is not None
        sources.append(chosen.proposal.source)
        rejected += chosen.rejected
        done(made, chosen.proposal)
    assert sources == [INITIAL, INITIAL, "stubborn", FALLBACK, FALLBACK]
    assert rejected == 2
    rows = torch.tensor([entry.trial.proposal.row for entry in made.read()])
    assert len(CELLS.hashes(rows).unique()) == 5
    assert bool(PROBLEM.possible(rows).all())


def test_the_log_alone_decides() -> None:
    one, two = log(), log()
    for made in (one, two):
        for _ in range(4):
            chosen = proposer(Stubborn()).next(made.read())
            assert chosen.proposal is not None
            done(made, chosen.proposal)
    first, second = ([e.trial.proposal for e in made.read()] for made in (one, two))
    assert first == second


def test_a_batch_hides_the_results_of_the_last() -> None:
    made, method = log(), Stubborn()
    for row in CELLS.enumerate()[:6].tolist():
        done(made, Proposal(tuple(row), INITIAL))
    proposer(method, batch=3).next(made.read())
    assert [trial.done for trial in method.seen[0].trials] == [True] * 4 + [False] * 2


def test_it_is_due_when_what_it_decides_from_is_in() -> None:
    made, asked = log(), proposer(Stubborn(), initial=0, batch=2)
    entries: list[Entry] = made.read()
    assert asked.due(entries)
    made.claim(0, Proposal((0,) * 6, "x"))
    assert asked.due(made.read()), "one may be pending"
    made.claim(1, Proposal((1,) * 6, "x"))
    assert not asked.due(made.read())


def test_draws_meet_the_exact_constraints_and_are_distinct() -> None:
    rows = draw_possible(PROBLEM, 50, 0)
    assert len(CELLS.hashes(rows).unique()) == len(rows) == 50
    assert bool(PROBLEM.possible(rows).all())
