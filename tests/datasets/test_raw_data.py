from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings, strategies as st
from PIL import Image
from scipy.sparse import csr_array
from torch_geometric.data import Data, InMemoryDataset

from vitruvius.core.errors import TableError, UnknownNameError, UsageError
from vitruvius.datasets.raw_data import RawGraph, RawImages, is_raw, load_raw
from vitruvius.spaces.gnn.nas_bench_graph import TASKS
from vitruvius.spaces.task import ImageTask

X = np.array([[0, 1, 0], [2, 0, 0], [0, 0, 3], [1, 1, 1]], dtype=np.float32)
EDGES = np.array([[0, 1, 2, 2, 3], [1, 0, 1, 2, 2]])
Y = np.array([0, 1, 1, -1])
X1, NONE = torch.ones(2, 1), torch.zeros(2, 0).long()


def npz(folder: Path, **columns: object) -> Path:
    path = folder / "mine.npz"
    np.savez(path, **columns)  # type: ignore[arg-type]
    return path


def check(graph: object) -> None:
    assert isinstance(graph, RawGraph)
    assert graph.edges.tolist() == [[0, 1, 2], [1, 2, 3]]
    assert np.array_equal(graph.features.toarray(), X)
    assert graph.labels.tolist() == Y.tolist()
    assert (graph.task.classes, graph.task.features, graph.nodes) == (2, 3, 4)


class Pair(InMemoryDataset):
    """A data set of torch-geometric, of as many graphs as it is given."""

    def __init__(self, graphs: list[Data]) -> None:
        super().__init__()
        self.data, self.slices = self.collate(graphs)


def data() -> Data:
    return Data(
        x=torch.from_numpy(X),
        edge_index=torch.from_numpy(EDGES),
        y=torch.from_numpy(Y)[:, None],
        train_mask=torch.tensor([[True, False], [False, True], [True, False], [False, False]]),
    )


def test_graphs_as_arrays(tmp_path: Path) -> None:
    sparse = csr_array(X)
    columns = {"x_indices": sparse.indices, "x_indptr": sparse.indptr, "x_shape": X.shape}
    rest = {"edges": EDGES.astype(np.uint16), "y": Y.astype(np.int8)}
    check(load_raw(npz(tmp_path, x=X, **rest)))
    check(load_raw(npz(tmp_path, **columns, x_data=sparse.data, **rest)))
    binary = load_raw(npz(tmp_path, **columns, **rest, train_idx=[2, 0]))
    assert isinstance(binary, RawGraph)
    assert np.array_equal(binary.features.toarray(), X > 0)
    assert binary.train is not None
    assert binary.train.tolist() == [0, 2]


@pytest.mark.parametrize("layout", [torch.sparse_coo, torch.sparse_csr])
@pytest.mark.filterwarnings("ignore:Sparse CSR tensor support is in beta state")
def test_graphs_of_torch_geometric(layout: torch.layout) -> None:
    check(RawGraph.of(data()))
    check(RawGraph.of(Pair([data()])))
    sparse = data()
    sparse.x = sparse.x.to_sparse(layout=layout)
    graph = RawGraph.of(sparse)
    check(graph)
    assert graph.train is not None
    assert graph.train.tolist() == [0, 2]


def test_saved_graphs_of_torch_geometric(tmp_path: Path) -> None:
    folder = tmp_path / "Mine" / "processed"
    folder.mkdir(parents=True)
    torch.save("a transform", folder / "pre_transform.pt")
    InMemoryDataset.save([data()], str(folder / "data.pt"))
    for path in (tmp_path, tmp_path / "Mine", folder, folder / "data.pt"):
        check(load_raw(path))


