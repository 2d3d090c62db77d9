"""Learned encoders read choice indices and images of the CPU, wherever they are themselves."""

from copy import deepcopy

import pytest
import torch
from torch import nn

from vitruvius.encoders.ascent import ascend
from vitruvius.encoders.autoencoding import Labelled, new_autoencoder, train_autoencoder
from vitruvius.encoders.graph_encoder import GraphEncoder
from vitruvius.encoders.graph_layers import AttentionLayer, GINLayer, MeanLayer, TransformerLayer
from vitruvius.encoders.latent_head import LatentHead
from vitruvius.encoders.tasks.image_task import ImageSetEncoder
from vitruvius.spaces import space
from vitruvius.testing.second_device import DEVICES, other_device

CELLS = space("nasbench201")
X = CELLS.sample(40, 0)


@pytest.fixture(params=DEVICES)
def device(request: pytest.FixtureRequest) -> torch.device:
    return other_device(request)


def same(there: torch.Tensor, here: torch.Tensor, device: torch.device) -> None:
    assert there.device.type == device.type
    torch.testing.assert_close(there.cpu(), here, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("layer", [MeanLayer, GINLayer, AttentionLayer, TransformerLayer])
def test_graph_networks(layer: type[nn.Module], device: torch.device) -> None:
    encoder = GraphEncoder(CELLS, layer=layer, width=8)
    same(deepcopy(encoder).to(device)(X), encoder(X), device)


def test_images(device: torch.device) -> None:
    images = torch.randint(256, (12, 3, 16, 16), generator=torch.Generator().manual_seed(0))
    labels = torch.arange(12) % 3
    encoder = ImageSetEncoder(width=8, size=4)
    here = encoder(images.to(torch.uint8), labels)
    same(deepcopy(encoder).to(device)(images.to(torch.uint8), labels), here, device)


def test_autoencoders_learn_and_climb(device: torch.device) -> None:
    network = new_autoencoder(CELLS, width=8).to(device)
    z = -X.sum(1).float()
    labelled = Labelled(X, (z - z.mean()) / z.std(), torch.ones(len(X)))
    assert len(train_autoencoder(network, CELLS, X, labelled=labelled, steps=20)) == 20
    with torch.no_grad():
        head = LatentHead(network.encode(X), labelled.z)
        mean, deviation = head.predict(network.encode(X))
    assert mean.device.type == deviation.device.type == device.type
    for worth in (head, network.score, lambda embedding: network.score(embedding).cpu()):
        ended = ascend(network, CELLS, X, worth, excluded=CELLS.hashes(X[:3]))
        assert ended.x.device == ended.moved.device == torch.device("cpu")
        assert CELLS.is_valid(ended.x).all()
