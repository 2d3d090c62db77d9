import math

import numpy as np
import pytest
import torch
from hypothesis import given, strategies as st
from scipy.special import ndtri
from scipy.stats import norm

from vitruvius.predictors.predictor import NormalScores, log_interval

numbers = st.lists(st.floats(-1e6, 1e6, width=32), min_size=2, max_size=30)


def interval(mean: float, std: float, low: float, high: float) -> float:
    one = torch.ones(1, dtype=torch.float64)
    bounds = torch.tensor([low, high], dtype=torch.float64)
    return float(log_interval(mean * one, std * one, bounds))


@pytest.mark.parametrize(
    ("low", "high"), [(-1, 1), (0, 3), (-3, 0), (2, 5), (-5, -2), (-math.inf, 1), (1, math.inf)]
)
def test_intervals_in_the_middle(low: float, high: float) -> None:
    expected = math.log(norm.cdf(high, 0.3, 1.7) - norm.cdf(low, 0.3, 1.7))
    assert interval(0.3, 1.7, low, high) == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize("z", [8.0, 20.0, 40.0, 1e3, 1e6])
def test_tails(z: float) -> None:
    assert interval(0.0, 1.0, z, math.inf) == pytest.approx(norm.logsf(z), rel=1e-9)
    assert interval(0.0, 1.0, -math.inf, -z) == pytest.approx(norm.logcdf(-z), rel=1e-9)
    # log(a - b) by the logarithms of a and b, both far below the smallest double.
    a, b = norm.logsf(z), norm.logsf(z + 0.01)
    expected = a + np.log1p(-np.exp(b - a))
    assert interval(0.0, 1.0, z, z + 0.01) == pytest.approx(expected, rel=1e-9)
    assert interval(0.0, 1.0, -z - 0.01, -z) == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize("at", [-6.0, 0.0, 0.7, 6.0])
@pytest.mark.parametrize("width", [1e-4, 1e-7, 1e-10])
def test_narrow_intervals_are_density_times_width(at: float, width: float) -> None:
    expected = norm.logpdf(at) + math.log(width)
    assert interval(0.0, 1.0, at, at + width) == pytest.approx(expected, rel=1e-3)


def test_the_whole_line_is_certain_and_a_point_is_not() -> None:
    assert interval(0.0, 1.0, -math.inf, math.inf) == 0.0
    assert math.isfinite(interval(0.0, 1.0, 0.5, 0.5))
    assert interval(0.0, 1.0, 0.5, 0.5) < -25


@given(st.floats(-30, 30), st.floats(0, 30), st.floats(0.05, 5))
def test_intervals_are_symmetric(low: float, width: float, std: float) -> None:
    right = interval(0.0, std, low, low + width)
    assert right == pytest.approx(interval(0.0, std, -low - width, -low), rel=1e-6, abs=1e-12)


@pytest.mark.parametrize("bounds", [(-1e4, 2.0), (2.0, 1e4), (2.0, 2.1), (-1e4, 1e4)])
def test_gradients_of_intervals_are_finite(bounds: tuple[float, float]) -> None:
    mean = torch.linspace(-40, 40, 9, dtype=torch.float64).requires_grad_()
    std = torch.full((9,), 0.1, dtype=torch.float64).requires_grad_()
    log_interval(mean, std, torch.tensor(bounds, dtype=torch.float64)).sum().backward()
    for leaf in (mean, std):
        assert leaf.grad is not None
        assert leaf.grad.isfinite().all()


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
    spread = float(values.max() - values.min())
    if spread < 1e-3 * max(1.0, float(values.abs().max())):
        return  # almost one value: rounding decides
    assert float(scores.inverse(scores(probe))) == pytest.approx(value, rel=1e-3, abs=1e-3)


@given(numbers)
def test_scores_rise(labels: list[float]) -> None:
    values = torch.tensor(labels, dtype=torch.float64)
    scores = NormalScores(values)
    grid = torch.linspace(-2e6, 2e6, 101, dtype=torch.float64)
    assert (scores(grid).diff() >= 0).all()
