"""NAO as a generator."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from vitruvius import sample
from vitruvius.core.errors import CheckpointError, OutputError, UnknownNameError, UsageError
from vitruvius.generators import ClassifierFree, Generator, Gradient, Guidance, Resampling, load
from vitruvius.generators.nao import NAO, train_nao
from vitruvius.spaces import Space, space

WEIGHTS = Path("network") / "diffusion_pytorch_model.safetensors"


@pytest.fixture(scope="module")
def trained(cells: Space) -> NAO:
    return train_nao(cells, cells.enumerate()[::2], steps=150, width=32, show=False)


@pytest.fixture(scope="module")
def folder(trained: NAO, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("nao") / "saved"
    trained.save_pretrained(path)
    return path


@pytest.fixture
def copy(folder: Path, tmp_path: Path) -> Path:
    shutil.copytree(folder, tmp_path / "copy")
    return tmp_path / "copy"


def small(cells: Space) -> Callable[[Tensor], Tensor]:
    return lambda x: -cells.statistics(x)["params"] / 1e4


# -- proposals ----------------------------------------------------------------------------------


def test_it_is_a_generator(cells: Space, trained: NAO) -> None:
    assert isinstance(trained, Generator)
    proposals = trained.propose(cells, 1000, batch_size=300, seed=0)
    assert proposals.x.shape == (1000, 6)
    assert bool(proposals.valid.all())
    # Uniform draws would give 926 distinct ones.
    assert len(cells.hashes(proposals.x).unique()) > 850
    seen = trained.seen(cells, proposals.x)
    assert seen is not None
    assert 0.35 < float(seen.double().mean()) < 0.65


def test_the_same_seed_gives_the_same(cells: Space, trained: NAO) -> None:
    torch.manual_seed(0)
    before = torch.get_rng_state()
    for guidance in (None, Guidance(resampling=Resampling(small(cells)))):
        one, two, other = (
            trained.propose(cells, 24, guidance=guidance, seed=seed).x for seed in (0, 0, 1)
        )
        assert torch.equal(one, two)
        assert not torch.equal(one, other)
    assert torch.equal(torch.get_rng_state(), before)


def test_seen_is_what_it_was_trained_on(cells: Space, trained: NAO) -> None:
    rows = cells.enumerate()
    for part, expected in ((rows[::2], True), (rows[1::2], False)):
        seen = trained.seen(cells, cells.shuffle(part, 0))
        assert seen is not None
        assert bool((seen == expected).all())


def test_resampling_steers(cells: Space, trained: NAO) -> None:
    value = small(cells)
    free = trained.propose(cells, 120, seed=0).x
    guided = trained.propose(cells, 120, guidance=Guidance(resampling=Resampling(value)), seed=0)
    assert bool(guided.valid.all())
    last = guided.x[-30:]
    assert float(value(last).mean()) > float(value(free).quantile(0.9))
    assert trained.tally.seeds > 0
    assert trained.tally.unmoved < trained.tally.seeds


def test_a_gradient_steers(cells: Space, trained: NAO) -> None:
    """Towards the last choice, average pooling."""
    guidance = Guidance(gradient=Gradient(lambda p: p[..., -1].sum(1)))
    free = trained.propose(cells, 40, seed=0).x
    guided = trained.propose(cells, 40, guidance=guidance, steps=3, seed=0).x
    assert float((guided == 4).double().mean()) > 0.2 + float((free == 4).double().mean())


def test_values_may_be_hopeless(cells: Space, trained: NAO) -> None:
    def hopeless(x: Tensor) -> Tensor:
        return torch.full((len(x),), -torch.inf, dtype=torch.float64)

    guidance = Guidance(resampling=Resampling(hopeless))
    assert trained.propose(cells, 12, guidance=guidance, seed=0).x.shape == (12, 6)


def test_targets_are_met(cells: Space, folder: Path) -> None:
    result = sample(cells, target="params<=300k", n=5, generator=str(folder))
    assert result.summary["hit_rate"] == 1.0
    assert result.summary["guidance"] == "resampling"
    assert result.summary["generator"] == "nasbench201 nao"


def test_constraints_are_obeyed() -> None:
    target = space("nasbench101")
    generator = train_nao(target, target.sample(500, 0), steps=5, width=8, show=False)
    guidance = Guidance(resampling=Resampling(lambda x: x.sum(1).double(), rounds=2))
    assert bool(generator.propose(target, 30, guidance=guidance, seed=0).valid.all())


@pytest.mark.parametrize("wrong", [{"n": 0}, {"n": 1, "steps": 0}, {"n": 1, "batch_size": 0}])
def test_numbers_below_one(cells: Space, trained: NAO, wrong: dict[str, int]) -> None:
    with pytest.raises(UsageError, match="at least 1"):
        trained.propose(cells, **wrong)


def test_conditions_are_refused(cells: Space, trained: NAO) -> None:
    guidance = Guidance(classifier_free=ClassifierFree(lambda n, generator: {}))
    with pytest.raises(UsageError, match="no classifier-free guidance"):
        trained.propose(cells, 3, guidance=guidance)


def test_other_spaces_are_refused(trained: NAO) -> None:
    with pytest.raises(UnknownNameError, match="nasbench201"):
        trained.propose(space("nas-bench-graph"), 3)


# -- folders ------------------------------------------------------------------------------------


def test_saved_and_loaded_it_proposes_the_same(cells: Space, trained: NAO, folder: Path) -> None:
    again = load(str(folder))
    assert isinstance(again, NAO)
    for name, weight in trained.network.state_dict().items():
        assert torch.equal(weight, again.network.state_dict()[name])
    assert torch.equal(again.propose(cells, 50, seed=3).x, trained.propose(cells, 50, seed=3).x)


def test_training_writes_a_card(cells: Space, tmp_path: Path) -> None:
    train_nao(cells, cells.enumerate(), tmp_path / "new", steps=1, width=8, show=False)
    assert (tmp_path / "new" / "README.md").read_text().startswith("---")
    assert json.loads((tmp_path / "new" / "training.json").read_text())["steps"] == 1
    assert not list(tmp_path.glob(".*checkpoint"))
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError):
        train_nao(cells, cells.enumerate(), tmp_path / "file" / "new", steps=1)


@pytest.mark.parametrize("share", [0.0, 0.01, 0.5, 0.99])
def test_truncated_weights(copy: Path, share: float) -> None:
    path = copy / WEIGHTS
    path.write_bytes(path.read_bytes()[: int(share * path.stat().st_size)])
    with pytest.raises(CheckpointError, match="cannot be read"):
        NAO.from_pretrained(copy)


@pytest.mark.parametrize("change", ["missing", "foreign", "reshaped"])
def test_weights_that_do_not_fit(copy: Path, change: str) -> None:
    tensors = load_file(copy / WEIGHTS)
    if change == "missing":
        del tensors["mean"]
    elif change == "foreign":
        tensors["extra"] = torch.zeros(1)
    else:
        tensors["mean"] = torch.zeros(1)
    save_file(tensors, copy / WEIGHTS)
    with pytest.raises(CheckpointError, match="cannot be read"):
        NAO.from_pretrained(copy)


@pytest.mark.parametrize(
    "change",
    [
        lambda config: config.update(_class_name="UNet2DModel"),
        lambda config: config.pop("schema"),
        lambda config: config.update(schema=5),
        lambda config: config.update(width=-4),
        lambda config: config.update(layers=1),
        lambda config: config.update(seen_count=-1),
        lambda config: config["schema"]["variables"][0].update(kind="colour"),
        lambda config: config["schema"].update(variables=[]),
    ],
)
def test_configurations_that_do_not_fit(copy: Path, change: Callable[[dict], object]) -> None:  # type: ignore[type-arg]
    path = copy / "network" / "config.json"
    config = json.loads(path.read_text())
    change(config)
    path.write_text(json.dumps(config))
    with pytest.raises(CheckpointError):
        NAO.from_pretrained(copy)


@pytest.mark.parametrize("name", ["model_index.json", "network/config.json"])
@pytest.mark.parametrize("content", [b"", b"{", b"\xff\xfe\x00", b"[]"])
def test_files_that_are_no_json_object(copy: Path, name: str, content: bytes) -> None:
    (copy / name).write_bytes(content)
    with pytest.raises(CheckpointError):
        NAO.from_pretrained(copy)


def test_foreign_and_missing_folders(tmp_path: Path, copy: Path) -> None:
    for path in (tmp_path, tmp_path / "missing"):
        with pytest.raises(CheckpointError):
            NAO.from_pretrained(path)
    (copy / WEIGHTS).unlink()
    with pytest.raises(CheckpointError, match="lacks the network"):
        load(str(copy))


def test_schemas_that_changed_since(cells: Space, copy: Path) -> None:
    path = copy / "network" / "config.json"
    config = json.loads(path.read_text())
    config["schema"]["variables"][0]["name"] = "op_0_9"
    path.write_text(json.dumps(config))
    generator = NAO.from_pretrained(copy)
    with pytest.raises(CheckpointError, match="another version of nasbench201"):
        generator.propose(cells, 1)
