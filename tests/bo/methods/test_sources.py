import pytest
import torch

from vitruvius.bo.methods.bayesian import BayesianOptimization
from vitruvius.bo.methods.sources.climb import climb
from vitruvius.bo.methods.sources.gather import CLIMBED, KEPT, LOCAL, propose_candidates
from vitruvius.bo.methods.sources.ranked import FIRST, Ranked
from vitruvius.bo.methods.sources.resolver import SOURCES, sources_of
from vitruvius.bo.methods.sources.source import Asked
from vitruvius.bo.problem import Problem
from vitruvius.bo.trial import History, Trial
from vitruvius.core.errors import UnknownNameError, UsageError
from vitruvius.evaluators.evaluation import Evaluation
from vitruvius.evaluators.metric import Metric
from vitruvius.generators import GraphDiffusion
from vitruvius.generators.generator import Generator
from vitruvius.generators.resolver import generator_for
from vitruvius.generators.uniform import Uniform
from vitruvius.spaces import Space, space
from vitruvius.spaces.cnn.mobilenetv3 import MobileNetV3

WHERE = "macs<=335M"


@pytest.fixture(scope="module")
def nets() -> Space:
    """The space of the benchmark: one resolution."""
    return MobileNetV3(resolutions=(224,))


def observed(kind: Space, where: str = "", n: int = 8) -> History:
    """The smaller the better; what was proposed meets the constraint."""
    problem = Problem(kind, {}, minimize="params", where=where)
    x = kind.sample(40 * n, 0)
    rows = x[problem.possible(x)][:n].tolist()
    trials = [Trial.of(i, Evaluation(kind.architecture(row))) for i, row in enumerate(rows)]
    return History(problem, trials)


def no_value(x: torch.Tensor) -> torch.Tensor:
    return torch.zeros(len(x), dtype=torch.float64)


def brought(
    history: History, sources: str, n: int, seed: int = 0, generator: Generator | None = None
) -> tuple[torch.Tensor, list[str]]:
    asked = Asked(history, no_value, generator or Uniform())
    return propose_candidates(asked, sources_of(sources), n, seed)


@pytest.mark.parametrize("source", [name for name in SOURCES.names() if name != "ranked"])
def test_every_source_keeps_exact_constraints_and_the_resolution(nets: Space, source: str) -> None:
    """With the generator that ships, which was trained for all resolutions."""
    history = observed(nets, WHERE)
    generator = generator_for(nets)
    assert generator.guidable
    x, labels = brought(history, source, 64, 1, generator)
    assert 15 <= len(x) <= 64
    assert labels == [source] * len(x)
    assert bool(nets.is_valid(x).all())
    assert bool(history.problem.possible(x).all())
    assert float(history.problem.exact(x)["macs"].max()) <= 335e6
    assert all(nets.to_string(row).startswith("r=224;") for row in x.tolist())
    assert not bool(history.knows(x).any())
    assert len(nets.hashes(x).unique()) == len(x)


def test_mutations_are_one_or_two_changes_of_the_best(nets: Space) -> None:
    history = observed(nets, n=30)
    x, _ = brought(history, "mutation", 200)
    best = history.x[history.values["params"].argsort()[:10]]
    steps = nets.canonical(torch.cat([nets.neighbours(row) for row in best]))
    near = torch.isin(nets.hashes(x), nets.hashes(steps))
    assert 0.2 < float(near.double().mean()) < 0.8
    changed = (x[~near][:, None] != best).sum(2).min(1).values
    # A depth that grows brings kernels and expansions with it.
    assert float((changed <= 2).double().mean()) > 0.5


def test_the_generator_follows_the_value() -> None:
    """Under a value that falls with the parameters, proposals are smaller than draws."""
    kind = space("nasbench101")
    history = observed(kind)

    def value(x: torch.Tensor) -> torch.Tensor:
        return -4.0 * kind.statistics(x)["params"].log()

    asked = Asked(history, value, generator_for(kind))
    x, _ = propose_candidates(asked, sources_of("diffusion"), 64, 0)
    drawn = kind.statistics(kind.sample(500, 1))["params"].median()
    assert kind.statistics(x)["params"].median() < 0.5 * drawn


def test_what_two_sources_find_is_the_first_ones() -> None:
    kind = space("toy_recipe.yaml")
    problem = Problem(kind, {"quality": Metric("quality", "", "higher")}, maximize="quality")
    first = kind.architecture(kind.sample(1, 0)[0])
    history = History(problem, [Trial.of(0, Evaluation(first, {"quality": 1.0}))])
    x, labels = brought(history, "mutation+uniform", 1000)
    assert len(x) == len(labels) == len(kind.hashes(x).unique())
    alone, _ = brought(history, "mutation", 1000)
    assert labels.count("mutation") == len(alone)
    assert "uniform" in labels


def test_the_same_seed_gives_the_same(nets: Space) -> None:
    history = observed(nets)
    torch.manual_seed(0)
    before = torch.get_rng_state()
    names = "+".join(SOURCES.names())
    first, again, other = (brought(history, names, 50, seed)[0] for seed in (0, 0, 1))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)
    assert torch.equal(torch.get_rng_state(), before)


