"""Every generator keeps the contract, on the CPU and elsewhere."""

from __future__ import annotations

import pytest
import torch

from vitruvius.generators import (
    Generator,
    GraphDiffusion,
    Source,
    Uniform,
    continuous_scheduler,
    load,
    new_denoiser,
)
from vitruvius.generators.across_tasks import settle_conditions
from vitruvius.generators.adapters import adapt
from vitruvius.generators.continuous import CONTINUOUS
from vitruvius.generators.generator import batch_for
from vitruvius.generators.nao import NAO, train_nao
from vitruvius.generators.training import Trainer
from vitruvius.spaces import ProductSpace, Space, space
from vitruvius.spaces.cnn.mobilenetv3 import MobileNetV3
from vitruvius.testing import GeneratorContract
from vitruvius.testing.second_device import DEVICES, other_device, second_device

PAIR = ProductSpace(
    name="pair", parts={"cell": space("nasbench101"), "recipe": space("toy_recipe.yaml")}
)
SPACES = {
    "nasbench201": space("nasbench201"),
    "pair": PAIR,
    "mobilenetv3": MobileNetV3(resolutions=(160, 224)),
}


def untrained(served: Space, process: str) -> GraphDiffusion:
    return GraphDiffusion.of(
        new_denoiser([Source(served, served.sample(64, 0))], width=16, layers=2, process=process)
    )


class TestUniform(GeneratorContract):
    @pytest.fixture
    def generator(self) -> Generator:
        return Uniform()

    @pytest.fixture
    def space(self) -> Space:
        return SPACES["nasbench201"]


@pytest.mark.parametrize(
    "space",
    [
        pytest.param(each, id=name, marks=() if name == "nasbench201" else pytest.mark.slow)
        for name, each in SPACES.items()
    ],
    indirect=True,
)
class TestAbsorbing(GeneratorContract):
    """With and without constraints while decoding."""

    @pytest.fixture
    def space(self, request: pytest.FixtureRequest) -> Space:
        return request.param

    @pytest.fixture
    def generator(self, space: Space) -> Generator:
        return untrained(space, "absorbing")


class TestUniformProcess(GeneratorContract):
    @pytest.fixture
    def space(self) -> Space:
        return SPACES["mobilenetv3"]

    @pytest.fixture
    def generator(self, space: Space) -> Generator:
        return untrained(space, "uniform")


class TestContinuous(GeneratorContract):
    @pytest.fixture
    def space(self) -> Space:
        return SPACES["nasbench201"]

    @pytest.fixture(
        params=["ddpm", *(pytest.param(n, marks=pytest.mark.slow) for n in CONTINUOUS[1:])]
    )
    def generator(self, space: Space, request: pytest.FixtureRequest) -> Generator:
        made = untrained(space, "continuous")
        made.register_modules(scheduler=continuous_scheduler(request.param))
        return made


@pytest.fixture(
    scope="module", params=["nasbench201", pytest.param("pair", marks=pytest.mark.slow)]
)
def learnt(request: pytest.FixtureRequest) -> tuple[Space, NAO]:
    served = SPACES[request.param]
    rows = served.sample(200, 0)
    return served, train_nao(served, rows, steps=30, width=8, device="cpu", show=False)


class TestNAO(GeneratorContract):
    @pytest.fixture
    def space(self, learnt: tuple[Space, NAO]) -> Space:
        return learnt[0]

    @pytest.fixture
    def generator(self, learnt: tuple[Space, NAO]) -> Generator:
        return learnt[1]


def test_the_second_device_computes_what_the_cpu_does(learnt: tuple[Space, NAO]) -> None:
    """Bit for bit, as its numbers are those of the CPU."""
    pair = SPACES["pair"]
    made = [(pair, untrained(pair, p)) for p in ("absorbing", "uniform", "continuous")]
    for served, generator in (learnt, *made):
        options = {"steps": 3, "batch_size": 24, "seed": 0}
        here = generator.propose(served, 24, **options).x
        with second_device() as device:
            assert torch.equal(generator.to(device).propose(served, 24, **options).x, here)
            generator.to(torch.device("cpu"))


@pytest.fixture(params=DEVICES)
def device(request: pytest.FixtureRequest) -> torch.device:
    return other_device(request)


@pytest.mark.parametrize("process", ["absorbing", "uniform", "continuous"])
def test_diffusion_trains_anywhere(process: str, device: torch.device) -> None:
    cells = SPACES["nasbench201"]
    source = Source(cells, cells.sample(64, 0))
    denoiser = new_denoiser([source], width=16, layers=1, process=process).to(device)
    losses = Trainer(denoiser, [source], steps=3, batch=8, show=False).run()
    assert len(losses) == 3
    assert denoiser.device.type == device.type
    GraphDiffusion.of(denoiser).propose(cells, 3, steps=2, seed=0)


def test_adapters_are_learnt_anywhere(device: torch.device) -> None:
    cells = SPACES["nasbench201"]
    base = load("nasbench201").to(device)
    x = cells.sample(50, 0)
    adapted = adapt(base, cells, x, torch.rand(50), steps=2)
    settled = settle_conditions(adapted, cells, {"params": 2e5})
    assert settled.propose(cells, 5, steps=2, seed=0).valid.all()
    assert settled.device.type == device.type


def test_nao_trains_anywhere(device: torch.device) -> None:
    cells = SPACES["nasbench201"]
    rows = cells.sample(64, 0)
    made = train_nao(cells, rows, steps=2, width=8, device=str(device), show=False)
    assert made.network.device.type == device.type
    assert made.propose(cells, 3, seed=0).valid.all()


def test_batches_by_device() -> None:
    assert batch_for(torch.device("cpu"), 6) == 256
    assert batch_for(torch.device("cuda"), 6) == 32_768
    assert batch_for(torch.device("cuda"), 10_000) == 256
