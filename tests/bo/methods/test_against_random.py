"""Every method beats random search on NAS-Bench-Graph's Cora, from the same initial designs."""

from functools import cache
from statistics import mean

import pytest
import torch

from vitruvius.bo import initial_design
from vitruvius.bo.methods import method
from vitruvius.bo.problem import Problem
from vitruvius.bo.trial import History, Proposal, Trial
from vitruvius.core.seeding import derive_seed
from vitruvius.evaluators import Evaluation, NASBenchGraphTable

BUDGET, INITIAL = 60, 5


@cache
def cora() -> Problem:
    return Problem.of(NASBenchGraphTable("cora"), maximize="valid_perf")


@cache
def best(name: str, seed: int) -> float:
    problem, searcher = cora(), method(name)
    whole = problem.whole()
    assert whole is not None
    assert problem.evaluator is not None
    rows = initial_design(whole, INITIAL, derive_seed(seed, "initial")).tolist()
    trials = [Trial(i, Proposal(tuple(row), "initial")) for i, row in enumerate(rows)]
    for number in range(BUDGET):
        if number >= INITIAL:
            history = History(problem, trials)
            proposal = searcher.propose(history, derive_seed(seed, "propose", number))
            assert proposal is not None
            trials.append(Trial(number, proposal))
        values = problem.evaluator.values(torch.tensor([trials[number].proposal.row]))
        metrics = {"valid_perf": float(values["valid_perf"])}
        architecture = problem.space.architecture(trials[number].proposal.row)
        trials[number] = trials[number].finish(Evaluation(architecture, metrics))
    return max(trial.metrics["valid_perf"] for trial in trials)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "seeds"),
    [
        ("local-search", 20),
        ("evolution", 20),
        ("nsga2", 20),
        ("bananas", 5),
        ("boosting", 3),
        ("gp-wl", 5),
        ("bo", 5),
    ],
)
def test_better_than_random(name: str, seeds: int) -> None:
    """Seeds are fixed, so that this is one comparison, not a gamble."""
    ours = mean(best(name, seed) for seed in range(seeds))
    assert ours > mean(best("random", seed) for seed in range(seeds))