def test_unknown_source_lists_the_choices(nets: Space) -> None:
    with pytest.raises(UnknownNameError, match="diffusion, drawn, mutation"):
        sources_of("evolution")


def test_what_is_told_of_the_best_is_what_is_asked_for() -> None:
    """Among cells with the incumbents' counts, parameters are near to theirs."""
    kind = space("nasbench101")
    history = observed(kind, n=40)
    generator = generator_for(kind)
    near, drawn = (
        brought(history, name, 128, 0, generator)[0] for name in ("conditioned", "drawn")
    )
    best = history.values["params"].sort().values[:10].log().mean()
    far = [float((kind.statistics(x)["params"].log() - best).abs().median()) for x in (near, drawn)]
    assert far[0] < 0.5 * far[1]


def test_renoised_incumbents_stay_near_them(nets: Space) -> None:
    history = observed(nets, n=12)
    x, _ = brought(history, "renoising", 90, 0, generator_for(nets))
    best = history.x[history.values["params"].argsort()[:10]]
    changed, drawn = (
        float((rows[:, None] != best).double().mean(2).amin(1).mean())
        for rows in (x, nets.sample(90, 3))
    )
    assert changed < 0.6 * drawn
    assert not len(brought(history, "renoising", 90)[0]), "uniform draws cannot be renoised"


@pytest.mark.slow
def test_adapters_learn_what_the_best_are_like() -> None:
    """They are refitted when observations double, and depend on nothing else."""
    kind = space("nasbench101")
    history, source = observed(kind, n=FIRST + 3), Ranked()
    generator = generator_for(kind)
    asked = Asked(history, no_value, generator)
    x = source(asked, 128, 0)
    drawn = generator.propose(kind, 128, seed=0).x
    small, usual = (kind.statistics(rows)["params"].log().median() for rows in (x, drawn))
    assert small < usual - 0.3
    earlier = Asked(History(history.problem, history.trials[:FIRST]), no_value, generator)
    assert torch.equal(source(earlier, 128, 0), Ranked()(asked, 128, 0))
    assert isinstance(generator, GraphDiffusion)
    few = Asked(observed(kind, n=FIRST - 1), no_value, generator)
    assert not len(source(few, 128, 0))


def test_fewer_than_no_climbers_are_refused() -> None:
    with pytest.raises(UsageError, match="0 or more, got -1"):
        BayesianOptimization(climbers=-1)


# -- climbing -----------------------------------------------------------------------------------


def test_a_climb_ends_where_no_neighbour_is_better(nets: Space) -> None:
    history = observed(nets, WHERE)

    def value(x: torch.Tensor) -> torch.Tensor:
        return nets.statistics(x)["macs"].log().double()

    asked = Asked(history, value, Uniform())
    x = asked.possible(nets.sample(60, 5))[:4]
    rows, worth, owner = climb(asked, x, value(x), torch.arange(3), 100_000)
    assert len(nets.hashes(torch.cat([x, rows])).unique()) == len(x) + len(rows)
    assert bool(history.problem.possible(rows).all())
    torch.testing.assert_close(worth, value(rows))
    assert set(owner.tolist()) <= {0, 1, 2}
    for start in set(owner.tolist()):
        assert float(worth[owner == start].max()) > float(value(x)[start])
    top = rows[worth.argmax()]
    around = nets.neighbours(top)
    around = around[history.problem.possible(around)]
    assert float(value(around).max()) <= float(worth.max())


def test_a_climb_stops_at_its_budget(nets: Space) -> None:
    history = observed(nets)

    def value(x: torch.Tensor) -> torch.Tensor:
        return nets.statistics(x)["params"].log().double()

    asked = Asked(history, value, Uniform())
    x = asked.possible(nets.sample(2, 0))
    most = len(nets.neighbours(x[0]))
    rows, _, _ = climb(asked, x, value(x), torch.tensor([0]), most)
    assert most <= len(rows) < 3 * most


def test_climbed_candidates_say_where_they_started() -> None:
    kind = space("nasbench101")
    history = observed(kind, n=20)

    def value(x: torch.Tensor) -> torch.Tensor:
        return -4.0 * kind.statistics(x)["params"].log().double()

    asked, sources = Asked(history, value, Uniform()), sources_of("mutation+uniform")
    x, labels = propose_candidates(asked, sources, 50, 0, climbers=6)
    plain, _ = propose_candidates(asked, sources, 50, 0)
    assert len(x) == len(labels) <= KEPT
    known = {"mutation", "uniform", LOCAL, *map(CLIMBED.format, ("mutation", "uniform"))}
    assert {LOCAL, CLIMBED.format("uniform")} <= set(labels) <= known
    assert not bool(history.knows(x).any())
    assert float(value(x).max()) > float(value(plain).max())
    worth = value(x)
    assert torch.equal(worth, worth.sort(descending=True).values)
