from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from vitruvius.bo.acquisition.fitted import FittedAcquisition
from vitruvius.bo.acquisition.functions import acquisition_names
from vitruvius.bo.method import Method
from vitruvius.bo.methods.bayesian import BayesianOptimization
from vitruvius.bo.methods.sources.gather import LOCAL
from vitruvius.bo.problem import Problem
from vitruvius.bo.search import Search
from vitruvius.bo.trial import History, Trial
from vitruvius.core.errors import UnknownNameError, UsageError, VitruviusError
from vitruvius.encoders import View
from vitruvius.evaluators import Evaluator, Metric, NASBenchGraphTable
from vitruvius.evaluators.evaluation import Evaluation
from vitruvius.predictors.resolver import AUTO
from vitruvius.spaces import Space, space
from vitruvius.spaces.cnn.mobilenetv3 import MobileNetV3
from vitruvius.testing import MethodContract
from vitruvius.testing.methods import landscape, quality_and_cost, search

SINGLE = [name for name in acquisition_names() if "ehvi" not in name]
SEVERAL = ["auto", "logehvi", "lognehvi"]
PROBLEMS = {
    "one objective": {"maximize": "quality"},
    "constraint": {"maximize": "quality", "where": "cost<=60"},
    "nothing feasible": {"maximize": "quality", "where": "cost<=-1"},
    "several": {"maximize": "quality", "minimize": "cost"},
    "several, constraint": {"maximize": "quality", "minimize": "cost", "where": "cost<=60"},
    "several, nothing feasible": {
        "maximize": "quality",
        "minimize": "cost",
        "where": "cost<=-1",
    },
}
QUICK = ("one objective", "several")
# With constraints `auto` alone is tried at once, every other one in the slow tests.
EACH = [
    pytest.param(name, wanted, marks=() if name == "auto" or wanted in QUICK else pytest.mark.slow)
    for wanted in PROBLEMS
    for name in (SEVERAL if wanted.startswith("several") else SINGLE)
]


class TestContract(MethodContract):
    @pytest.fixture
    def make(self) -> Callable[[], Method]:
        return lambda: BayesianOptimization(pool=16)


@pytest.mark.slow
@pytest.mark.parametrize(("name", "wanted"), EACH)
def test_every_acquisition_on_every_problem_it_allows(name: str, wanted: str) -> None:
    kind = space("toy_recipe.yaml")
    problem = Problem(kind, quality_and_cost(), **PROBLEMS[wanted])
    torch.manual_seed(0)
    before = torch.get_rng_state()
    history = search(BayesianOptimization(acquisition=name), problem, 8, pending=3)
    assert len(history.hashes.unique()) == 8
    assert {trial.proposal.source for trial in history.trials[7:]} == {"exhaustive"}
    assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.parametrize("name", SINGLE)
def test_noisy_values_of_the_same(name: str) -> None:
    """Values that contradict each other, more than likelihoods are of."""
    kind = space("toy_recipe.yaml")
    problem = Problem(kind, quality_and_cost(), maximize="quality")
    noise = torch.randn(205, generator=torch.Generator().manual_seed(0)).tolist()
    trials = [
        Trial.of(i, Evaluation(problem.space.architecture(row), {"quality": noise[i]}), "told")
        for i, row in enumerate(kind.enumerate()[:205].tolist())
    ]
    history = History(problem, trials)
    proposal = BayesianOptimization(acquisition=name).propose(history, 0)
    assert proposal is not None
    assert not bool(history.knows(torch.tensor([proposal.row])).any())


@pytest.mark.parametrize("name", SINGLE[1:])
def test_told_results_may_all_violate_what_is_counted(name: str) -> None:
    cells = space("nasbench201")
    problem = Problem(cells, quality_and_cost(), maximize="quality", where="params<=120k")
    rows = cells.enumerate()
    rows = rows[~problem.possible(rows)][:12].tolist()
    trials = [
        Trial.of(i, Evaluation(problem.space.architecture(row), landscape(tuple(row))), "told")
        for i, row in enumerate(rows)
    ]
    proposal = BayesianOptimization(acquisition=name).propose(History(problem, trials), 0)
    assert proposal is not None
    assert bool(problem.possible(torch.tensor([proposal.row])).all())


