"""Proxies by hand on small networks, and against a published table."""

import math
from pathlib import Path

import numpy as np
import pytest
import torch
from scipy.stats import spearmanr
from torch import Tensor, nn

from vitruvius.core.errors import UnknownNameError, UsageError
from vitruvius.datasets import RawGraph, Splits
from vitruvius.evaluators import evaluator
from vitruvius.evaluators.proxies import (
    PROXIES,
    Batch,
    Probe,
    ProxyEvaluator,
    proxies_of,
    proxy,
)
from vitruvius.spaces import space
from vitruvius.testing import second_device

SMALL = "nasbench201:width=4,cells=1"
TABLE = Path(__file__).parents[4] / "shared" / "data" / "nb201_proxies.npz"


def linear(seed: int = 0) -> tuple[nn.Linear, Batch]:
    generator = torch.Generator().manual_seed(seed)
    network = nn.Linear(3, 4, bias=False).double()
    network.weight.data = torch.randn(4, 3, generator=generator).double()
    inputs = torch.randn(6, 3, generator=generator).double()
    return network, Batch((inputs,), torch.randint(4, (6,), generator=generator))


def derivative(weight: Tensor, batch: Batch) -> Tensor:
    """Of cross-entropy, in closed form."""
    [x] = batch.inputs
    apart = (x @ weight.T).softmax(1) - nn.functional.one_hot(batch.targets, len(weight))
    return apart.T @ x / len(x)


def told(name: str, network: nn.Module, *batches: Batch) -> float:
    return proxy(name)(Probe(network, batches)).value


def test_of_one_gradient() -> None:
    network, batch = linear()
    weight, gradient = network.weight.detach(), derivative(network.weight.detach(), batch)
    for name, value in (
        ("grad_norm", gradient.norm()),
        ("l2_norm", weight.norm()),
        ("plain", (weight * gradient).sum()),
        ("snip", (weight * gradient).abs().sum()),
    ):
        assert told(name, network, batch) == pytest.approx(float(value))


def test_grasp_is_a_difference_of_gradients() -> None:
    network, batch = linear()
    weight = network.weight.detach()
    gradient, step = derivative(weight, batch), 1e-5
    ahead = derivative(weight + step * gradient, batch)
    behind = derivative(weight - step * gradient, batch)
    expected = -(weight * (ahead - behind) / (2 * step)).sum()
    assert told("grasp", network, batch) == pytest.approx(float(expected), rel=1e-5)


def test_fisher_of_channels() -> None:
    network, batch = linear()
    [x] = batch.inputs
    outputs = x @ network.weight.detach().T
    apart = (outputs.softmax(1) - nn.functional.one_hot(batch.targets, 4)) / len(x)
    expected = (outputs * apart).pow(2).mean(0).sum() / 2
    assert told("fisher", network, batch) == pytest.approx(float(expected))


def test_synflow_is_of_all_paths() -> None:
    network = nn.Sequential(nn.Linear(2, 3, bias=False), nn.BatchNorm1d(3), nn.ReLU())
    network.append(nn.Linear(3, 2, bias=False))
    first, last = (network[k].weight.detach().abs().double() for k in (0, 3))
    paths = (last @ first @ torch.ones(2, 2).double()).sum()
    # Each layer carries all of it.
    batch = Batch((torch.randn(2, 2),), torch.tensor([0, 1]))
    assert told("synflow", network, batch) == pytest.approx(math.log(2 * float(paths)))


def test_codes_of_activations() -> None:
    network = nn.Sequential(nn.Identity(), nn.ReLU())
    x = torch.tensor([[1.0, -1.0, 1.0], [1.0, 1.0, 1.0], [-1.0, -1.0, 1.0]])
    kernel = torch.tensor([[3.0, 2.0, 2.0], [2.0, 3.0, 1.0], [2.0, 1.0, 3.0]])
    value = told("naswot", network, Batch((x,), torch.tensor([0, 1, 2])))
    assert value == pytest.approx(float(kernel.logdet()))
    # An activation of something else than the examples says nothing of them.
    other = nn.Sequential(nn.Identity(), nn.ReLU(), nn.Flatten(0), nn.ReLU())
    assert told("naswot", other, Batch((x,), torch.tensor([0, 1, 2]))) == value
    with pytest.raises(UsageError, match="no activations that are modules"):
        told("naswot", nn.Linear(3, 2), Batch((x,), torch.tensor([0, 1, 0])))


def test_likeness_of_answers() -> None:
    """A linear network answers to every input in the same way."""
    network, batch = linear()
    values = torch.tensor([6.0, 0, 0, 0, 0, 0]).double() + 1e-5
    expected = -(values.log() + 1 / values).sum()
    assert told("jacov", network, batch) == pytest.approx(float(expected), rel=1e-3)
    curved = nn.Sequential(nn.Linear(3, 16), nn.ReLU(), nn.Linear(16, 4)).double()
    assert told("jacov", curved, batch) > told("jacov", network, batch)


class Squares(nn.Module):
    """Whose gradient by an input is twice the input."""

    def forward(self, x: Tensor) -> Tensor:
        return x**2


