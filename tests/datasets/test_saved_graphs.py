from pathlib import Path

import numpy as np
import pytest
import torch
from torch_geometric.data import Data, InMemoryDataset

from vitruvius.core.errors import TableError
from vitruvius.datasets import RawGraph, RawGraphs, load_raw, split

PATH = torch.tensor([[0, 1, 1, 2], [1, 0, 2, 1]])
PAIR = torch.tensor([[0, 1], [1, 0]])


def graphs() -> list[Data]:
    return [
        Data(x=torch.eye(3), edge_index=PATH, y=torch.tensor([1])),
        Data(x=torch.ones(2, 3), edge_index=PAIR, y=torch.tensor([0])),
        Data(x=torch.zeros(1, 3), edge_index=torch.zeros(2, 0).long(), y=torch.tensor([1])),
    ]


def many(raw: object) -> RawGraphs:
    assert isinstance(raw, RawGraphs)
    assert raw.graph.tolist() == [0, 0, 0, 1, 1, 2]
    assert raw.edges.tolist() == [[0, 1, 3], [1, 2, 4]]
    assert raw.labels.tolist() == [1, 0, 1]
    return raw


def test_many_graphs(tmp_path: Path) -> None:
    path = tmp_path / "data.pt"
    InMemoryDataset.save(graphs(), str(path))
    many(load_raw(path))
    torch.save(graphs(), path)
    many(load_raw(path))
    torch.save(tuple(graphs()), path)
    many(load_raw(path))
    several = graphs()
    for each in several:
        del each.x
    several[2].num_nodes = 1
    InMemoryDataset.save(several, str(path))
    raw = many(load_raw(path))
    assert raw.features.flatten().tolist() == [1.0, 2.0, 1.0, 1.0, 1.0, 0.0]


def test_many_graphs_as_arrays(tmp_path: Path) -> None:
    path = tmp_path / "mine.npz"
    arrays = {
        "x": np.eye(6, dtype=np.float32),
        "edge_index": np.array([[0, 1, 3], [1, 2, 4]]),
        "batch": np.array([0, 0, 0, 1, 1, 2]),
        "y": np.array([1, 0, 1]),
    }
    np.savez(path, **arrays, train_idx=[0, 1], test_mask=[False, False, True])  # type: ignore[arg-type]
    raw = many(load_raw(path))
    assert raw.splits is not None
    assert (raw.splits.train.tolist(), raw.splits.test.tolist()) == ([0, 1], [2])
    np.savez(path, **arrays | {"y": np.array([0.5, 0.1, 0.2])})  # type: ignore[arg-type]
    assert load_raw(path).regression


def test_parts_of_one_graph(tmp_path: Path) -> None:
    masks = {
        f"{part}_mask": torch.eye(3).bool()[row]
        for row, part in enumerate(("train", "val", "test"))
    }
    data = Data(
        x=torch.eye(3), edge_index=PATH, y=torch.tensor([0, 1, 1]), edge_attr=PATH.T, **masks
    )
    torch.save(data, tmp_path / "data.pt")
    raw = load_raw(tmp_path / "data.pt")
    assert isinstance(raw, RawGraph)
    assert [part.tolist() for part in split(raw).parts().values()] == [[0], [1], [2]]
    assert raw.notes == ("`edge_attr` is not used: networks take edges and features of nodes.",)
    data.train_mask = torch.eye(3).bool()
    torch.save(data, tmp_path / "data.pt")
    assert "3 splits, of which the first" in load_raw(tmp_path / "data.pt").notes[0]
    other = load_raw(f"{tmp_path / 'data.pt'}:split=2")
    assert isinstance(other, RawGraph)
    assert other.train is not None
    assert other.train.tolist() == [2]


def test_targets_of_nodes(tmp_path: Path) -> None:
    data = Data(x=torch.eye(3), edge_index=PATH, y=torch.tensor([0.5, torch.nan, 2.0]))
    torch.save(data, tmp_path / "data.pt")
    raw = load_raw(tmp_path / "data.pt")
    assert (raw.regression, raw.task.classes, raw.known.tolist()) == (True, 1, [True, False, True])


def test_graphs_that_are_cut_in_wrong_places(tmp_path: Path) -> None:
    InMemoryDataset.save(graphs(), str(tmp_path / "data.pt"))
    saved = list(torch.load(tmp_path / "data.pt", weights_only=True))
    for bounds in (torch.tensor([0, 3, 9, 12]), torch.tensor([0, 3])):
        slices = {**saved[1], "x": bounds}
        torch.save((saved[0], slices, saved[2]), tmp_path / "data.pt")
        with pytest.raises(TableError, match="cut in the wrong places"):
            load_raw(tmp_path / "data.pt")
    nodes = [Data(x=torch.eye(3), edge_index=PATH, y=torch.arange(n)) for n in (3, 2)]
    InMemoryDataset.save(nodes, str(tmp_path / "data.pt"))
    with pytest.raises(TableError, match="targets of nodes"):
        load_raw(tmp_path / "data.pt")
