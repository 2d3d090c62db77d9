import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from vitruvius.spaces import GraphTask, Space, Task
from vitruvius.spaces.layers import layers_of

Table = dict[str, np.ndarray]


@pytest.fixture(scope="session")
def load_table() -> Callable[[str], Table]:
    """Reads one of the real benchmark tables, which are not part of the repository."""
    beside = Path(__file__).parents[3] / "shared" / "data"
    folder = Path(os.environ.get("VITRUVIUS_DATA", beside))

    def load(name: str) -> Table:
        path = folder / f"{name}.npz"
        if not path.is_file():
            pytest.skip(f"{path.name} is not there; set VITRUVIUS_DATA to the folder that holds it")
        with np.load(path) as file:
            return {column: file[column] for column in file.files}

    return load


def _many_architectures(space: Space, task: Task) -> None:
    x = space.sample(500, 1)
    assert torch.equal(space.rows([space.to_string(row) for row in x.tolist()]), x)
    counts = space.statistics(x, task)
    # Of a graph, those per node are counted, of some layers only.
    traced = not isinstance(task, GraphTask)
    inputs = [each.to("meta") for each in space.example_inputs(task)] if traced else []
    held, macs = [], []
    for row in x:
        module = space.build(row, task)
        held.append(sum(p.numel() for p in module.parameters()))
        if traced:
            macs.append(sum(layer.macs for layer in layers_of(module.to("meta"), inputs)))
    assert held == counts["params"].tolist()
    if traced:
        assert macs == counts["macs"].tolist()
        assert sum(layer.macs for layer in space.layers(x[0], task)) == macs[0]
    shuffled = space.statistics(space.shuffle(x, 1), task)
    for name, values in counts.items():
        assert torch.equal(shuffled[name], values)


@pytest.fixture
def many_architectures() -> Callable[[Space, Task], None]:
    """Strings and counts of 500 architectures, by their modules, and of isomorphic ones."""
    return _many_architectures