def test_saved_graphs_are_not_unpickled(tmp_path: Path) -> None:
    torch.save((Path("code"), None), tmp_path / "data.pt")
    with pytest.raises(TableError, match=r"could run code.*RawGraph\.of"):
        load_raw(tmp_path / "data.pt")
    (tmp_path / "data.pt").write_bytes(b"broken")
    with pytest.raises(TableError, match="broken"):
        load_raw(tmp_path / "data.pt")
    torch.save({"x": torch.ones(2)}, tmp_path / "data.pt")
    with pytest.raises(TableError, match="`edge_index`, `y`"):
        load_raw(tmp_path / "data.pt")
    torch.save([1], tmp_path / "data.pt")
    with pytest.raises(TableError, match="list, no graph"):
        load_raw(tmp_path / "data.pt")


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (Pair([data(), data()]), "data set of 2 graphs"),
        ("cora", "got str"),
        (Data(edge_index=NONE, y=torch.zeros(1).long()), "lacks .* `x`"),
        (Data(x=X1, edge_index=NONE, y=torch.ones(2, 3).long()), "2, 3"),
        (Data(x=X1, edge_index=NONE, y=torch.ones(2)), "integers"),
        (Data(x=X1[0], edge_index=NONE, y=torch.ones(2)), r"`x` has the shape \(1,\)"),
        (Data(x=X1, edge_index=NONE[0], y=torch.ones(2)), r"`edge_index` the shape \(0,\)"),
        (Data(x=X1, edge_index=NONE.float(), y=torch.ones(2)), "float32"),
        (Data(x=X1, edge_index=NONE, y=torch.ones(2), train_mask=torch.ones(3)), "for 2 nodes"),
    ],
)
def test_what_is_no_graph_of_torch_geometric(given: object, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        RawGraph.of(given)


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"y": [0, 1, 1]}, "features of 4 nodes and labels of 3"),
        ({"y": [0, 1, -2, 1]}, "-2"),
        ({"y": [-1, -1, -1, -1]}, "Labels have to be classes"),
        ({"y": [0.0, 1, 1, 0]}, "floats that look like classes: 0, 1"),
        ({"y": [0.5, np.inf, 1, 1]}, "infinite"),
        ({"y": [np.nan] * 4}, "none is known"),
        ({"x": np.full((4, 3), np.nan)}, "not finite"),
        ({"x": X[:, :0]}, "no features"),
        ({"x": X[:, 0]}, r"\(4,\)"),
        ({"edges": EDGES.T}, r"\(5, 2\)"),
        ({"edges": [[0], [4]]}, "`edges` names the nodes 0 to 4 of a graph of 4"),
        ({"train_idx": [-1]}, "`train` names the nodes -1 to -1"),
    ],
)
def test_broken_graphs(tmp_path: Path, changed: dict[str, object], said: str) -> None:
    path = npz(tmp_path, **{"x": X, "edges": EDGES, "y": Y, **changed})
    with pytest.raises(TableError, match=rf"mine\.npz: .*{said}"):
        load_raw(path)


@pytest.mark.parametrize(
    ("columns", "said"),
    [
        ({"edges": EDGES, "x": X}, "without `y`"),
        ({"edges": EDGES, "y": Y, "x_indices": [0]}, "without `x_indptr`, `x_shape`"),
        (
            {
                "edges": EDGES,
                "y": Y,
                "x_indices": [9],
                "x_indptr": [0, 1, 1, 1, 1],
                "x_shape": [4, 3],
            },
            "no CSR matrix",
        ),
        ({"edges": EDGES, "y": Y, "x_indices": [0], "x_indptr": [0, 1], "x_shape": [4]}, "no CSR"),
        ({"accuracy": [1.0]}, "its columns are accuracy"),
        ({"x_train": np.full((2, 1, 4, 4), 300.0), "y_train": [0, 1]}, "values from 300 to 300"),
        ({"x_train": np.zeros((2, 9, 9, 9), np.uint8), "y_train": [0, 1]}, r"\(2, 9, 9, 9\)"),
        ({"x_train": np.zeros((2, 4, 4), np.uint8), "y_train": [0]}, "2 images and 1 labels"),
        ({"x_train": np.zeros((2, 4, 4), np.uint8), "y_train": [0, -1]}, "label -1"),
    ],
)
def test_what_is_no_data_set(tmp_path: Path, columns: dict[str, object], said: str) -> None:
    with pytest.raises(TableError, match=said):
        load_raw(npz(tmp_path, **columns))


