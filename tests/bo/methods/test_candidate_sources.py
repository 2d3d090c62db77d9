import pytest
import torch

from vitruvius.bo.methods.candidate_sources import SOURCES, propose_candidates
from vitruvius.bo.problem import Problem
from vitruvius.bo.trial import History, Trial
from vitruvius.core.errors import UnknownNameError
from vitruvius.evaluators.evaluation import Evaluation
from vitruvius.evaluators.metric import Metric
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


@pytest.mark.parametrize("source", SOURCES)
def test_every_source_keeps_exact_constraints_and_the_resolution(nets: Space, source: str) -> None:
    """With the generator that ships, which was trained for all resolutions."""
    history = observed(nets, WHERE)
    generator = generator_for(nets)
    assert generator.guidable
    x, labels = propose_candidates(history, no_value, generator, [source], 64, 1)
    assert 20 <= len(x) <= 64
    assert labels == [source] * len(x)
    assert bool(nets.is_valid(x).all())
    assert bool(history.problem.possible(x).all())
    assert float(history.problem.exact(x)["macs"].max()) <= 335e6
    assert all(nets.to_string(row).startswith("r=224;") for row in x.tolist())
    assert not bool(history.knows(x).any())
    assert len(nets.hashes(x).unique()) == len(x)


def test_mutations_are_one_or_two_changes_of_the_best(nets: Space) -> None:
    history = observed(nets, n=30)
    x, _ = propose_candidates(history, no_value, Uniform(), ["mutation"], 200, 0)
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

    x, _ = propose_candidates(history, value, generator_for(kind), ["diffusion"], 64, 0)
    drawn = kind.statistics(kind.sample(500, 1))["params"].median()
    assert kind.statistics(x)["params"].median() < 0.5 * drawn


def test_what_two_sources_find_is_the_first_ones() -> None:
    kind = space("toy_recipe.yaml")
    problem = Problem(kind, {"quality": Metric("quality", "", "higher")}, maximize="quality")
    first = kind.architecture(kind.sample(1, 0)[0])
    history = History(problem, [Trial.of(0, Evaluation(first, {"quality": 1.0}))])
    x, labels = propose_candidates(history, no_value, Uniform(), ["mutation", "uniform"], 1000, 0)
    assert len(x) == len(labels) == len(kind.hashes(x).unique())
    alone, _ = propose_candidates(history, no_value, Uniform(), ["mutation"], 1000, 0)
    assert labels.count("mutation") == len(alone)
    assert "uniform" in labels


def test_the_same_seed_gives_the_same(nets: Space) -> None:
    history = observed(nets)
    torch.manual_seed(0)
    before = torch.get_rng_state()
    first, again, other = (
        propose_candidates(history, no_value, Uniform(), SOURCES, 50, seed)[0] for seed in (0, 0, 1)
    )
    assert torch.equal(first, again)
    assert not torch.equal(first, other)
    assert torch.equal(torch.get_rng_state(), before)


def test_unknown_source_lists_the_choices(nets: Space) -> None:
    with pytest.raises(UnknownNameError, match="diffusion, mutation, uniform"):
        propose_candidates(observed(nets), no_value, Uniform(), ["evolution"], 8, 0)
