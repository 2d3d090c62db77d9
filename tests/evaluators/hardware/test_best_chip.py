import pytest
import torch

from vitruvius.core.errors import UsageError
from vitruvius.evaluators.hardware.accelerators import AcceleratorEvaluator
from vitruvius.evaluators.hardware.best_chip import EDP, best_chip
from vitruvius.evaluators.targets import parse_targets
from vitruvius.spaces import ProductSpace, space
from vitruvius.spaces.accelerator.accelerator import Accelerator

CELLS = "nasbench201:width=4,cells=1"
# Two arrays, so that two networks are scheduled.
CHIPS = Accelerator(
    arrays=2, rows=[4, 8], columns=8, buffer_kib=64, register_bytes=64,
    noc_bytes_per_cycle=[16, 64], weight_bits=8,
)  # fmt: skip


def product(*networks: str) -> ProductSpace:
    parts = {f"net_{number}": space(text) for number, text in enumerate(networks)}
    return ProductSpace(name="pairs", parts={**parts, "chip": CHIPS})


@pytest.fixture(scope="module", params=[1, 2])
def made(request: pytest.FixtureRequest) -> AcceleratorEvaluator:
    return AcceleratorEvaluator(product(*[CELLS] * request.param))


@pytest.mark.parametrize("minimize", [EDP, "latency_cycles", "area_um2"])
def test_it_is_the_best_of_all(made: AcceleratorEvaluator, minimize: str) -> None:
    pairs = made.space
    assert isinstance(pairs, ProductSpace)
    row = pairs.sample(1, 3)[0]
    chips = CHIPS.enumerate()
    x = row.repeat(len(chips), 1)
    x[:, pairs.columns["chip"]] = chips
    told = made.values(x)
    bounds = made.bounds(x)
    for name, value in told.items():
        assert (bounds[name] <= value * (1 + 1e-9)).all()
    limit = float(told["area_um2"].median())
    targets = parse_targets(f"area_um2<={limit!r}", made.metrics)
    value = told["latency_cycles"] * told["energy_nj"] if minimize == EDP else told[minimize]
    for some, kept in ((None, torch.inf), (targets, limit)):
        best = float(value[told["area_um2"] <= kept].min())
        found = best_chip(made, row, some, minimize)
        got = found.metrics
        have = got["latency_cycles"] * got["energy_nj"] if minimize == EDP else got[minimize]
        assert have == pytest.approx(best, rel=1e-9)
        assert got["area_um2"] <= kept
        assert found.chips == len(chips) >= found.scheduled
        network = slice(0, pairs.columns["chip"].start)
        assert found.row[network] == tuple(row[network].tolist())


def test_what_makes_no_sense(made: AcceleratorEvaluator) -> None:
    pairs = made.space
    with pytest.raises(UsageError, match="chips meets area_um2<=1"):
        best_chip(made, pairs.example, parse_targets("area_um2<=1", made.metrics))
    with pytest.raises(UsageError, match="'speed' cannot be minimised"):
        best_chip(made, pairs.example, minimize="speed")
    fixed = AcceleratorEvaluator(space(CELLS), chip="eyeriss.yaml")
    with pytest.raises(UsageError, match="no chips to choose of"):
        best_chip(fixed, space(CELLS).example)
