"""AnalogNAS-Bench (arXiv 2506.18495): NAS-Bench-201 on analog in-memory hardware."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import ClassVar

import torch
from jaxtyping import Float, Int
from torch import Tensor

from ...core.errors import MissingExtraError, TableError, UnknownNameError
from ...core.safe_pickle import load
from ...spaces.cnn.nasbench201 import NASBench201
from ..metric import Metric
from .table import Table

__all__ = ["AnalogNASBench"]

PACKAGE = "analognasbench"
# Ours by theirs: skip, none, 3x3 convolution, 1x1 convolution, average pooling.
OPERATIONS = (1, 0, 3, 2, 4)
# Their column of each of our edges 01, 02, 12, 03, 13, 23; theirs are 01, 02, 03, 12, 13, 23.
COLUMNS = (0, 1, 3, 2, 4, 5)
# Seconds after programming: a minute, an hour, a day, a month.
DRIFT_TIMES = (60, 3600, 86400, 2592000)
ACCURACIES = (
    "baseline_accuracy",
    "ptq_accuracy",
    "qat_accuracy",
    "noisy_accuracy",
    "analog_accuracy",
)
DRIFTS = tuple(f"{kind}_drift_{time}" for kind in ("baseline", "analog") for time in DRIFT_TIMES)


class AnalogNASBench(Table):
    """CIFAR-10 accuracies of all 15,625 NAS-Bench-201 cells on analog in-memory hardware.

    AnalogNAS-Bench (arXiv 2506.18495), read from the package analog-nasbench without importing it.
    Metrics, all test accuracies in %: ``baseline_accuracy`` (digital), ``ptq_accuracy`` and
    ``qat_accuracy`` (quantised after and while training), ``noisy_accuracy`` (the baseline on noisy
    hardware), ``analog_accuracy`` (trained for the hardware), and ``baseline_drift_T`` and
    ``analog_drift_T``: the accuracy T = 60, 3600, 86400 or 2592000 seconds after programming.
    There is no validation split, so a search on them is on the oracle.

    The package says nothing about its keys. They are operations 0 skip_connect, 1 none,
    2 nor_conv_3x3, 3 nor_conv_1x1, 4 avg_pool_3x3 on the edges 01, 02, 03, 12, 13, 23: of all 120
    codings in all 720 orders of edges this one has the highest Spearman correlation of
    ``baseline_accuracy`` with NAS-Bench-201's own CIFAR-10 test accuracies, 0.990. The next is its
    mirror image (edges reversed, 0.968); every other stays below 0.905. The coding of operations
    agrees with the paper's text.

    Args:
        file: The table; that of the installed package by default.

    Raises:
        MissingExtraError: Where the package is not installed.
        TableError: Where its file is broken.

    Example:
        >>> table = AnalogNASBench()  # doctest: +SKIP
        >>> table.evaluate(table.rows[0]).metrics["analog_accuracy"]  # doctest: +SKIP
        57.49
    """

    serves: ClassVar[str] = NASBench201.name
    data_sets: ClassVar[tuple[str, ...]] = ("analog",)

    def __init__(self, file: Path | None = None) -> None:
        x, columns = _read(file or _file())
        metrics = {name: Metric(name, "%", "higher", (0.0, 100.0)) for name in columns}
        super().__init__(NASBench201(), x, columns, metrics)

    @classmethod
    def load(cls, data_set: str) -> AnalogNASBench:
        """Reads the table; ``data_set`` must be ``"analog"``."""
        if data_set not in cls.data_sets:
            raise UnknownNameError.of("data set", data_set, cls.data_sets)
        return cls()


def _file() -> Path:
    spec = importlib.util.find_spec(PACKAGE)
    if spec is None or spec.origin is None:
        raise MissingExtraError(
            "This needs the package 'analog-nasbench', which is not installed.",
            'Install it with: pip install "vitruvius[analog]"',
        )
    return Path(spec.origin).parent / "data.anb"


def _read(path: Path) -> tuple[Int[Tensor, "R V"], dict[str, Float[Tensor, " R"]]]:
    # Made anew for every file, so that nothing a file does to them outlives it.
    entry_type, drift_type = type("Architecture", (), {}), type("DriftMeasurement", (), {})
    module = f"{PACKAGE}.data"
    content = load(
        path, {(module, "Architecture"): entry_type, (module, "DriftMeasurement"): drift_type}
    )
    try:
        assert isinstance(content, dict)
        keys = torch.tensor(list(content))
        measured = {
            name: [getattr(entry, name) for entry in content.values()] for name in ACCURACIES
        } | {name: [getattr(entry, name).value for entry in content.values()] for name in DRIFTS}
        columns = {
            name: torch.tensor(values, dtype=torch.float64) for name, values in measured.items()
        }
        return torch.tensor(OPERATIONS)[keys][:, COLUMNS], columns
    except (AssertionError, AttributeError, IndexError, TypeError, ValueError) as error:
        raise TableError(
            f"{path.name} is not the table of AnalogNAS-Bench: {error}.",
            'Install it again with: pip install "vitruvius[analog]"',
        ) from error
