import math
import warnings
from collections.abc import Callable
from functools import cache, partial

import optuna
import pytest
import torch
from optuna.samplers import BaseSampler
from optuna.testing.pytest_samplers import BasicSamplerTestCase, MultiObjectiveSamplerTestCase
from optuna.trial import TrialState

from vitruvius.bo.optuna_sampler import VitruviusSampler, suggest
from vitruvius.bo.trial import History, Proposal
from vitruvius.core.errors import ArchitectureError, UnknownNameError
from vitruvius.evaluators import NASBenchGraphTable
from vitruvius.spaces import Space, space

optuna.logging.set_verbosity(optuna.logging.ERROR)

Objective = Callable[[optuna.Trial], float]


class TestOptunasContract(BasicSamplerTestCase, MultiObjectiveSamplerTestCase):
    """What Optuna asks of every sampler, among parameters that are no variables of ours."""

    @pytest.fixture
    def sampler(self) -> Callable[[], BaseSampler]:
        return partial(VitruviusSampler, "toy_recipe.yaml", method="random")


class Remembering:
    """Proposes the first that is new, and remembers what it was shown."""

    name = "remembering"

    def __init__(self) -> None:
        self.seen: list[History] = []

    def propose(self, history: History, seed: int) -> Proposal | None:
        self.seen.append(history)
        left = history.fresh(history.problem.space.enumerate())
        return Proposal(tuple(left[0].tolist()), "first") if len(left) else None


@pytest.fixture
def recipe() -> Space:
    """216 architectures."""
    return space("toy_recipe.yaml")


@cache
def cora() -> NASBenchGraphTable:
    return NASBenchGraphTable("cora")


def valid_perf(trial: optuna.Trial) -> float:
    row = suggest(trial, cora().space).canonical
    return float(cora().values(torch.tensor([row]))["valid_perf"])


def total(kind: Space) -> Objective:
    return lambda trial: float(sum(suggest(trial, kind).indices))


def rows_of(study: optuna.Study, kind: Space) -> list[tuple[int, ...]]:
    found = []
    for trial in study.trials:
        if trial.params:
            indices = [v.choices.index(trial.params[v.name]) for v in kind.variables]
            found.append(kind.architecture(indices).canonical)
    return found


def test_searches_a_table_and_never_repeats() -> None:
    study = optuna.create_study(direction="maximize", sampler=VitruviusSampler("nas-bench-graph"))
    study.optimize(valid_perf, n_trials=16)
    rows = rows_of(study, cora().space)
    assert len(set(rows)) == 16
    values = [trial.value for trial in study.trials]
    assert sum(values[8:]) / 8 > sum(values[:5]) / 5


def test_parameters_are_exactly_what_was_proposed(recipe: Space) -> None:
    method = Remembering()
    study = optuna.create_study(sampler=VitruviusSampler(recipe, method=method, initial=0))
    study.optimize(total(recipe), n_trials=6)
    first = [tuple(row) for row in recipe.enumerate()[:5].tolist()]
    assert (
        rows_of(study, recipe)[1:] == [row for row in first if row != rows_of(study, recipe)[0]][:5]
    )
    assert method.seen[-1].problem.objectives[0].maximize is False
    assert [trial.metrics["value"] for trial in method.seen[-1].ok] == [
        trial.value for trial in study.trials[:5]
    ]


def test_the_same_seed_gives_the_same(recipe: Space) -> None:
    found = []
    for seed in (0, 0, 1):
        study = optuna.create_study(sampler=VitruviusSampler(recipe, seed=seed))
        study.optimize(total(recipe), n_trials=8)
        found.append(rows_of(study, recipe))
    assert found[0] == found[1] != found[2]


def test_a_new_sampler_goes_on_as_the_old_one(recipe: Space) -> None:
    whole = optuna.create_study(sampler=VitruviusSampler(recipe))
    whole.optimize(total(recipe), n_trials=10)
    parts = optuna.create_study(sampler=VitruviusSampler(recipe))
    parts.optimize(total(recipe), n_trials=6)
    parts.sampler = VitruviusSampler(recipe)
    parts.optimize(total(recipe), n_trials=4)
    assert rows_of(parts, recipe) == rows_of(whole, recipe)


def test_several_directions(recipe: Space) -> None:
    method = Remembering()
    study = optuna.create_study(
        directions=["minimize", "maximize"],
        sampler=VitruviusSampler(recipe, method=method, initial=1),
    )

    def objective(trial: optuna.Trial) -> tuple[float, float]:
        row = suggest(trial, recipe).indices
        return float(sum(row)), float(row[0])

    study.optimize(objective, n_trials=3)
    ways = {entry.metric: entry.maximize for entry in method.seen[-1].problem.objectives}
    assert ways == {"value_0": False, "value_1": True}
    assert [trial.metrics["value_1"] for trial in method.seen[-1].ok] == [
        trial.values[1] for trial in study.trials[:2]
    ]
    study.sampler = VitruviusSampler(recipe)
    study.optimize(objective, n_trials=3)
    assert len(set(rows_of(study, recipe))) == 6


