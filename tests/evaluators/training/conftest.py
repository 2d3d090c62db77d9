import pytest
import torch

from vitruvius.datasets import RawGraph, RawImages
from vitruvius.spaces import Space, space


@pytest.fixture(scope="session")
def images() -> RawImages:
    """Three classes told apart by which third of the image is bright."""
    generator = torch.Generator().manual_seed(0)
    pixels = torch.randint(128, (90, 1, 9, 9), generator=generator, dtype=torch.uint8)
    labels = torch.arange(90) % 3
    for label in range(3):
        pixels[labels == label, :, 3 * label : 3 * label + 3] += 127
    return RawImages(pixels, labels)


@pytest.fixture(scope="session")
def graph() -> RawGraph:
    """Two classes told apart by a feature and by whom a node is joined to."""
    generator = torch.Generator().manual_seed(0)
    labels = torch.arange(40) % 2
    edges = torch.randint(20, (2, 80), generator=generator) * 2 + torch.arange(80) % 2
    features = torch.randn(40, 5, generator=generator)
    features[:, 0] += 2 * labels
    return RawGraph.of_arrays(edges, features, labels)


@pytest.fixture(scope="session")
def cells() -> Space:
    return space("nasbench201:width=4,cells=1")


@pytest.fixture(scope="session")
def pictures() -> RawImages:
    """Two classes of grey images: a bright left or a bright right half."""
    generator = torch.Generator().manual_seed(0)
    pixels = torch.randint(100, (160, 1, 8, 8), generator=generator, dtype=torch.uint8)
    labels = torch.arange(160) % 2
    for label in range(2):
        pixels[labels == label, :, :, 4 * label : 4 * label + 4] += 150
    return RawImages(pixels, labels)
