import pytest

from vitruvius.generators import GraphDiffusion, Source, Trainer, new_denoiser
from vitruvius.spaces import DeclaredSpace, Space, space


@pytest.fixture(scope="session")
def cells() -> Space:
    return space("nasbench201")


@pytest.fixture(scope="session")
def source(cells: Space) -> Source:
    return Source(cells, cells.enumerate()[::2])


@pytest.fixture(scope="session")
def trained(source: Source) -> GraphDiffusion:
    """A small generator that has learnt to follow its conditions."""
    denoiser = new_denoiser([source], width=32, layers=2)
    Trainer(denoiser, [source], steps=400, batch=128, learning_rate=4e-3, show=False).run()
    return GraphDiffusion.of(denoiser)


@pytest.fixture(scope="session")
def toy() -> Space:
    """Two operations, a parent and an edge."""
    return DeclaredSpace(
        {
            "name": "toy",
            "nodes": ["in", "a", "b"],
            "skeleton": [[0, 1]],
            "variables": [
                {"name": "op_1", "choices": ["x", "y", "z"], "kind": "op", "place": [1]},
                {"name": "op_2", "choices": ["x", "y", "z"], "kind": "op", "place": [2]},
                {"name": "p", "choices": [0, 1], "kind": "parent", "place": [2]},
                {"name": "e", "choices": [0, 1], "kind": "edge", "place": [0, 2]},
            ],
        }
    )


@pytest.fixture(scope="session")
def flowing(source: Source) -> GraphDiffusion:
    """A small generator of the continuous process that follows its conditions."""
    denoiser = new_denoiser([source], width=32, layers=2, process="continuous")
    Trainer(denoiser, [source], steps=400, batch=128, learning_rate=4e-3, show=False).run()
    return GraphDiffusion.of(denoiser)
