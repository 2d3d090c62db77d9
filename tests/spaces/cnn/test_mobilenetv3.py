from collections.abc import Callable

import numpy as np
import pytest
import torch
from hypothesis import given, strategies as st
from torch import Tensor, nn

from vitruvius.core.errors import ArchitectureError, UsageError
from vitruvius.spaces import ImageTask
from vitruvius.spaces.cnn.mobilenetv3 import MobileNetV3
from vitruvius.testing import SpaceContract

NETS = MobileNetV3()
rows = st.tuples(*[st.integers(0, variable.size - 1) for variable in NETS.variables])


class TestContract(SpaceContract):
    @pytest.fixture
    def space(self) -> MobileNetV3:
        return NETS

    @pytest.fixture
    def task(self) -> ImageTask:
        return ImageTask(classes=3, channels=1, resolution=32)


class TestContractOfOneResolution(SpaceContract):
    @pytest.fixture
    def space(self) -> MobileNetV3:
        return MobileNetV3(resolutions=(224,))

    @pytest.fixture
    def task(self) -> ImageTask:
        return ImageTask(classes=3, channels=1, resolution=32)


def test_some_resolutions() -> None:
    some = MobileNetV3(resolutions=(160, 224))
    assert some.variables == NETS.variables
    assert 25 * some.architecture_count == 2 * NETS.architecture_count
    assert set(some.sample(200, 0)[:, 0].tolist()) == {8, 24}
    small = NETS.to_string((0, *NETS.example[1:]))
    assert not some.is_valid(NETS.rows([small])).any()
    with pytest.raises(ArchitectureError, match="breaks a constraint"):
        some.architecture(small)
    for wrong in ((), (224, 225)):
        with pytest.raises(UsageError, match="some of 128, 132"):
            MobileNetV3(resolutions=wrong)


def encode_ofa(table: dict[str, np.ndarray]) -> Tensor:
    """Rows of the columns that Once-for-All's tables have."""
    columns = [(table["resolution"].astype(int) - 128) // 4]
    for unit in range(5):
        columns.append(table[f"d{unit}"] - 2)
        for slot in range(4 * unit, 4 * unit + 4):
            columns.append((table[f"ks{slot:02d}"] - 3) // 2)
            columns.append(np.searchsorted([3, 4, 6], table[f"e{slot:02d}"]))
    return torch.from_numpy(np.stack(columns, axis=1).astype(np.int64))


@given(rows)
def test_strings_write_what_is_active(row: tuple[int, ...]) -> None:
    again = NETS.from_string(NETS.to_string(row))
    assert again == tuple(NETS.canonical(torch.tensor([row]))[0].tolist())


@given(rows)
def test_inactive_slots_do_not_count(row: tuple[int, ...]) -> None:
    x = torch.tensor([row])
    assert NETS.statistics(x) == NETS.statistics(NETS.canonical(x))


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("r=224", "expected r, u1"),
        ("r=225;u1=k3e3,k3e3;u2=k3e3,k3e3;u3=k3e3,k3e3;u4=k3e3,k3e3;u5=k3e3,k3e3", "steps of 4"),
        ("r=224;u1=k3e3;u2=k3e3,k3e3;u3=k3e3,k3e3;u4=k3e3,k3e3;u5=k3e3,k3e3", "got 1"),
        ("r=224;u1=k4e3,k3e3;u2=k3e3,k3e3;u3=k3e3,k3e3;u4=k3e3,k3e3;u5=k3e3,k3e3", "'k4e3'"),
        ("r=224;r=224", "new key"),
    ],
)
def test_unreadable_strings(text: str, why: str) -> None:
    with pytest.raises(ArchitectureError, match=why):
        NETS.architecture(text)


def test_number_of_architectures() -> None:
    assert NETS.architecture_count == 25 * (9**2 + 9**3 + 9**4) ** 5


def test_depths_are_drawn_by_their_number_of_fillings() -> None:
    depths = NETS.sample(4000, 0)[:, 1::9].flatten()
    share = torch.bincount(depths, minlength=3) / depths.numel()
    torch.testing.assert_close(share, torch.tensor([81, 729, 6561]) / 7371, atol=0.005, rtol=0)


def test_multiply_adds_of_running_modules(
    multiply_adds: Callable[[nn.Module, Tensor], float],
) -> None:
    x = NETS.sample(2, 0)
    x[:, 0] = torch.tensor([1, 5])  # 132 and 148 pixels: odd sizes on the way down
    ran = [
        multiply_adds(NETS.build(row), torch.randn(1, 3, side, side))
        for row, side in zip(x, (132, 148), strict=True)
    ]
    assert ran == NETS.statistics(x)["macs"].tolist()


def test_published_counts(load_table: Callable[[str], dict[str, np.ndarray]]) -> None:
    table = load_table("ofa_mbv3_accuracy")
    counts = NETS.statistics(encode_ofa(table))
    assert counts["params"].tolist() == table["n_params"].tolist()
    assert counts["macs"].tolist() == table["macs"].tolist()


def test_measured_networks_are_valid(
    load_table: Callable[[str], dict[str, np.ndarray]],
) -> None:
    assert NETS.is_valid(encode_ofa(load_table("ofa_mbv3_latency"))).all()
