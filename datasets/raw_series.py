"""Series, such as signals over time, that are to be classified or told a number of."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from ..core.errors import UsageError
from ..core.npz import Column
from ..spaces.task import SeriesTask
from .labelled import Labelled, check_targets

__all__ = ["RawSeries", "series_of"]


@dataclass(frozen=True, eq=False)
class RawSeries(Labelled):
    """Series with a class or targets each.

    Args:
        series: Values of ``C`` channels at ``L`` steps.
        labels: Class of every series, or its targets.
        splits: See `Labelled`.
        class_names: See `Labelled`.
        notes: See `Labelled`.

    Raises:
        UsageError: Where there is not one label for every series, or a value is not finite.

    Example:
        >>> RawSeries(torch.zeros(4, 2, 50), torch.tensor([0, 1, 0, 1])).task
        SeriesTask(classes=2, channels=2, length=50)
    """

    series: Float[Tensor, "_n C L"]
    labels: Int[Tensor, " _m"] | Float[Tensor, "_m ..."]

    def __post_init__(self) -> None:
        check_targets(self.labels, len(self.series), "series")
        if not self.series.isfinite().all():
            bad = (~self.series.isfinite().flatten(1).all(1)).nonzero()[:, 0]
            raise UsageError(
                f"{len(bad)} of {len(self.series)} series have values that are NaN or infinite, "
                f"the first is number {int(bad[0])}.",
                "Fill them in, e.g. with the value before, or leave these series out.",
            )

    @property
    def task(self) -> SeriesTask:
        """What an architecture for it is built for."""
        channels, length = self.series.shape[1:]
        return SeriesTask(classes=self.classes, channels=channels, length=length)


def series_of(column: Column) -> Float[Tensor, "N C L"]:
    """Takes series as numbers, with or without channels.

    Args:
        column: ``[N, L]`` or ``[N, C, L]``.

    Raises:
        UsageError: For another type or shape.
    """
    if column.dtype.kind not in "iuf" or column.ndim not in (2, 3) or not column.size:
        raise UsageError(
            f"series are of type {column.dtype} and shape {column.shape}.",
            "Save them as numbers, [N, L] or [N, C, L].",
        )
    series = column[:, None] if column.ndim == 2 else column
    return torch.from_numpy(np.ascontiguousarray(series, dtype=np.float32))
