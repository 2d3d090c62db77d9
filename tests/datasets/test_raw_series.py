import numpy as np
import pytest
import torch

from vitruvius.core.errors import UsageError
from vitruvius.datasets import RawSeries
from vitruvius.datasets.raw_series import series_of
from vitruvius.spaces.task import SeriesTask


@pytest.mark.parametrize("shape", [(4, 9), (4, 1, 9), (4, 3, 9)])
@pytest.mark.parametrize("dtype", [np.float64, np.float16, np.int32])
def test_series_with_and_without_channels(shape: tuple[int, ...], dtype: type) -> None:
    values = np.arange(np.prod(shape)).reshape(shape).astype(dtype)
    series = series_of(values)
    assert series.dtype == torch.float32
    assert np.array_equal(series.numpy().reshape(shape), values)
    raw = RawSeries(series, torch.tensor([0, 1, 0, 1]))
    assert raw.task == SeriesTask(classes=2, channels=series.shape[1], length=9)


def test_values_that_are_not_finite_are_named() -> None:
    series = torch.zeros(4, 2, 5)
    series[1, 0, 2], series[3, 1, 4] = torch.nan, torch.inf
    with pytest.raises(UsageError, match=r"2 of 4 series have values.* the first is number 1"):
        RawSeries(series, torch.tensor([0, 1, 0, 1]))


@pytest.mark.parametrize("column", [np.zeros(3), np.zeros((2, 2, 2, 2)), np.array([["a"]])])
def test_what_is_no_series(column: np.ndarray) -> None:
    with pytest.raises(UsageError, match="series are of type"):
        series_of(column)
