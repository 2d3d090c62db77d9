from pathlib import Path

import numpy as np
import pytest
import torch

from vitruvius.core.errors import TableError, UsageError
from vitruvius.core.seeding import make_generator
from vitruvius.datasets import RawGraph, load_raw
from vitruvius.datasets.disk_features import PAGE, DiskFeatures
from vitruvius.evaluators import evaluator
from vitruvius.evaluators.training import TrainingEvaluator
from vitruvius.evaluators.training.examples import SampledNodeExamples
from vitruvius.evaluators.training.feature_store import MemoryStore, PackedStore
from vitruvius.evaluators.training.neighbours import Neighbours
from vitruvius.spaces import space

NODES, WIDTH = 400, 24
GAT = "gat|sum|elu|4|8 gcn|sum|linear|1"


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A graph of three communities, whose features say which."""
    draw = np.random.default_rng(0)
    labels = np.arange(NODES) % 3
    edges = draw.integers(0, NODES, (2, 6 * NODES))
    edges = edges[:, (labels[edges[0]] == labels[edges[1]]) | (draw.random(6 * NODES) < 0.1)]
    x = np.eye(3, WIDTH)[labels] + draw.normal(size=(NODES, WIDTH))
    path = tmp_path_factory.mktemp("graph") / "graph.npz"
    np.savez(path, x=x.astype("f4"), edges=edges, y=labels)
    return path


def test_neighbours_are_as_many_as_asked_for_and_of_the_graph(file: Path) -> None:
    graph = load_raw(file)
    assert isinstance(graph, RawGraph)
    sampler = Neighbours(graph.edges, NODES)
    seeds = torch.tensor([5, 3, 200])
    told = sampler.sample(seeds, [4, 2], make_generator(0))
    assert told.nodes[:3].equal(seeds)
    assert len(told.nodes.unique()) == len(told.nodes)
    known = {tuple(edge) for edge in graph.edges.T.tolist()}
    for source, target in told.nodes[told.edges].T.tolist():
        assert (min(source, target), max(source, target)) in known
    degrees = torch.bincount(graph.edges.flatten(), minlength=NODES)
    into = torch.bincount(told.edges[1], minlength=len(told.nodes))
    assert into[:3].equal(degrees[seeds].clamp(max=4))
    hop = slice(3, 3 + int((into[3:] > 0).sum()))
    assert bool((into[hop] <= 2).all())
    assert len({tuple(edge) for edge in told.edges.T.tolist()}) == told.edges.shape[1]
    again = sampler.sample(seeds, [4, 2], make_generator(0))
    assert again.nodes.equal(told.nodes)
    whole = sampler.sample(seeds, [10**6], make_generator(1))
    assert whole.edges.shape[1] == int(degrees[seeds].sum())


@pytest.mark.parametrize("memory", [0, 50 * WIDTH * 4, 10**9])
@pytest.mark.parametrize("room", [0.01, 0.5, 100.0])
def test_packed_rows_are_those_of_the_features(file: Path, memory: int, room: float) -> None:
    raw = load_raw(file, features="disk")
    assert isinstance(raw, RawGraph)
    assert isinstance(raw.features, DiskFeatures)
    store = PackedStore(raw.features, memory=memory, room=room)
    plain = MemoryStore(torch.from_numpy(raw.features.toarray()))
    for epoch in range(2):
        draw = make_generator(epoch)
        batches = [torch.randperm(NODES, generator=draw)[: 20 + 10 * i] for i in range(9)]
        for each in (store, plain):
            each.plan(batches)
        # A training that goes on begins in the middle.
        for number in range(4 * epoch, len(batches)):
            expected = plain.rows(number)
            assert store.rows(number).equal(expected)
    assert store.read_bytes > 0
    assert store.read_bytes % PAGE == 0
    store.close()


@pytest.mark.parametrize("how", ["savez", "savez_compressed", "float64", "sparse"])
def test_features_of_any_file_stay_on_disk(
    how: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from scipy.sparse import csr_array

    monkeypatch.setenv("VITRUVIUS_CACHE", str(tmp_path / "cache"))
    x = np.random.default_rng(0).normal(size=(30, 5)).astype("f8" if how == "float64" else "f4")
    rest = {"edges": np.array([[0, 1], [1, 2]]), "y": np.arange(30) % 2}
    path = tmp_path / "graph.npz"
    if how == "sparse":
        c = csr_array(x)
        np.savez(
            path, x_data=c.data, x_indices=c.indices, x_indptr=c.indptr, x_shape=c.shape, **rest
        )
    else:
        (np.savez_compressed if how == "savez_compressed" else np.savez)(path, x=x, **rest)
    for _ in range(2):
        raw = load_raw(f"{path}:features=disk")
        assert isinstance(raw, RawGraph)
        assert isinstance(raw.features, DiskFeatures)
        assert (raw.features.path == path) == (how == "savez")
        assert np.array_equal(raw.features.toarray(), x.astype("f4"))
        assert raw.task.features == 5


def test_on_disk_a_training_is_the_same_as_in_memory(file: Path) -> None:
    graphs = space("autognn")
    options = {"epochs": 3, "batch": 40, "fanout": [5, 5]}
    plain = TrainingEvaluator(graphs, file, **options)  # type: ignore[arg-type]
    packed = evaluator(graphs, f"{file}:features=disk,epochs=3,batch=40,fanout=[5,5],cache=0.01")
    assert isinstance(packed, TrainingEvaluator)
    a, b = (each.train(GAT, seed=1) for each in (plain, packed))
    assert a.curve == b.curve
    assert a.metrics["accuracy"] > 0.6
    examples = packed.examples(packed.task, None, torch.device("cpu"))
    assert isinstance(examples, SampledNodeExamples)
    assert examples.read_bytes > 0


def test_what_does_not_go_with_it_is_named(file: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="fanout"):
        evaluator(space("nasbench201:width=4,cells=1"), "digits:fanout=[5]")
    np.savez(tmp_path / "images.npz", images=np.zeros((9, 8, 8), "u1"), labels=np.arange(9) % 3)
    with pytest.raises(TableError, match="graphs alone"):
        load_raw(tmp_path / "images.npz", features="disk")
    with pytest.raises(TableError, match="memory or disk"):
        load_raw(file, features="tape")
    x = np.zeros((4, 3), "f4")
    x[2, 1] = np.nan
    np.savez(tmp_path / "graph.npz", x=x, edges=[[0, 1], [1, 2]], y=[0, 1, 0, 1])
    with pytest.raises(TableError, match="node 2 are not finite"):
        load_raw(tmp_path / "graph.npz", features="disk")