@pytest.mark.parametrize(
    "name",
    [
        "gp",
        *(
            pytest.param(name, marks=pytest.mark.slow)
            for name in (AUTO, "average", "ensemble", "deep-kernel", "latent:steps=20")
        ),
    ],
)
def test_every_surrogate_on_a_space_of_thousands(name: str) -> None:
    """Where most are left out after a first look."""
    cells = space("nasbench201")
    problem = Problem(cells, quality_and_cost(), maximize="quality")
    trials = [
        Trial.of(i, Evaluation(problem.space.architecture(row), landscape(tuple(row))), "told")
        for i, row in enumerate(cells.enumerate()[::300].tolist())
    ]
    history = History(problem, trials)
    proposal = BayesianOptimization(surrogate=name).propose(history, 0)
    assert proposal is not None
    assert proposal == BayesianOptimization(surrogate=name).propose(history, 0)


@pytest.mark.slow
@pytest.mark.parametrize("sources", ["mutation", "diffusion+mutation", "uniform"])
def test_exact_constraints_in_a_space_too_large_to_list(sources: str) -> None:
    nets = MobileNetV3(resolutions=(224,))
    problem = Problem(nets, quality_and_cost(), maximize="quality", where="macs<=335M")
    history = search(BayesianOptimization(sources=sources, pool=32), problem, 8)
    assert len(history.hashes.unique()) == 8
    assert bool(nets.is_valid(history.everything).all())
    assert float(problem.exact(history.everything)["macs"].max()) <= 335e6
    proposed = {trial.proposal.source.partition(",")[0] for trial in history.trials[4:]}
    assert proposed <= {*sources.split("+"), LOCAL}


def test_a_generator_is_asked_where_one_is_given() -> None:
    assert list(BayesianOptimization().sources) == ["mutation"]
    assert list(BayesianOptimization(generator="uniform").sources) == ["diffusion", "mutation"]
    both = BayesianOptimization(generator="uniform", sources="drawn")
    assert list(both.sources) == ["drawn"]


def test_by_default_candidates_climb() -> None:
    """What is proposed is worth more than any mutation, to the same surrogate."""
    nets = space("mobilenetv3")
    problem = Problem(nets, quality_and_cost(), maximize="quality")
    trials = [
        Trial.of(i, Evaluation(nets.architecture(row), landscape(tuple(row))), "told")
        for i, row in enumerate(nets.sample(8, 0).tolist())
    ]
    history = History(problem, trials)
    plain, climbing = BayesianOptimization(pool=8, climbers=0), BayesianOptimization(pool=8)
    rows = [method.propose(history, 0) for method in (plain, climbing)]
    x = torch.tensor([each.row for each in rows if each is not None])
    before, after = plain.score(history, x, 0).acquisition.tolist()
    assert after > before


def test_several_metrics_that_are_not_objectives_are_not_needed() -> None:
    problem = Problem(space("toy_recipe.yaml"), quality_and_cost(), minimize="cost")
    rows = problem.space.enumerate()[:6].tolist()
    trials = [
        Trial.of(i, Evaluation(problem.space.architecture(row), {"cost": float(sum(row))}), "told")
        for i, row in enumerate(rows)
    ]
    assert BayesianOptimization().propose(History(problem, trials), 0) is not None


def test_it_predicts_and_values_any_architecture() -> None:
    table = NASBenchGraphTable("cora")
    problem = Problem.of(table, maximize="valid_perf")
    values = table.values(table.rows[:20])["valid_perf"].tolist()
    trials = [
        Trial.of(i, Evaluation(problem.space.architecture(row), {"valid_perf": values[i]}), "told")
        for i, row in enumerate(table.rows[:20].tolist())
    ]
    fitted = BayesianOptimization().fitted(History(problem, trials))
    assert isinstance(fitted, FittedAcquisition)


def test_one_method_serves_several_problems() -> None:
    """What is computed once for a problem is not taken for another's."""
    method = BayesianOptimization(pool=16)
    for name in ("toy_recipe.yaml", "nasbench201", "toy_recipe.yaml"):
        problem = Problem(space(name), quality_and_cost(), maximize="quality")
        assert len(search(method, problem, 6)) == 6


