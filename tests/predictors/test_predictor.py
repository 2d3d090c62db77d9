import pytest
import torch
from hypothesis import given, strategies as st
from scipy.special import ndtri

from vitruvius.predictors.predictor import NormalScores

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
    assert float(scores.inverse(scores(probe))) == pytest.approx(value, rel=1e-3, abs=1e-3)


@given(numbers)
def test_scores_rise(labels: list[float]) -> None:
    values = torch.tensor(labels, dtype=torch.float64)
    scores = NormalScores(values)
    grid = torch.linspace(-2e6, 2e6, 101, dtype=torch.float64)
    assert (scores(grid).diff() >= 0).all()
