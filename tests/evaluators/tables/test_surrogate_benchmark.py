from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import Tensor

from vitruvius.core.errors import TableError
from vitruvius.evaluators.metric import Metric
from vitruvius.evaluators.tables.surrogate_benchmark import SurrogateBenchmark
from vitruvius.evaluators.tables.table import Table
from vitruvius.spaces import space
from vitruvius.spaces.cnn.mobilenetv3 import MobileNetV3

NETS = space("mobilenetv3")
METRICS = {"quality": Metric("quality", "", "higher")}


def quality(x: Tensor) -> Tensor:
    counts = NETS.statistics(x)
    return 10 * counts["params"].log() - counts["macs"].log() + 0.3 * (x[:, 2] == 1)


@pytest.fixture(scope="module")
def truth() -> SurrogateBenchmark:
    x = NETS.sample(300, 0)
    return SurrogateBenchmark(Table(NETS, x, {"quality": quality(x)}, METRICS), "quality")


def test_what_is_smooth_is_learnt(truth: SurrogateBenchmark) -> None:
    x = NETS.sample(200, 1)
    error = truth.values(x)["quality"] - quality(x)
    rmse = float(error.square().mean().sqrt())
    assert rmse < 0.2 * float(quality(x).std())
    assert rmse == pytest.approx(truth.held_out.rmse, rel=0.5)
    assert truth.held_out.r2 > 0.95
    assert truth.held_out.tau > 0.8
    assert truth.held_out.count == 300


def test_it_is_deterministic(truth: SurrogateBenchmark) -> None:
    x = NETS.sample(300, 0)
    again = SurrogateBenchmark(Table(NETS, x, {"quality": quality(x)}, METRICS), "quality")
    row = NETS.sample(1, 5)[0]
    assert again.evaluate(row).metrics == truth.evaluate(row, seed=3).metrics
    together = truth.values(NETS.sample(9, 2))["quality"]
    alone = [truth.evaluate(row).metrics["quality"] for row in NETS.sample(9, 2)]
    assert together.tolist() == pytest.approx(alone)


def test_what_is_pruned_does_not_matter(truth: SurrogateBenchmark) -> None:
    x = NETS.sample(50, 3)
    full = x.clone()
    # Fill the last slots of units that have only two blocks.
    for unit in range(5):
        start = 1 + 9 * unit
        full[x[:, start] == 0, start + 5 : start + 9] = 2
    assert not torch.equal(x, full)
    assert torch.equal(truth.values(x)["quality"], truth.values(full)["quality"])


def test_leaving_one_out_is_that(truth: SurrogateBenchmark) -> None:
    """The closed form behind the choice of settings, by refitting without one row."""
    seen = torch.ones(300, dtype=torch.bool)
    seen[7] = False
    mean = float(truth._known.mean())
    cross = truth._kernel(truth._rows[7:8], truth._rows[seen], truth.lengthscale)
    left_out = float(cross @ truth._fit(seen, mean)) + mean - float(truth._known[7])
    gram = truth._kernel(truth._rows, truth._rows, truth.lengthscale)
    inverse = (gram + truth.noise * torch.eye(300, dtype=torch.float64)).inverse()
    residual = (inverse @ (truth._known - mean))[7] / inverse[7, 7]
    assert left_out == pytest.approx(-float(residual), rel=1e-4)


def test_too_little_to_fit() -> None:
    x = NETS.sample(10, 0)
    table = Table(NETS, x, {"quality": quality(x)}, METRICS)
    with pytest.raises(TableError, match="10 values"):
        SurrogateBenchmark(table, "quality")
    with pytest.raises(TableError, match="no metric 'accuracy'"):
        SurrogateBenchmark(table, "accuracy")


@pytest.mark.slow
def test_published_accuracies(published: Callable[[str], Path]) -> None:
    import numpy as np

    path = published("ofa_mbv3_accuracy.npz")
    nets = MobileNetV3(resolutions=(224,))
    with np.load(path) as file:
        x = torch.zeros(len(file["top1"]), 46, dtype=torch.long)
        x[:, 0] = 24
        for unit in range(5):
            x[:, 1 + 9 * unit] = torch.from_numpy(file[f"d{unit}"] - 2).long()
            for b in range(4):
                column = 2 + 9 * unit + 2 * b
                kernel, ratio = (file[f"{key}{4 * unit + b:02d}"] for key in ("ks", "e"))
                x[:, column] = torch.from_numpy((kernel - 3) // 2).long()
                x[:, column + 1] = torch.from_numpy(np.searchsorted([3, 4, 6], ratio))
        top1 = torch.from_numpy(file["top1"])
    table = Table(nets, x, {"top1": top1}, {"top1": Metric("top1", "%", "higher")})
    held_out = SurrogateBenchmark(table, "top1").held_out
    assert held_out.rmse < 0.06
    assert held_out.r2 > 0.997
    assert held_out.tau > 0.96
