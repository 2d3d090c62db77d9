import itertools
import math

import pytest
import torch

from vitruvius.core.errors import UsageError
from vitruvius.spaces import space
from vitruvius.spaces.accelerator.accelerator import Accelerator
from vitruvius.testing import SpaceContract, decode_at_random


def small(**options: object) -> Accelerator:
    """Few choices, so that everything can be listed."""
    given = {
        "dataflow": ["weight-stationary", "row-stationary"], "rows": [4, 8], "columns": 8,
        "buffer_kib": 32, "register_bytes": 64, "noc_bytes_per_cycle": [8, 16], "weight_bits": 8,
        **options,
    }  # fmt: skip
    return Accelerator(**given)  # type: ignore[arg-type]


class TestContract(SpaceContract):
    @pytest.fixture
    def space(self) -> Accelerator:
        return Accelerator()


class TestSeveralArrays(SpaceContract):
    @pytest.fixture
    def space(self) -> Accelerator:
        return small(arrays=3)


class TestLimits(SpaceContract):
    """Arrays may be left out, and share elements and bandwidth."""

    @pytest.fixture
    def space(self) -> Accelerator:
        return small(
            arrays=2,
            processing_elements=[0, 16, 32, 64],
            most_elements=80,
            most_noc_bytes_per_cycle=24,
        )


def test_counts_by_hand() -> None:
    each = 2 * 2 * 2
    assert small().architecture_count == each
    assert small(arrays=2).architecture_count == each * (each + 1) // 2
    many = Accelerator(arrays=4)
    per = 3 * 5 * 5 * 5 * 3 * 5 * 2
    assert many.architecture_count == math.comb(per + 3, 4)


def test_counts_with_limits() -> None:
    """Two arrays of one of three sizes and two bandwidths, as sets."""
    chips = small(
        arrays=2, processing_elements=[0, 16, 32], dataflow="row-stationary",
        most_elements=48, most_noc_bytes_per_cycle=24,
    )  # fmt: skip
    arrays = [(0, 0), *itertools.product((16, 32), (8, 16))]
    kept = {
        tuple(sorted((a, b)))
        for a, b in itertools.product(arrays, arrays)
        if 0 < a[0] + b[0] <= 48 and a[1] + b[1] <= 24
    }
    assert chips.architecture_count == len(kept) == len(chips.enumerate())


def test_uniform_over_sets() -> None:
    chips = small(arrays=2, dataflow="row-stationary", rows=8)
    # Two bandwidths: {8, 8}, {8, 16} and {16, 16}.
    drawn = chips.sample(3000, 0)
    counts = torch.unique(drawn, dim=0, return_counts=True)[1]
    assert len(counts) == chips.architecture_count == 3
    assert ((counts - 1000).abs() < 120).all()


def test_hardware() -> None:
    chips = small(arrays=2, processing_elements=[0, 12, 64], rows=(), columns=())
    told = chips.hardware(
        chips.rows(
            [
                "dataflow_1=row-stationary, processing_elements_1=12, noc_bytes_per_cycle_1=16, "
                "dataflow_2=weight-stationary, processing_elements_2=0, noc_bytes_per_cycle_2=8"
            ]
        )
    )
    # The nearest to a square that divides.
    assert told["rows"].tolist() == [[3, 0]]
    assert told["columns"].tolist() == [[4, 0]]
    assert told["buffer_bytes"].tolist() == [[32768] * 2]
    flows = [chips.dataflows[i] for i in told["dataflow"][0]]
    assert flows == ["row-stationary", "weight-stationary"]


def test_every_partial_chip_that_may_be_completed_can_be() -> None:
    chips = small(
        arrays=2, processing_elements=[0, 16, 64], most_elements=64, most_noc_bytes_per_cycle=16
    )
    assert bool(chips.is_valid(decode_at_random(chips, 300, 0)).all())


def test_options_as_text() -> None:
    chips = space("accelerator:rows=[8,16],columns=16,weight_bits=8")
    assert chips.architecture_count == 450
    both = space("nasbench201 x accelerator")
    assert "accelerator" in both.parts  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"rows": 0}, "`rows` of a chip is 0"),
        ({"rows": []}, "A chip needs rows"),
        ({"dataflow": 3}, "`dataflow` of a chip is 3"),
        ({"weight_bits": "eight"}, "`weight_bits` of a chip is 'eight'"),
        ({"arrays": 0}, "one array or more"),
        ({"processing_elements": [64, 128], "most_elements": 32}, "No chip keeps the limits"),
        ({"dataflow": "row-stationary", "rows": 8, "noc_bytes_per_cycle": 8}, "without choices"),
    ],
)
def test_what_is_no_chip(options: dict[str, object], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        small(**options)
