import math
from itertools import combinations

import pytest
import torch
from hypothesis import given, settings, strategies as st
from scipy.stats import kendalltau

from vitruvius.core.errors import UsageError
from vitruvius.encoders.feature_sets import FEATURE_SETS, feature_sets_of
from vitruvius.encoders.tasks.probes import describe_probes, probe_design
from vitruvius.encoders.tasks.task_description import distances
from vitruvius.evaluators import NASBenchGraphTable, evaluator
from vitruvius.spaces import space

SPACES = [
    "nasbench201",
    "nas-bench-graph",
    pytest.param("nasbench101", marks=pytest.mark.slow),
    pytest.param("mobilenetv3", marks=pytest.mark.slow),
]


@pytest.mark.parametrize("name", SPACES)
def test_probes_are_valid_distinct_and_always_the_same(name: str) -> None:
    here = space(name)
    probes = probe_design(here, 12)
    assert bool(here.is_valid(probes).all())
    assert len(set(here.keys(probes))) == 12
    assert torch.equal(probe_design(here, 12), probes)


@pytest.mark.parametrize("name", SPACES)
def test_architectures_are_nearer_to_probes_than_to_draws(name: str) -> None:
    here = space(name)
    encode = feature_sets_of(here, FEATURE_SETS)
    others = torch.cat(encode(here.sample(100, 7)).features, 1)

    def mean_distance(x: torch.Tensor) -> float:
        to = torch.cat(encode(x).features, 1)
        return float(torch.cdist(others, to).amin(1).square().mean())

    draws = [mean_distance(here.sample(10, seed)) for seed in range(3)]
    assert mean_distance(probe_design(here)) < sum(draws) / len(draws)


def test_a_space_can_have_too_few_architectures() -> None:
    with pytest.raises(UsageError, match="got 0"):
        probe_design(space("nas-bench-graph"), 0)
    with pytest.raises(UsageError, match="got 5000"):
        probe_design(space("nas-bench-graph"), 5000)


@settings(max_examples=30, deadline=None)
@given(
    values=st.lists(st.integers(-50, 50), min_size=3, max_size=12),
    scale=st.floats(0.01, 100),
    shift=st.floats(-100, 100),
)
def test_only_the_order_of_values_counts(values: list[int], scale: float, shift: float) -> None:
    said = describe_probes(torch.tensor(values).float()).values
    assert describe_probes(torch.tensor(values).double() * scale + shift).values == said
    scores = list(said.values())
    for (a, left), (b, right) in combinations(zip(values, scores, strict=True), 2):
        assert (a < b) == (left < right)
        assert (a == b) == (left == right)


def test_distance_is_that_of_a_correlation() -> None:
    """Whatever other tasks there are; 0 for the same order, 4 for the reverse."""
    generator = torch.Generator().manual_seed(0)
    values = torch.rand(3, 10, generator=generator)
    tasks = [describe_probes(row) for row in (*values, values[0].exp(), -values[0])]
    scores = torch.tensor([list(task.values.values()) for task in tasks])
    torch.testing.assert_close(distances(tasks).float(), 2 * (1 - torch.corrcoef(scores)))
    assert distances(tasks[:2])[0, 1] == distances(tasks)[0, 1]
    assert distances(tasks)[0, 3:].tolist() == pytest.approx([0, 4])


def test_probes_that_failed_are_left_out() -> None:
    said = describe_probes(torch.tensor([1.0, math.nan, 3.0, 2.0, math.inf])).values
    assert list(said) == ["probe 0", "probe 2", "probe 3"]
    with pytest.raises(UsageError, match="Of 3 probes 2 have a value"):
        describe_probes(torch.tensor([1.0, math.nan, 3.0]))


@pytest.mark.slow
def test_tasks_that_rank_architectures_alike_are_near() -> None:
    """Over the pairs of eight data sets, distance falls as the rank correlation rises."""
    graphs = space("nas-bench-graph")
    probes = probe_design(graphs, 30)
    names = [name for name in NASBenchGraphTable.data_sets if name != "proteins"]
    tables = [evaluator(graphs, name) for name in names]
    x = tables[0].rows[::30]
    values = [table.values(x)["valid_perf"] for table in tables]
    apart = distances([describe_probes(table.values(probes)["valid_perf"]) for table in tables])
    pairs = list(combinations(range(len(tables)), 2))
    alike = [kendalltau(values[i], values[j]).statistic for i, j in pairs]
    assert kendalltau([float(apart[i, j]) for i, j in pairs], alike).statistic < -0.4


def test_precision_does_not_count() -> None:
    values = torch.rand(17, generator=torch.Generator().manual_seed(0))
    assert describe_probes(values).values == describe_probes(values.double()).values