@pytest.mark.parametrize(
    ("options", "choices"),
    [
        ({"acquisition": "ei"}, "logei"),
        ({"features": "one-hot+graph"}, "weisfeiler-lehman"),
        ({"sources": "genetic"}, "diffusion, drawn, mutation"),
        ({"surrogate": "forest"}, "deep-kernel"),
        ({"generator": "gan"}, "mobilenetv3"),
        ({"fidelity": "half"}, "lower-first"),
    ],
)
def test_unknown_names_list_the_choices(options: dict[str, str], choices: str) -> None:
    problem = Problem(space("mobilenetv3"), quality_and_cost(), maximize="quality")
    with pytest.raises(UnknownNameError, match=choices):
        search(BayesianOptimization(**options), problem, 6)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("name", "wanted"),
    [("logehvi", {"maximize": "quality"}), ("ucb", {"maximize": "quality", "minimize": "cost"})],
)
def test_acquisition_for_another_number_of_objectives(name: str, wanted: dict[str, str]) -> None:
    problem = Problem(space("toy_recipe.yaml"), quality_and_cost(), **wanted)
    with pytest.raises(UsageError, match="is not for"):
        search(BayesianOptimization(acquisition=name), problem, 6)


class Counted(Evaluator):
    """A cheap metric that is the same as what counts; remembers what it was asked."""

    def __init__(self, space: Space) -> None:
        super().__init__(space, {"cheap": Metric("cheap", "", "higher")})
        self.asked: list[tuple[int, ...]] = []

    def evaluate(self, architecture, fidelity=None, seed=0, context=None) -> Evaluation:
        made = self.space.architecture(architecture)
        self.asked.append(made.canonical)
        return Evaluation(made, {"cheap": landscape(made.canonical)["quality"]})


@pytest.mark.parametrize(
    ("name", "surrogate"),
    [
        ("toy_recipe.yaml", "gp"),
        pytest.param("mobilenetv3", "gp", marks=pytest.mark.slow),
        pytest.param("toy_recipe.yaml", "mixer:steps=2", marks=pytest.mark.slow),
    ],
)
def test_costly_views_are_asked_of_few(name: str, surrogate: str) -> None:
    problem = Problem(space(name), quality_and_cost(), maximize="quality")
    told = Counted(problem.space)
    method = BayesianOptimization(
        surrogate=surrogate, views=[View(told)], pool=64, sources="mutation+uniform"
    )
    history = search(method, problem, 8)
    assert len(told.asked) == len(set(told.asked)) <= 48 + 8 + 4 * 64
    again = BayesianOptimization(
        surrogate=surrogate,
        views=[View(Counted(problem.space))],
        pool=64,
        sources="mutation+uniform",
    )
    assert [t.proposal.row for t in search(again, problem, 8).trials] == [
        t.proposal.row for t in history.trials
    ]


def test_views_are_kept_with_the_run(tmp_path: Path) -> None:
    problem = Problem(space("toy_recipe.yaml"), quality_and_cost(), maximize="quality")
    asked = []
    for _ in range(2):
        told = Counted(problem.space)
        method = BayesianOptimization(views=[View(told)])
        method.keep_in(tmp_path)
        search(method, problem, 6)
        asked.append(len(told.asked))
    assert asked[0] > asked[1] == 0


@pytest.mark.parametrize(
    ("options", "why"),
    [
        ({"views": "proxy:nope"}, "proxy 'nope'"),
        ({"features": "nope"}, "encoder 'nope'"),
        ({"surrogate": "nope"}, "predictor 'nope'"),
        ({"surrogate": "mixer"}, "looks at views alone"),
        ({"acquisition": "logehvi"}, "logehvi"),
    ],
)
def test_mistakes_are_told_before_anything_is_evaluated(options: dict[str, str], why: str) -> None:
    cells = space("nasbench201:width=4,cells=1")
    problem = Problem(cells, quality_and_cost(), maximize="quality")
    with pytest.raises(VitruviusError, match=why):
        Search(problem, BayesianOptimization(**options))  # type: ignore[arg-type]
