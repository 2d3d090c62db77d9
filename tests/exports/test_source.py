import importlib.util
import math
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from types import ModuleType

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from vitruvius.core.errors import UsageError
from vitruvius.exports.source import NetworkSource, network_source
from vitruvius.spaces import GraphTask, SeriesTask, Space, Task, names, space

NETWORKS = [name for name in names() if space(name).buildable]
SMALL = {
    "autogan": "autogan:width=4",
    "darts": "darts:cells=4,width=4",
    "eagan-discriminator": "eagan-discriminator:width=4,conditional=true",
    "eagan-generator": "eagan-generator:width=4,latent=6,conditional=true",
    "mnasnet": "mnasnet:width=0.5",
    "nasbench201": "nasbench201:width=4,cells=1",
    "nasnet": "nasnet:cells=1,width=8",
    "resnet-size": "resnet-size:width=8",
    "transnas101-micro": "transnas101-micro:width=8",
}


def imported(text: str, folder: Path) -> ModuleType:
    path = folder / "network.py"
    path.write_text(text)
    spec = importlib.util.spec_from_file_location("exported_network", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def assert_equal(network: nn.Module, inputs: tuple[Tensor, ...], folder: Path) -> NetworkSource:
    """Written as source and read again, a network computes the same."""
    told = network_source(network, "A network.")
    again = imported(told.text, folder).Network().eval()
    again.load_state_dict(told.weights(network))
    with torch.no_grad():
        expected, got = network.eval()(*inputs), again(*inputs)
    assert torch.allclose(got, expected[0] if isinstance(expected, tuple) else expected, atol=1e-6)
    assert "vitruvius" not in told.text
    return told


def task_of(found: Space) -> Task:
    if isinstance(found.task, GraphTask):
        return GraphTask(features=5, classes=3)
    return replace(found.task, resolution=32)


def random_statistics(network: nn.Module) -> nn.Module:
    for each in network.modules():
        if isinstance(each, nn.modules.batchnorm._BatchNorm):
            assert each.running_mean is not None
            assert each.running_var is not None
            each.running_mean.normal_()
            each.running_var.uniform_(0.5, 2)
    return network


def check(name: str, count: int, folder: Path) -> None:
    found = space(SMALL.get(name, name))
    task = task_of(found)
    for number, row in enumerate(found.sample(count, 0)):
        torch.manual_seed(number)
        network = random_statistics(found.build(row, task))
        assert_equal(network, found.example_inputs(task, 7), folder)
        (folder / "network.py").rename(folder / f"network_{number}.py")
    ruff = [sys.executable, "-m", "ruff", "check", "--isolated", "-q", str(folder)]
    subprocess.run(ruff, check=True)


@pytest.mark.parametrize("name", NETWORKS)
def test_networks_of_a_space(name: str, tmp_path: Path) -> None:
    check(name, 1, tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize("name", NETWORKS)
def test_many_networks_of_a_space(name: str, tmp_path: Path) -> None:
    check(name, 20, tmp_path)


def test_a_network_for_series(tmp_path: Path) -> None:
    found, task = space("resnet-size:width=8"), SeriesTask(classes=3, length=40)
    assert_equal(random_statistics(found.build(found.example, task)), task.inputs(3), tmp_path)


class Odd(nn.Module):
    """All that source has to say: buffers, parameters, slices, brackets, several inputs."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("shift", torch.arange(4.0))
        self.scale = nn.Parameter(torch.rand(4))
        self.unused = nn.Linear(4, 4)
        self.parts = nn.ModuleList([nn.Identity(), nn.Dropout(0.0), nn.Linear(4, 4)])
        self.twice = nn.Sequential(nn.Linear(4, 4), nn.Identity())

    def forward(self, x: Tensor, y: Tensor) -> Tensor:
        z = (x - (y - self.shift)) * self.scale
        for part in self.parts:
            z = part(z)
        z = self.twice(self.twice(z))
        z = F.pad(z, (1, 0), value=-math.inf).clamp(min=-1) ** 2 / (x.shape[1] + 1)
        return torch.cat([z[:, 1:], -x[:, ::2], y[..., None, 0]], dim=1)


def test_what_source_has_to_say(tmp_path: Path) -> None:
    told = assert_equal(Odd(), (torch.rand(3, 4), torch.rand(3, 4)), tmp_path)
    assert "unused" not in told.text
    assert "Identity" not in told.text
    assert "Dropout" not in told.text
    assert told.text.count("nn.Linear") == 2


class ByValue(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x if x.sum() > 0 else -x


def test_what_cannot_be_traced_is_named() -> None:
    with pytest.raises(UsageError, match="ByValue cannot be written as source"):
        network_source(nn.Sequential(ByValue(), nn.ReLU()))


def test_modes_are_left_as_they_were() -> None:
    network = nn.Sequential(nn.Dropout(0.5), nn.BatchNorm1d(3))
    network[1].eval()
    network_source(network)
    assert [each.training for each in network.modules()] == [True, True, False]