def test_paths_that_lead_to_no_data_set(tmp_path: Path) -> None:
    with pytest.raises(TableError, match="no file or folder"):
        load_raw(tmp_path / "missing.npz")
    (tmp_path / "a.txt").write_text("")
    with pytest.raises(TableError, match=r"\.npz or \.pt"):
        load_raw(tmp_path / "a.txt")
    with pytest.raises(TableError, match="one folder a class"):
        load_raw(tmp_path)


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 2**31))
def test_edges_are_those_of_the_adjacency_matrix(seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    edges = torch.randint(6, (2, 12), generator=generator)
    graph = RawGraph.of_arrays(edges, torch.eye(6), torch.arange(6))
    dense = torch.zeros(6, 6, dtype=torch.bool)
    dense[edges[0], edges[1]] = True
    assert torch.equal(graph.edges.T, (dense | dense.T).triu(1).nonzero())


@pytest.mark.parametrize(
    "shape", [(3, 8, 8), (3, 8, 8, 1), (3, 8, 8, 3), (3, 3, 8, 8), (3, 1, 8, 8)]
)
def test_images_as_arrays(tmp_path: Path, shape: tuple[int, ...]) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)
    raw = load_raw(npz(tmp_path, x_train=pixels, y_train=[0, 2, 2], x_test=pixels[:1], y_test=[5]))
    channels = 3 if 3 in shape[1:] else 1
    assert isinstance(raw, RawImages)
    assert raw.task == ImageTask(classes=3, channels=channels, resolution=8)
    assert raw.training.task == ImageTask(classes=2, channels=channels, resolution=8)
    first = pixels[0] if shape[1] < 8 else np.moveaxis(pixels[0].reshape(8, 8, -1), 2, 0)
    assert np.array_equal(raw.images[0].numpy(), first.reshape(channels, 8, 8))


def test_folders_of_images(tmp_path: Path) -> None:
    for label, (folder, size) in enumerate([("train/a", (8, 6)), ("train/b", (9, 9))]):
        (tmp_path / folder).mkdir(parents=True)
        Image.new("L", size, 100 * label).save(tmp_path / folder / "1.png")
    raw = load_raw(tmp_path)
    assert isinstance(raw, RawImages)
    assert raw.task == ImageTask(classes=2, channels=1, resolution=6)
    assert raw.images[:, 0, 0, 0].tolist() == [0, 100]
    Image.new("RGB", (6, 6), (255, 0, 0)).convert("P").save(tmp_path / "train" / "a" / "2.PNG")
    colours = load_raw(tmp_path / "train")
    assert isinstance(colours, RawImages)
    assert colours.images[:, :, 3, 3].tolist() == [[0, 0, 0], [255, 0, 0], [100, 100, 100]]
    assert colours.labels.tolist() == [0, 0, 1]
    Image.new("F", (6, 6)).save(tmp_path / "train" / "a" / "3.tif")
    with pytest.raises(TableError, match="16 bits"):
        load_raw(tmp_path)
    (tmp_path / "train" / "a" / "3.tif").unlink()
    (tmp_path / "train" / "a" / "3.png").write_bytes(b"\x89PNG\r\n\x1a\nbroken")
    with pytest.raises(TableError, match=r"3\.png is no image"):
        load_raw(tmp_path)


@pytest.mark.parametrize(
    ("name", "data_set", "train"),
    [
        ("cora", "cora", 140),
        ("citeseer", "citeseer", 120),
        ("amazon_photo", "photo", None),
        ("coauthor_cs", "cs", None),
    ],
)
def test_published_graphs(
    published: Callable[[str], Path], name: str, data_set: str, train: int | None
) -> None:
    """Of the sizes that NAS-Bench-Graph's tasks have."""
    graph = load_raw(published(f"graph_{name}.npz"))
    assert isinstance(graph, RawGraph)
    for size in ("classes", "features", "nodes", "edges"):
        assert getattr(graph.task, size) == getattr(TASKS[data_set], size), size
    assert (None if graph.train is None else len(graph.train)) == train
    if train:
        assert graph.splits is not None
        assert (len(graph.splits.val), len(graph.splits.test)) == (500, 1000)


@pytest.mark.parametrize(
    ("name", "task", "sizes"),
    [
        ("cifar10_10k", ImageTask(classes=10, channels=3, resolution=32), (10_000, 0, 1_000)),
        ("fashion_mnist", ImageTask(classes=10, channels=1, resolution=28), (60_000, 0, 10_000)),
        ("flowers17_16px", ImageTask(classes=17, channels=3, resolution=16), (680, 340, 340)),
    ],
)
def test_published_images(
    published: Callable[[str], Path], name: str, task: ImageTask, sizes: tuple[int, int, int]
) -> None:
    raw = load_raw(published(f"{name}.npz"))
    assert isinstance(raw, RawImages)
    assert raw.splits is not None
    assert (raw.task, len(raw.images)) == (task, sum(sizes))
    assert tuple(len(part) for part in raw.splits.parts().values()) == sizes
    assert raw.training.task == task


