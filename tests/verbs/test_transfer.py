import json
from pathlib import Path

import numpy as np
import pytest
import torch
from typer.testing import CliRunner

import vitruvius
from vitruvius.cli import app
from vitruvius.core.errors import UsageError
from vitruvius.evaluators.metric import Metric
from vitruvius.evaluators.tables.table import Table
from vitruvius.generators.diffusion import GraphDiffusion
from vitruvius.predictors.source_task import SourceTask
from vitruvius.spaces import space
from vitruvius.verbs.transfer import transfer
from vitruvius.verbs.transfer_method import BUILTIN, base_generator

CELLS = space("nasbench201")
X = CELLS.enumerate()
PARAMS = CELLS.statistics(X)["params"].double()
SHIFTED = PARAMS + 1e5 * CELLS.statistics(X)["depth"]
WRONG = PARAMS[torch.randperm(len(X), generator=torch.Generator().manual_seed(0))]


def new_task() -> Table:
    metrics = {"acc": Metric("acc", "", "higher")}
    return Table(CELLS, X, {"acc": SHIFTED}, metrics)


def source(name: str, values: torch.Tensor) -> SourceTask:
    return SourceTask(name, CELLS, X[::5], {"acc": values[::5]})


@pytest.fixture(scope="module")
def moved(
    tmp_path_factory: pytest.TempPathFactory,
) -> tuple[vitruvius.verbs.transfer.TransferResult, Path]:
    folder = tmp_path_factory.mktemp("transfer") / "moved"
    result = transfer(
        data=new_task(),
        sources=[source("alike", PARAMS), source("shuffled", WRONG)],
        labels=12,
        search=3,
        n=5,
        out=folder,
    )
    return result, folder


@pytest.mark.slow
def test_a_few_labels_and_an_earlier_task_find_what_is_good(moved) -> None:
    result, _ = moved
    found = [entry.measured["acc"] for entry in result.sampled.samples]
    assert len(found) == 5
    assert min(found) >= float(SHIFTED.quantile(0.8))
    labelled = {entry["architecture"] for entry in result.summary["labelled"]}
    assert len(labelled) == result.summary["labels"] == 15
    assert not labelled & {str(entry.architecture) for entry in result.sampled.samples}
    best = max(entry["metrics"]["acc"] for entry in result.summary["labelled"])
    assert best >= float(SHIFTED.quantile(0.99))


@pytest.mark.slow
def test_a_shuffled_table_is_not_believed(moved) -> None:
    weights = moved[0].summary["believed"]["acc"]["weights"]
    assert weights["shuffled"] == 0
    assert sum(weights.values()) == pytest.approx(1)


@pytest.mark.slow
def test_what_is_saved_is_a_generator_like_any_other(moved) -> None:
    """It reloads to the same weights, proposes what is good, and samples and searches."""
    result, folder = moved
    again = GraphDiffusion.from_pretrained(folder)
    for name, weight in result.generator.denoiser.state_dict().items():
        assert torch.equal(weight, again.denoiser.state_dict()[name]), name
    x = again.propose(CELLS, 200, seed=0).x
    proposed = new_task().values(x)["acc"]
    assert float(proposed.median()) > float(SHIFTED.quantile(0.7))
    sampled = vitruvius.sample(CELLS, target="params<=1M", generator=str(folder), n=3)
    assert sampled.summary["hit_rate"] == 1
    found = vitruvius.search(
        CELLS, evaluator=new_task(), maximize="acc", budget=6, method=f"bo:generator={folder}"
    )
    assert len(found.trials) == 6
    summary = json.loads((folder / "transfer.json").read_text())
    assert summary["sources"] == ["alike", "shuffled"]
    card = (folder / "README.md").read_text()
    assert "alike" in card
    assert "Labels of this task: 15" in card
    assert (folder / "candidates" / "contact_sheet.svg").exists()


@pytest.mark.slow
def test_an_interrupted_transfer_goes_on_and_ends_the_same(
    moved, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    result, _ = moved
    truth = new_task()
    evaluate, left = truth.evaluate, [7]

    def stop(*arguments, **options):
        left[0] -= 1
        if not left[0]:
            raise KeyboardInterrupt
        return evaluate(*arguments, **options)

    given = {
        "data": truth,
        "sources": [source("alike", PARAMS), source("shuffled", WRONG)],
        "labels": 12,
        "search": 3,
        "n": 5,
        "out": tmp_path / "moved",
    }
    monkeypatch.setattr(truth, "evaluate", stop)
    with pytest.raises(KeyboardInterrupt):
        transfer(**given)
    monkeypatch.undo()
    again = transfer(**given)
    assert again.summary["labelled"] == result.summary["labelled"]
    for name, weight in result.generator.denoiser.state_dict().items():
        assert torch.equal(weight, again.generator.denoiser.state_dict()[name]), name


@pytest.mark.slow
def test_the_command_takes_a_raw_graph_and_its_labels_from_elsewhere(tmp_path: Path) -> None:
    """A small random graph says which space is meant; labels come from Cora's table."""
    chance = np.random.default_rng(0)
    np.savez(
        tmp_path / "mine.npz",
        edges=chance.integers(0, 300, (2, 900)),
        x=chance.random((300, 20)),
        y=chance.integers(0, 4, 300),
    )
    out = tmp_path / "moved"
    arguments = ["transfer", "--data", str(tmp_path / "mine.npz"), "--source", "citeseer"]
    arguments += ["--evaluator", "cora", "--labels", "4", "-n", "2", "--format", "json"]
    done = CliRunner().invoke(app, [*arguments, "--out", str(out)])
    assert done.exit_code == 0, done.output
    printed = json.loads(done.stdout)
    assert printed["transfer"]["space"] == "nas-bench-graph"
    size = printed["transfer"]["description"]["values"]["log nodes"]
    assert size == pytest.approx(np.log(300))
    assert printed["transfer"]["labels"] == 4
    weights = printed["transfer"]["believed"]["valid_perf"]["weights"]
    assert set(weights) == {"citeseer"}
    measured = [entry["measured"]["valid_perf"] for entry in printed["architectures"]]
    assert len(measured) == 2
    assert GraphDiffusion.from_pretrained(out).name.startswith("nas-bench-graph")


def test_no_shipped_generator_starts_from_labels_of_the_new_task() -> None:
    graphs = space("nas-bench-graph")
    assert base_generator(graphs, BUILTIN, "cora").tasks == ()
    assert "cora" in base_generator(graphs, BUILTIN, "photo").tasks
    assert "photo" not in base_generator(graphs, BUILTIN, "photo").tasks


def test_mistakes_are_told() -> None:
    truth = new_task()
    with pytest.raises(UsageError, match="no earlier task"):
        transfer(data=truth, sources=[])
    with pytest.raises(UsageError, match="must not be negative"):
        transfer(data=truth, labels=-1)
    with pytest.raises(UsageError, match="graph diffusion"):
        transfer(data=truth, sources=[source("alike", PARAMS)], generator="uniform")
    with pytest.raises(UsageError, match="No space knows"):
        transfer(data="nothing-known")
    shy = SourceTask("other", CELLS, X[:9], {"latency": PARAMS[:9]})
    with pytest.raises(UsageError, match="share no metric"):
        transfer(data=truth, sources=[source("alike", PARAMS), shy])
