from collections.abc import Callable

import pytest
import torch

from vitruvius.core.errors import ArchitectureError
from vitruvius.spaces import GraphTask, Space
from vitruvius.spaces.gnn.autognn import AutoGNN
from vitruvius.spaces.gnn.lpgnas import LPGNAS
from vitruvius.spaces.quantisation import FakeQuantisation, bits
from vitruvius.testing import SpaceContract

GRAPHS, PLAIN = LPGNAS(), AutoGNN()
TASK = GraphTask(classes=3, features=5, nodes=20, edges=30)


class TestContract(SpaceContract):
    @pytest.fixture
    def space(self) -> LPGNAS:
        return GRAPHS

    @pytest.fixture
    def task(self) -> GraphTask:
        return TASK


@pytest.mark.slow
def test_many_architectures(many_architectures: Callable[[Space, GraphTask], None]) -> None:
    many_architectures(GRAPHS, TASK)


def test_bytes_are_those_of_the_tensors() -> None:
    """Tensor by tensor, each in the format that the module rounds it to."""
    for row in GRAPHS.sample(60, 3):
        network = GRAPHS.build(row, TASK)
        total = 0.0
        for layer in network.layers:  # type: ignore[union-attr]
            for name, tensor in layer.named_parameters():
                home = layer.get_submodule(name.rpartition(".")[0])
                rounded = layer.rounded_vectors if home is layer else home.rounded
                if "bias" in name:
                    total += 4 * tensor.numel()
                elif tensor.numel():
                    scale = 4 * (rounded.name in ("binary", "ternary"))
                    total += bits(rounded.name) * tensor.numel() / 8 + scale
        counted = GRAPHS.statistics(row[None], TASK)["model_bytes"]
        assert float(counted) == total


def test_buffers_are_those_of_the_largest_layer() -> None:
    text = GRAPHS.uniform("gat|sum|elu|8|16 gcn|mean|linear|1", "2.2", "4.4")
    counted = float(GRAPHS.statistics(GRAPHS.rows([text]), TASK)["buffer_bytes"])
    # Values and sums of 20 nodes, 8 heads and 16 channels; 80 messages of 8 heads; a byte each.
    assert counted == 2 * 20 * 8 * 16 + 80 * 8
    wide = text.replace("4.4", "8.8")
    assert float(GRAPHS.statistics(GRAPHS.rows([wide]), TASK)["buffer_bytes"]) == 2 * counted


def test_many_bits_compute_what_full_precision_does() -> None:
    name = "gat|mean|elu|4|8 generalized_linear|mlp|linear|2"
    task = GraphTask(classes=3, features=6)
    torch.manual_seed(0)
    plain = PLAIN.build(name, task)
    quantised = GRAPHS.build(GRAPHS.uniform(name, "2.6", "8.8"), task)
    quantised.load_state_dict(plain.state_dict())
    inputs = task.inputs(9)
    assert torch.allclose(plain(*inputs), quantised(*inputs), atol=0.1)
    assert not torch.equal(plain(*inputs), quantised(*inputs))


def test_gradients_go_straight_through() -> None:
    x = torch.tensor([0.3, -0.9, 5.0], requires_grad=True)
    FakeQuantisation("2.2")(x).sum().backward()
    assert x.grad is not None
    assert x.grad.tolist() == [1.0, 1.0, 0.0]
    for name in ("binary", "ternary"):
        x.grad = None
        y = FakeQuantisation(name)(x)
        assert len(y.abs().unique()) <= 2
        y.sum().backward()
        assert x.grad.tolist() == [1.0, 1.0, 1.0]


def test_texts() -> None:
    text = "gat|sum|elu|8|8/2.2|binary|4.4|4.8|8.8 gcn|mean|linear|1/ternary|2.4|2.2|4.4|4.4"
    assert str(GRAPHS.architecture(text)) == text
    for wrong, said in (
        ("gat|sum|elu|8|8 gcn|mean|linear|1", "NETWORK/FORMATS"),
        (text.replace("/2.2|", "/"), "5 formats a layer, got 4"),
        (text.replace("binary", "9.9"), "vectors is '9.9'"),
    ):
        with pytest.raises(ArchitectureError, match=said):
            GRAPHS.architecture(wrong)