def test_of_given_gradients() -> None:
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(5, 12, generator=generator).double()
    batch = Batch((x,), torch.tensor([0, 0, 0, 1, 1]))
    values = torch.linalg.eigvalsh(torch.corrcoef(x)) + 1e-5
    expected = -(values.log() + 1 / values).sum()
    assert told("jacov", Squares(), batch) == pytest.approx(float(expected))
    alike = [(torch.corrcoef(own).abs() + 1e-5).log().sum().abs() for own in (x[:3], x[3:])]
    assert told("epe_nas", Squares(), batch) == pytest.approx(float(sum(alike)))


def test_a_step_that_is_carried_on() -> None:
    """Features are the inputs, and the mean size of a normal number is known."""
    network = nn.Sequential(nn.Flatten(), nn.Linear(4000, 2))
    batch = Batch((torch.zeros(8, 4000),), torch.zeros(8).long())
    expected = math.log(0.01 * 4000 * (2 / math.pi) ** 0.5)
    assert told("zen", network, batch) == pytest.approx(expected, abs=0.02)


def test_a_spectrum_of_one_number() -> None:
    """Of one layer one weight is taken, whose eigenvalue is all deciles."""
    network, batch = linear()
    assert told("vkdnw", network, batch) == pytest.approx(1 + math.log(9))
    deeper = nn.Sequential(nn.Linear(3, 5), nn.Tanh(), nn.Linear(5, 4)).double()
    assert 2 < told("vkdnw", deeper, batch) < 2 + math.log(9)


def test_steady_gradients() -> None:
    network, batch = linear()
    _, other = linear(1)
    first, second = (derivative(network.weight.detach(), each) for each in (batch, other))
    mean, deviation = (first.abs() + second.abs()) / 2, (first - second).abs() / 2
    expected = (mean / deviation).sum().log()
    assert told("zico", network, batch, other) == pytest.approx(float(expected))
    with pytest.raises(UsageError, match="the same in all batches"):
        told("zico", network, batch)


class Same(nn.Module):
    """A block that passes on what comes."""

    def __init__(self) -> None:
        super().__init__()
        self.inside = nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        return self.inside(x)


def test_a_gradient_that_is_passed_on_as_it_comes() -> None:
    """Of the identity the product is one of the signs with themselves."""
    network = nn.Sequential(nn.Conv2d(3, 2, 1), Same(), nn.AdaptiveAvgPool2d(1), nn.Flatten())
    x = torch.randn(8, 3, 16, 16)
    value = proxy("trainability")(Probe(network, [Batch((x,), torch.zeros(8).long())]))
    assert list(value.nodes) == ["1"]
    assert value.value == pytest.approx(0, abs=0.01)


def test_entropy_of_independent_channels() -> None:
    network = nn.Sequential(Same(), Same(), nn.AdaptiveAvgPool2d(1), nn.Flatten())
    batch = Batch((torch.zeros(16, 3, 16, 16),), torch.zeros(16).long())
    assert told("expressivity", network, batch) == pytest.approx(2 * math.log(3), abs=0.01)
    assert told("progressivity", network, batch) == pytest.approx(0)


def test_on_another_device() -> None:
    """What is drawn is moved to where the network is."""
    cells = space(SMALL)
    with second_device() as device:
        made = ProxyEvaluator(cells, batch=4)
        probe = made.probe(cells.example)
        moved = Probe(probe.network.to(device), [each.to(device) for each in probe.batches])
        for name in ("zen", "expressivity", "trainability", "snip", "naswot"):
            assert math.isfinite(proxy(name)(moved).value)


@pytest.mark.parametrize("name", PROXIES.names())
def test_any_network(name: str) -> None:
    cells = space(SMALL)
    probe = ProxyEvaluator(cells, names=name, batch=4).probe("|nor_conv_3x3~0|+"
        "|nor_conv_3x3~0|skip_connect~1|+|skip_connect~0|none~1|nor_conv_1x1~2|")  # fmt: skip
    before = {key: value.clone() for key, value in probe.network.state_dict().items()}
    first, again = proxy(name)(probe), proxy(name)(probe)
    assert math.isfinite(first.value)
    assert first == again
    after = probe.network.state_dict()
    assert all(torch.equal(value, after[key]) for key, value in before.items())


def test_of_any_module() -> None:
    network = nn.Sequential(nn.Flatten(), nn.Linear(12, 8), nn.ReLU(), nn.Linear(8, 3))
    batches = [Batch((torch.randn(6, 3, 2, 2),), torch.arange(6) % 3) for _ in range(2)]
    found = proxies_of(network, batches, "snip+zico+naswot")
    assert sorted(found["snip"].nodes) == ["1", "3"]
    assert found["snip"].value == pytest.approx(sum(found["snip"].nodes.values()))
    with pytest.raises(UnknownNameError, match="proxy 'snipp'"):
        proxies_of(network, batches, "snipp")


