from pathlib import Path

import pytest
import torch
import torch_geometric.datasets as sets
from torch_geometric.data import Data, HeteroData

from vitruvius.core.errors import TableError, UnknownNameError
from vitruvius.datasets import RawGraph, RawGraphs, is_raw, load_raw

PATH = torch.tensor([[0, 1], [1, 2]])


class Fake:
    """A data set of torch-geometric that is on disk already, as far as it is looked at."""

    graphs: tuple[object, ...] = ()

    def __init__(self, root: str, name: str) -> None:
        self.root, self.name = root, name
        if name == "nonesuch":
            raise OSError("network is unreachable")

    def __len__(self) -> int:
        return len(self.graphs)

    def __getitem__(self, place: int) -> object:
        return self.graphs[place]


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch) -> list[Fake]:
    """What was made of two of the data sets, which need no network."""
    made: list[Fake] = []

    class Planetoid(Fake):
        graphs = (
            Data(
                x=torch.eye(3),
                edge_index=PATH,
                y=torch.tensor([0, 1, 1]),
                train_mask=torch.eye(3).bool(),
            ),
        )

        def __init__(self, root: str, name: str) -> None:
            super().__init__(root, name)
            made.append(self)

    class TUDataset(Fake):
        graphs = tuple(Data(x=torch.eye(3), edge_index=PATH, y=torch.tensor([y])) for y in (0, 1))

    monkeypatch.setattr(sets, "Planetoid", Planetoid)
    monkeypatch.setattr(sets, "TUDataset", TUDataset)
    return made


def test_one_graph(made: list[Fake], cache: Path, tmp_path: Path) -> None:
    assert is_raw("pyg:Cora")
    raw = load_raw("pyg:cora:split=1")
    assert isinstance(raw, RawGraph)
    assert raw.train is not None
    assert raw.train.tolist() == [1]
    assert (made[0].name, Path(made[0].root)) == ("Cora", cache / "pyg" / "Planetoid")
    load_raw(f"pyg:Planetoid/PubMed:root={tmp_path}")
    assert (made[1].name, Path(made[1].root)) == ("PubMed", tmp_path)


@pytest.mark.usefixtures("made")
def test_many_graphs() -> None:
    raw = load_raw("pyg:TUDataset/MUTAG")
    assert isinstance(raw, RawGraphs)
    assert raw.labels.tolist() == [0, 1]
    with pytest.raises(TableError, match="`split` is for one graph"):
        load_raw("pyg:TUDataset/MUTAG:split=1")


def test_a_set_without_root_or_name() -> None:
    raw = load_raw("pyg:KarateClub")
    assert raw.task.nodes == 34


@pytest.mark.usefixtures("made")
def test_what_cannot_be_had(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(UnknownNameError, match="Try pyg:Cora"):
        load_raw("pyg:Planetoyd/Cora")
    with pytest.raises(TableError, match=r"holds several data sets.*pyg:TUDataset/NAME"):
        load_raw("pyg:TUDataset")
    with pytest.raises(TableError, match=r"nonesuch is not in .*cannot be downloaded: network"):
        load_raw("pyg:TUDataset/nonesuch")
    monkeypatch.setattr(sets.Planetoid, "graphs", (HeteroData(),))
    with pytest.raises(TableError, match="holds HeteroData, no plain graph"):
        load_raw("pyg:Cora")