def test_failed_pruned_and_infinite_trials_are_known_but_not_values(recipe: Space) -> None:
    method = Remembering()
    study = optuna.create_study(sampler=VitruviusSampler(recipe, method=method, initial=1))

    def objective(trial: optuna.Trial) -> float:
        value = total(recipe)(trial)
        if trial.number == 1:
            raise RuntimeError("out of memory")
        if trial.number == 2:
            raise optuna.TrialPruned
        if trial.number == 3:
            return math.nan
        return math.inf if trial.number == 4 else value

    study.optimize(objective, n_trials=7, catch=(RuntimeError,))
    last = method.seen[-1]
    states = [trial.status for trial in last.trials]
    assert states == ["ok", "failed", "pruned", "failed", "failed", "ok"]
    assert len(set(rows_of(study, recipe))) == 7


def test_running_and_waiting_trials_are_pending(recipe: Space) -> None:
    method = Remembering()
    study = optuna.create_study(sampler=VitruviusSampler(recipe, method=method, initial=0))
    study.tell(study.ask(), 1.0)  # holds no architecture
    done = study.ask()
    suggest(done, recipe)
    study.tell(done, 1.0)
    suggest(study.ask(), recipe)
    architecture = recipe.enumerate()[100].tolist()
    study.enqueue_trial(
        {v.name: v.choices[i] for v, i in zip(recipe.variables, architecture, strict=True)}
    )
    running = study.ask()  # the enqueued one
    assert list(suggest(running, recipe).indices) == architecture
    suggest(study.ask(), recipe)
    assert [trial.status for trial in method.seen[-1].trials] == ["ok", "running", "running"]


@pytest.mark.slow
def test_what_was_enqueued_is_not_proposed_again(recipe: Space) -> None:
    """Not even while it waits; a part of a trial is completed to something new."""
    study = optuna.create_study(sampler=VitruviusSampler(recipe, method="random", initial=1))
    variables = recipe.variables
    for row in recipe.enumerate()[:3].tolist():
        study.enqueue_trial({v.name: v.choices[i] for v, i in zip(variables, row, strict=True)})
    fixed = {variables[0].name: variables[0].choices[-1]}
    study.enqueue_trial(fixed)
    study.optimize(total(recipe), n_trials=216)
    assert len(set(rows_of(study, recipe))) == 216
    assert study.trials[3].params.items() >= fixed.items()


@pytest.mark.slow
def test_an_exhausted_space_stops_the_study(recipe: Space) -> None:
    study = optuna.create_study(sampler=VitruviusSampler(recipe, method="random"))
    study.optimize(total(recipe), n_trials=300)
    assert len(study.trials) == 217
    assert len(study.get_trials(states=(TrialState.COMPLETE,))) == 216
    assert study.trials[-1].state == TrialState.PRUNED
    with pytest.raises(optuna.TrialPruned, match="All architectures of toy-recipe"):
        suggest(study.ask(), recipe)


def test_other_encodings_of_the_same_are_known() -> None:
    """ExternalResult in one encoding, an architecture is not proposed in another."""
    cells = space("nasbench201")
    method = Remembering()
    study = optuna.create_study(sampler=VitruviusSampler(cells, method=method, initial=0))
    rows = cells.enumerate()[:30]
    for row in cells.shuffle(rows, 1).tolist():
        params = {v.name: v.choices[i] for v, i in zip(cells.variables, row, strict=True)}
        distributions = {
            v.name: optuna.distributions.CategoricalDistribution(v.choices) for v in cells.variables
        }
        study.add_trial(optuna.create_trial(params=params, distributions=distributions, value=0.0))
    study.optimize(lambda trial: float(len(str(suggest(trial, cells)))), n_trials=1)
    assert torch.equal(method.seen[-1].x, rows)
    assert rows_of(study, cells)[-1] == tuple(cells.enumerate()[30].tolist())


def test_foreign_trials_and_parameters_are_left_alone(recipe: Space) -> None:
    """A trial without an architecture, one that breaks a rule, and a learning rate."""
    cells = space("nasbench101")
    study = optuna.create_study(sampler=VitruviusSampler(cells, method="random"))
    study.optimize(lambda trial: trial.suggest_float("rate", 0, 1), n_trials=2)
    broken = torch.zeros(1, len(cells.variables), dtype=torch.long)
    assert not bool(cells.is_valid(broken))
    study.enqueue_trial({v.name: v.choices[0] for v in cells.variables})

    def objective(trial: optuna.Trial) -> float:
        return len(str(suggest(trial, cells))) * trial.suggest_float("rate", 0, 1)

    study.optimize(objective, n_trials=3, catch=(ArchitectureError,))
    states = [trial.state for trial in study.trials]
    assert states == [TrialState.COMPLETE] * 2 + [TrialState.FAIL] + [TrialState.COMPLETE] * 2


def test_unknown_names() -> None:
    with pytest.raises(UnknownNameError, match="random"):
        VitruviusSampler("nas-bench-graph", method="annealing")
    with pytest.raises(UnknownNameError):
        VitruviusSampler("nasbench-201")


def test_no_experimental_or_other_warnings(recipe: Space) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        study = optuna.create_study(sampler=VitruviusSampler(recipe))
        study.optimize(total(recipe), n_trials=7)