def test_evaluator() -> None:
    cells = space(SMALL)
    made = evaluator(cells, "proxy:synflow+naswot,batch=4")
    assert isinstance(made, ProxyEvaluator)
    assert sorted(made.metrics) == ["naswot", "synflow"]
    # The second has a convolution that nothing comes from.
    one = made.evaluate("|nor_conv_3x3~0|+|none~0|none~1|+|skip_connect~0|nor_conv_3x3~1|none~2|")
    dead = made.evaluate(
        "|nor_conv_3x3~0|+|nor_conv_3x3~0|none~1|+|skip_connect~0|nor_conv_3x3~1|none~2|"
    )
    assert one.metrics == dead.metrics
    assert made.evaluate(one.architecture).metrics == one.metrics
    other = evaluator(cells, "proxy:synflow,batch=4,seed=1").evaluate(one.architecture)
    assert other.metrics["synflow"] != one.metrics["synflow"]


def test_layer_by_layer() -> None:
    cells = space(SMALL)
    made = evaluator(cells, "proxy:l2_norm+jacov,batch=4,nodes=5")
    told = made.evaluate(cells.example).metrics
    # The correlation of inputs is of the whole network.
    assert list(told) == [f"l2_norm.{node}" for node in range(5)]
    values = list(proxy("l2_norm")(made.probe(cells.example)).nodes.values())
    assert told["l2_norm.0"] == pytest.approx(math.log1p(values[0]))
    assert told["l2_norm.4"] == pytest.approx(math.log1p(values[-1]))
    with pytest.raises(UsageError, match="`nodes` must not be negative"):
        evaluator(cells, "proxy:nodes=-1")


def test_of_real_data() -> None:
    made = evaluator(space(SMALL), "proxy:zico+snip,batch=32,data=digits")
    assert isinstance(made, ProxyEvaluator)
    assert made.task == made.space.task
    first, second = made.probe(made.space.example).batches
    [images] = first.inputs
    assert images.shape == (32, 1, 8, 8)
    # Images of the training part are of mean 0 and deviation 1.
    assert abs(float(images.mean())) < 0.2
    assert not torch.equal(first.targets, second.targets)
    assert sorted(made.evaluate(made.space.example).metrics) == ["snip", "zico"]
    with pytest.raises(UsageError, match="says what networks are built for"):
        ProxyEvaluator(space(SMALL), data="digits", task=space(SMALL).task)


def test_of_nodes() -> None:
    """Only nodes of the training part have targets."""
    features = torch.eye(12)
    edges = torch.stack([torch.arange(11), torch.arange(1, 12)])
    splits = Splits(torch.tensor([3, 4, 5, 6]), torch.tensor([7, 8]), torch.tensor([9]))
    graph = RawGraph.of_arrays(edges, features, torch.arange(12) % 2, splits=splits)
    made = ProxyEvaluator(space("autognn"), names="epe_nas+zico+snip", data=graph)
    probe = made.probe(made.space.example)
    assert probe.batches[0].rows.tolist() == [3, 4, 5, 6]
    value = proxy("epe_nas")(probe)
    assert sorted(value.nodes) == ["0", "1"]
    # All batches are the whole graph.
    assert sorted(made.evaluate(made.space.example).metrics) == ["epe_nas", "snip"]


def test_what_cannot_be_told() -> None:
    # What comes through beside the cell is enough.
    assert evaluator(space(SMALL), "proxy:synflow+grad_norm,batch=4").evaluate((0,) * 6).ok
    graphs = evaluator(space("autognn"), "proxy:naswot,batch=8")
    told = graphs.evaluate(graphs.space.example)
    assert told.status == "failed"
    assert told.reason.startswith("naswot: The network has no activations")
    both = evaluator(space("autognn"), "proxy:naswot+snip,batch=8")
    assert list(both.evaluate(both.space.example).metrics) == ["snip"]
    with pytest.raises(UsageError, match="builds no networks"):
        evaluator(space("accelerator"), "proxy:snip")
    with pytest.raises(UsageError, match="`batch` must be at least 2"):
        evaluator(space(SMALL), "proxy:snip,batch=1")
    with pytest.raises(UnknownNameError, match="proxy 'nope'"):
        evaluator(space(SMALL), "proxy:nope")


@pytest.mark.slow
@pytest.mark.skipif(not TABLE.is_file(), reason="the table is not there")
@pytest.mark.parametrize(
    ("name", "column", "least", "count"),
    # Kinds of processors draw other noise, and of 20 networks .95 may be .86.
    [("synflow", "synflow", 0.98, 20), ("naswot", "nwot", 0.85, 50), ("snip", "snip", 0.85, 20)],
)
def test_ranks_of_a_published_table(name: str, column: str, least: float, count: int) -> None:
    table = np.load(TABLE)
    some = np.random.default_rng(0).choice(len(table["arch_str"]), count, replace=False)
    made = ProxyEvaluator(space("nasbench201"), names=name, batch=16)
    ours = [made.evaluate(str(each)).metrics[name] for each in table["arch_str"][some]]
    assert spearmanr(ours, table[column][some]).statistic >= least
