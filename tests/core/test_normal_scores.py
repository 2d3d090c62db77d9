import pytest
import torch
from hypothesis import given, strategies as st
from scipy.special import ndtri

from vitruvius.core.normal_scores import NormalScores

numbers = st.lists(st.floats(-1e6, 1e6, width=32), min_size=2, max_size=30)


def test_normal_scores_are_quantiles_of_middle_ranks() -> None:
    scores = NormalScores(torch.tensor([5.0, 1.0, 3.0, 3.0]))
    expected = ndtri([3.5 / 4, 0.5 / 4, 0.5, 0.5])
    torch.testing.assert_close(
        scores(torch.tensor([5.0, 1.0, 3.0, 3.0])), torch.from_numpy(expected)
    )
    # Half way between two labels is half way between their scores.
    middle = scores(torch.tensor([4.0]))
    torch.testing.assert_close(middle, torch.tensor([(expected[0] + expected[2]) / 2]).double())


def test_beyond_the_labels_scores_go_on_straight() -> None:
    scores = NormalScores(torch.tensor([0.0, 9.0, 10.0]))
    slope = float(2 * ndtri(5 / 6)) / 10
    beyond = scores(torch.tensor([-10.0, 30.0]))
    expected = torch.tensor([-ndtri(5 / 6) - 10 * slope, ndtri(5 / 6) + 20 * slope])
    torch.testing.assert_close(beyond, expected.double())


@given(numbers, st.floats(-2e6, 2e6))
def test_scores_come_back(labels: list[float], value: float) -> None:
    values = torch.tensor(labels, dtype=torch.float64)
    scores = NormalScores(values)
    probe = torch.tensor([value], dtype=torch.float64)
    extent = float(values.max() - values.min())
    if extent < 1e-3 * max(1.0, float(values.abs().max())):
        return  # almost one value: rounding decides
    if float(scores.values[-1] - scores.values[0]) < extent / 2:
        return  # some are far off from all others: no score leads back to them
    assert float(scores.inverse(scores(probe))) == pytest.approx(value, rel=1e-3, abs=1e-3)


@given(numbers)
def test_scores_rise(labels: list[float]) -> None:
    values = torch.tensor(labels, dtype=torch.float64)
    scores = NormalScores(values)
    grid = torch.linspace(-2e6, 2e6, 101, dtype=torch.float64)
    assert (scores(grid).diff() >= 0).all()


def test_values_far_off_keep_their_rank_and_leave_the_others_as_they_are() -> None:
    values = torch.linspace(1, 5, 40, dtype=torch.float64)
    spoilt = torch.cat([values[:-2], torch.tensor([1e30, 3e30]).double()])
    plain, scores = NormalScores(values), NormalScores(spoilt)
    torch.testing.assert_close(scores(spoilt), plain(values))
    grid = torch.tensor([-3.0, 0.0, 1.6, 2.5, 4.0])
    near = (scores.inverse(grid) - plain.inverse(grid)).abs()
    assert (near < 1).all()
    ordered = scores(torch.tensor([0.0, 3.0, 5.0, 6.0, 1e20, 1e30, 2e30, 3e30, 1e300]))
    assert (ordered.diff() >= 0).all()
    assert ordered[0] < plain(torch.tensor([0.9]))[0]


def test_costs_that_span_orders_of_magnitude_come_back() -> None:
    values = torch.logspace(-3, 6, 30, dtype=torch.float64)
    scores = NormalScores(values)
    torch.testing.assert_close(scores.inverse(scores(values)), values)


@pytest.mark.parametrize("scale", [1.0, 0.01, -1.0])
@pytest.mark.parametrize(
    "sentinels", [[9999.0], [9999.0] * 4, [-9999.0], [999.0], [-9999.0, 9999.0]]
)
def test_what_stands_for_no_measurement_moves_no_accuracy(
    sentinels: list[float], scale: float
) -> None:
    accuracies = scale * torch.linspace(55, 95, 60, dtype=torch.float64)
    scores = NormalScores(torch.cat([accuracies, torch.tensor(sentinels).double()]))
    reached = scores.inverse(torch.linspace(-3, 3, 20)) / scale
    assert 30 < float(reached.min()) < float(reached.max()) < 120


@pytest.mark.parametrize(
    "values",
    [
        torch.cat([torch.linspace(92, 95, 60), torch.tensor([10.0])]),  # one collapsed
        torch.logspace(0, 4, 60),  # costs of hardware
        torch.cat([torch.logspace(0, 1, 60), torch.tensor([1000.0])]),
    ],
)
def test_values_of_heavy_tails_stay_within_reach(values: torch.Tensor) -> None:
    scores = NormalScores(values)
    torch.testing.assert_close(scores.inverse(scores(values)), values.double())