def test_graphs_by_the_names_of_others(tmp_path: Path) -> None:
    own = load_raw(npz(tmp_path, x=X, edges=EDGES, y=Y))
    adjacency = csr_array((np.ones(EDGES.shape[1]), tuple(EDGES)), shape=(4, 4))
    features = csr_array(np.asarray(X, dtype=np.float32))
    parts = {
        f"{name}_{part}": getattr(matrix, part)
        for name, matrix in (("adj", adjacency), ("attr", features))
        for part in ("data", "indices", "indptr", "shape")
    }
    names = np.array([{"a": 1}], dtype=object)  # what is not needed is not unpickled
    mask = np.array([[True], [False], [True], [False]])
    for columns in (
        {"x": X, "edge_index": EDGES, "y": Y, "train_mask": mask},
        {**parts, "labels": Y, "class_names": names},
        {"features": X, "edge_index": EDGES, "labels": Y},
    ):
        path = npz(tmp_path, **columns)
        assert is_raw(path)
        graph = load_raw(path)
        assert isinstance(graph, RawGraph)
        assert torch.equal(graph.edges, own.edges)
        assert (graph.features != own.features).nnz == 0
        assert torch.equal(graph.labels, own.labels)
        if "train_mask" in columns:
            assert graph.train.tolist() == [0, 2]


def test_data_that_torch_saved(tmp_path: Path) -> None:
    tensors = torch.tensor(X).float(), torch.tensor(EDGES), torch.tensor(Y)
    data = Data(x=tensors[0], edge_index=tensors[1], y=tensors[2])
    for name in ("data.pt", "data.PTH"):
        torch.save(data, tmp_path / name)
        assert load_raw(tmp_path / name).nodes == 4
    torch.save(Data(x=tensors[0]), tmp_path / "data.pt")
    with pytest.raises(TableError, match="lacks the tensor `edge_index`, `y`"):
        load_raw(tmp_path / "data.pt")


def test_a_broken_file_is_told_from_a_refused_one(tmp_path: Path) -> None:
    path = tmp_path / "data.pt"
    torch.save({"x": Path("a")}, path)
    with pytest.raises(TableError, match=r"refused: it holds a pathlib\.\w+, which could run code"):
        load_raw(path)
    path.write_bytes(path.read_bytes()[:50])
    with pytest.raises(TableError, match="broken"):
        load_raw(path)


def test_options_follow_a_colon(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "a:b=c"  # a path may look as if it had options
    for name in ("cat", "dog"):
        (folder / name).mkdir(parents=True)
        Image.new("L", (8, 8)).save(folder / name / "0.png")
    for path in (folder, str(folder)):
        assert is_raw(path)
        assert load_raw(path).task.resolution == 8
    for text in (f"{folder}:resolution=4,skip_corrupt=true", f"{folder}:resolution=4"):
        assert is_raw(text)
        assert load_raw(text).task.resolution == 4
    assert load_raw(f"{folder}:resolution=4", resolution=2).task.resolution == 2
    with pytest.raises(UnknownNameError, match=r"option of a:b=c 'size'.*Known: resolution, skip"):
        load_raw(f"{folder}:size=4")
    with pytest.raises(UsageError, match="'b' is not an option"):
        load_raw(f"{folder}:resolution=4,b")
    for text in (f"{tmp_path}/none:resolution=4", f"{folder}:fast", r"C:\photos:resolution=4"):
        with pytest.raises(TableError, match="no file or folder"):
            load_raw(text)
    # As on Windows, where a drive comes before a colon.
    monkeypatch.chdir(tmp_path)
    folder.rename(tmp_path / "C:photos")
    assert load_raw("C:photos:resolution=4").task.resolution == 4


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ("resolution=wide", "`resolution` of photos is a whole number, got 'wide'"),
        ("resolution=1.5", "got 1.5"),
        ("resolution=true", "got True"),
        ("skip_corrupt=maybe", "`skip_corrupt` of photos is true or false, got 'maybe'"),
        ("skip_corrupt=1", "got 1"),
    ],
)
def test_options_of_another_kind(tmp_path: Path, written: str, said: str) -> None:
    (tmp_path / "photos").mkdir()
    with pytest.raises(UsageError, match=said):
        load_raw(f"{tmp_path / 'photos'}:{written}")


def test_notes_are_logged(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    mask = np.eye(4, dtype=bool)
    path = npz(tmp_path, x=X, edges=EDGES, y=Y, train_mask=mask)
    graph = load_raw(path)
    assert graph.notes == (
        "The masks hold 4 splits, of which the first is used; split=1 to split=3 takes another.",
    )
    assert graph.notes[0] in caplog.text
    other = load_raw(f"{path}:split=2")
    assert isinstance(other, RawGraph)
    assert other.train is not None
    assert (other.train.tolist(), other.notes) == ([2], ())
