import torch
from torch import Tensor, nn

from vitruvius.spaces import Layer
from vitruvius.spaces.layers import layers_of


def test_a_convolution_is_told_in_full() -> None:
    network = nn.Conv2d(4, 8, (3, 5), stride=2, padding=1, dilation=(1, 2), groups=2)
    [layer] = layers_of(network.to("meta"), [torch.empty(1, 4, 16, 16, device="meta")])
    out = (8, 8, 5)
    params = 8 * 2 * 15 + 8
    assert layer == Layer(
        "convolution", (4, 16, 16), out, (3, 5), (2, 2), (1, 2), 2, params, 8 * 2 * 15 * 40
    )


def test_a_transposed_convolution_multiplies_what_comes_in() -> None:
    network = nn.ConvTranspose1d(2, 3, 4, stride=2, bias=False)
    [layer] = layers_of(network, [torch.zeros(1, 2, 5)])
    assert (layer.kind, layer.outputs, layer.macs) == ("transposed convolution", (3, 12), 24 * 5)


def test_parameters_count_once_and_where_they_are_held() -> None:
    class Twice(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.scale = nn.Parameter(torch.ones(3))
            self.linear = nn.Linear(3, 3)

        def forward(self, x: Tensor) -> Tensor:
            return self.linear(self.linear(x)) * self.scale

    listed = layers_of(Twice(), [torch.zeros(1, 3)])
    assert [(layer.kind, layer.params) for layer in listed] == [
        ("linear", 12),
        ("linear", 0),
        ("Twice", 3),
    ]


def test_the_network_is_left_as_it_was() -> None:
    network = nn.Sequential(nn.Linear(2, 2), nn.BatchNorm1d(2)).train()
    before = {name: value.clone() for name, value in network.state_dict().items()}
    layers_of(network, [torch.ones(4, 2)])
    assert network.training
    assert all(torch.equal(before[name], v) for name, v in network.state_dict().items())
    assert not any(module._forward_hooks for module in network.modules())
