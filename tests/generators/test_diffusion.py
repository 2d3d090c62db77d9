import json
import pickle
import shutil
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from safetensors.torch import load_file, save_file

from vitruvius.core.errors import CheckpointError, UnknownNameError, UsageError
from vitruvius.generators import GraphDiffusion, Source, new_denoiser
from vitruvius.spaces import DeclaredSpace, Space, space

WEIGHTS = Path("denoiser") / "diffusion_pytorch_model.safetensors"


@pytest.fixture(scope="module")
def saved(trained: GraphDiffusion, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("generators") / "trained"
    trained.save_pretrained(folder)
    return folder


@pytest.fixture
def copy(saved: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(saved, tmp_path / "copy"))


# -- proposing ----------------------------------------------------------------------------------


def test_renoising_changes_a_share_of_the_variables(trained: GraphDiffusion) -> None:
    nets = space("nasbench201")
    x = nets.sample(300, 0)
    slightly, wholly = (
        trained.renoise(nets, x, share=share, steps=6, seed=0) for share in (1 / 6, 1.0)
    )
    assert bool(slightly.valid.all())
    # One of six variables is drawn anew, of an encoding that computes the same.
    near = torch.cat([nets.neighbours(row) for row in x])
    known = torch.cat([nets.hashes(near), nets.hashes(x)])
    assert float(torch.isin(nets.hashes(slightly.x), known).double().mean()) > 0.95
    kept = [float((made.x == x).double().mean()) for made in (slightly, wholly)]
    assert kept[0] > kept[1] + 0.1
    again = trained.renoise(nets, x, share=1 / 6, steps=6, seed=0)
    assert torch.equal(again.x, slightly.x)
    with pytest.raises(UsageError, match="above 0 and at most 1, got 0"):
        trained.renoise(nets, x, share=0.0)


def test_seeds_repeat(cells: Space, trained: GraphDiffusion) -> None:
    a, b, c = (trained.propose(cells, 30, seed=seed).x for seed in (0, 0, 1))
    assert torch.equal(a, b)
    assert not torch.equal(a, c)


def test_generators_advance(cells: Space, trained: GraphDiffusion) -> None:
    generator = torch.Generator().manual_seed(0)
    a, b = (trained.propose(cells, 30, seed=generator).x for _ in range(2))
    assert not torch.equal(a, b)


def test_global_random_state_is_left_alone(cells: Space, trained: GraphDiffusion) -> None:
    before = torch.get_rng_state()
    trained.propose(cells, 5, seed=0)
    assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.parametrize(("n", "batch"), [(1, 256), (7, 3), (8, 4), (10, 100)])
@pytest.mark.parametrize("steps", [1, 4, 100])
def test_as_many_as_asked_for(
    cells: Space, trained: GraphDiffusion, n: int, batch: int, steps: int
) -> None:
    found = trained.propose(cells, n, batch_size=batch, steps=steps, seed=0)
    assert found.x.shape == (n, 6)
    assert found.x.dtype == torch.long
    assert found.valid.all()
    assert torch.equal(found.valid, cells.is_valid(found.x))


@pytest.mark.parametrize("argument", ["n", "steps", "batch_size"])
def test_nothing_to_propose(cells: Space, trained: GraphDiffusion, argument: str) -> None:
    with pytest.raises(UsageError, match=f"`{argument}` must be at least 1, got 0"):
        trained.propose(cells, **({"n": 3} | {argument: 0}))


def test_proposals_are_ordinary_tensors(cells: Space, trained: GraphDiffusion) -> None:
    """Not inference tensors, which can neither be changed nor learnt from."""
    x = trained.propose(cells, 4, seed=0).x
    x[0] = 0
    trained.denoiser(x, torch.zeros(4)).sum().backward()
    trained.denoiser.zero_grad()


@pytest.mark.parametrize("process", ["absorbing", "uniform"])
@pytest.mark.parametrize("name", ["nas-bench-graph", "mobilenetv3"])
def test_untrained_networks_stay_in_range(name: str, process: str) -> None:
    served = space(name)
    source = Source(served, served.sample(50, 0))
    generator = GraphDiffusion.of(new_denoiser([source], width=16, layers=1, process=process))
    x = generator.propose(served, 60, steps=3, seed=0).x
    assert served.in_range(x).all()
    assert torch.equal(generator.propose(served, 60, steps=3, seed=0).x, x)
    assert len(x.unique(dim=0)) > 50


def test_constraints_are_kept_while_decoding() -> None:
    cells = space("nasbench101")
    source = Source(cells, cells.sample(50, 0))
    generator = GraphDiffusion.of(new_denoiser([source], width=16, layers=1))
    assert generator.propose(cells, 50, steps=4, seed=0).valid.all()


def test_spaces_it_was_not_trained_on(trained: GraphDiffusion) -> None:
    with pytest.raises(UnknownNameError, match="Unknown space for this generator 'nasbench101'"):
        trained.propose(space("nasbench101"), 1)


def test_spaces_that_changed_since(toy: Space) -> None:
    generator = GraphDiffusion.of(new_denoiser([Source(toy, toy.enumerate())], width=16))
    changed = DeclaredSpace(
        {
            "name": "toy",
            "nodes": ["in"],
            "variables": [{"name": "op_1", "choices": ["x"], "kind": "op", "place": [0]}],
        }
    )
    with pytest.raises(CheckpointError, match="another version of toy"):
        generator.propose(changed, 1)


def test_without_record_nothing_is_said_to_be_new(cells: Space) -> None:
    denoiser = new_denoiser([Source(cells, cells.sample(10, 0))], width=16, layers=1)
    config = dict(denoiser.config) | {"seen_count": 0}
    forgetful = GraphDiffusion.of(type(denoiser).from_config(config))
    assert forgetful.seen(cells, cells.sample(3, 0)) is None


# -- saving and loading -------------------------------------------------------------------------


def test_round_trip(cells: Space, trained: GraphDiffusion, saved: Path) -> None:
    again = GraphDiffusion.from_pretrained(saved)
    for name, tensor in trained.denoiser.state_dict().items():
        assert torch.equal(again.denoiser.state_dict()[name], tensor)
    for steps in (2, 16):
        ours = trained.propose(cells, 40, steps=steps, seed=3).x
        assert torch.equal(again.propose(cells, 40, steps=steps, seed=3).x, ours)
    every = cells.enumerate()
    assert torch.equal(again.seen(cells, every), trained.seen(cells, every))
    assert again.conditions == trained.conditions == ("params", "macs", "depth")
    assert not again.denoiser.training


def test_round_trip_of_the_uniform_process(toy: Space, tmp_path: Path) -> None:
    source = Source(toy, toy.enumerate())
    generator = GraphDiffusion.of(new_denoiser([source], width=16, process="uniform"))
    generator.save_pretrained(tmp_path)
    again = GraphDiffusion.from_pretrained(tmp_path)
    assert type(again.scheduler) is type(generator.scheduler)
    assert torch.equal(again.propose(toy, 30, seed=0).x, generator.propose(toy, 30, seed=0).x)


def test_only_json_safetensors_and_a_card_are_written(saved: Path) -> None:
    suffixes = {path.suffix for path in saved.rglob("*") if path.is_file()}
    assert suffixes == {".json", ".md", ".safetensors"}


def edit(path: Path, change: Callable[[dict], object]) -> None:  # type: ignore[type-arg]
    data = json.loads(path.read_text())
    replacement = change(data)
    path.write_text(json.dumps(data if replacement is None else replacement))


def test_missing_folders(tmp_path: Path) -> None:
    for missing in (tmp_path / "missing", "./missing", "missing.d/generator.safetensors"):
        with pytest.raises(CheckpointError, match="There is no generator at"):
            GraphDiffusion.from_pretrained(missing)


def test_missing_repositories() -> None:
    with pytest.raises(CheckpointError, match="here or on the Hub"):
        GraphDiffusion.from_pretrained("nobody/never-trained", local_files_only=True)


def test_empty_folders(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match=r"holds no model_index\.json"):
        GraphDiffusion.from_pretrained(tmp_path)


@pytest.mark.parametrize("share", [0.0, 0.01, 0.5, 0.99])
def test_truncated_weights(copy: Path, share: float) -> None:
    path = copy / WEIGHTS
    path.write_bytes(path.read_bytes()[: int(share * path.stat().st_size)])
    with pytest.raises(CheckpointError, match="cannot be read"):
        GraphDiffusion.from_pretrained(copy)


@pytest.mark.parametrize("change", ["missing", "foreign", "reshaped"])
def test_weights_that_do_not_fit(copy: Path, change: str) -> None:
    tensors = load_file(copy / WEIGHTS)
    if change == "missing":
        del tensors["bias_out.weight"]
    elif change == "foreign":
        tensors["extra"] = torch.zeros(1)
    else:
        tensors["bias_out.weight"] = torch.zeros(1, 1)
    save_file(tensors, copy / WEIGHTS)
    with pytest.raises(CheckpointError, match="cannot be read"):
        GraphDiffusion.from_pretrained(copy)


class Malicious:
    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> tuple[object, tuple[object, ...]]:
        return Path.touch, (self.mark,)


@pytest.mark.parametrize("suffix", ["bin", "pt", "ckpt", "safetensors"])
def test_pickles_never_run(copy: Path, tmp_path: Path, suffix: str) -> None:
    (copy / WEIGHTS).unlink()
    mark = tmp_path / "ran"
    content = pickle.dumps({"words.weight": Malicious(mark)})
    (copy / WEIGHTS).with_suffix(f".{suffix}").write_bytes(content)
    (copy / "denoiser" / f"pytorch_model.{suffix}").write_bytes(content)
    with pytest.raises(CheckpointError):
        GraphDiffusion.from_pretrained(copy)
    assert not mark.exists()
    pickle.loads(content)  # it would have
    assert mark.exists()


@pytest.mark.parametrize(
    "change",
    [
        lambda index: index.update(_class_name="StableDiffusionPipeline"),
        lambda index: index.update(_class_name=["GraphDiffusion"]),
        lambda index: index.update(scheduler=["diffusers", "DDPMScheduler"]),
        lambda index: index.update(scheduler=["os", "AbsorbingScheduler"]),
        lambda index: index.update(scheduler="AbsorbingScheduler"),
        lambda index: index.update(scheduler=5),
        lambda index: index.update(scheduler=[["AbsorbingScheduler"]]),
        lambda index: index.update(scheduler=None),
        lambda index: index.update(denoiser=["subprocess", "Popen"]),
        lambda index: index.update(extra=["os", "system"]),
        lambda index: index.pop("denoiser") and None,
        lambda index: {},
    ],
)
def test_indices_of_other_classes(copy: Path, change: Callable[[dict], object]) -> None:  # type: ignore[type-arg]
    edit(copy / "model_index.json", change)
    with pytest.raises(CheckpointError, match="holds no GraphDiffusion generator"):
        GraphDiffusion.from_pretrained(copy)


@pytest.mark.parametrize(
    "change",
    [
        lambda config: config.update(_class_name="UNet2DModel"),
        lambda config: config.pop("schemas") and None,
        lambda config: config.update(schemas=5),
        lambda config: config.update(schemas=["abc"]),
        lambda config: config.update(schemas=[{"space": "nasbench201", "variables": []}]),
        lambda config: config["schemas"][0]["variables"][0].update(kind="colour"),
        lambda config: config["schemas"][0]["variables"][0].update(place=[500, 600]),
        lambda config: config.update(width=-4),
        lambda config: config.update(width="wide"),
        lambda config: config.update(heads=0),
        lambda config: config.update(layers=1),
        lambda config: config.update(seen_count=-1),
    ],
)
def test_configurations_that_do_not_fit(copy: Path, change: Callable[[dict], object]) -> None:  # type: ignore[type-arg]
    edit(copy / "denoiser" / "config.json", change)
    with pytest.raises(CheckpointError):
        GraphDiffusion.from_pretrained(copy)


@pytest.mark.parametrize(
    "name",
    ["model_index.json", "denoiser/config.json", "scheduler/scheduler_config.json"],
)
@pytest.mark.parametrize("content", [b"", b"{", b"\xff\xfe\x00", b"[]", b"5"])
def test_files_that_are_no_json_object(copy: Path, name: str, content: bytes) -> None:
    (copy / name).write_bytes(content)
    with pytest.raises(CheckpointError):
        GraphDiffusion.from_pretrained(copy)


@pytest.mark.parametrize("name", ["denoiser", "scheduler"])
def test_folders_that_are_missing(copy: Path, name: str) -> None:
    shutil.rmtree(copy / name)
    with pytest.raises(CheckpointError):
        GraphDiffusion.from_pretrained(copy)


def test_schemas_that_changed_since(cells: Space, copy: Path) -> None:
    """It loads, for the vocabulary is as large as before, but generates nothing."""
    edit(
        copy / "denoiser" / "config.json",
        lambda config: config["schemas"][0]["variables"][0].update(name="op_0_9"),
    )
    generator = GraphDiffusion.from_pretrained(copy)
    with pytest.raises(CheckpointError, match="another version of nasbench201"):
        generator.propose(cells, 1)


# -- trajectories and cards ---------------------------------------------------------------------


def test_a_trajectory_reveals_one_variable_after_the_other(
    cells: Space, trained: GraphDiffusion
) -> None:
    states = trained.trajectory(cells, steps=3, seed=0)
    known = [int((state >= 0).sum()) for state in states]
    assert known == [0, 2, 4, 6]
    for before, after in pairwise(states):
        assert bool((after[before >= 0] == before[before >= 0]).all())
    assert bool(cells.is_valid(states[-1][None]).all())
    assert torch.equal(states[-1], trained.trajectory(cells, steps=3, seed=0)[-1])


def test_a_card_is_written_and_an_own_one_kept(trained: GraphDiffusion, tmp_path: Path) -> None:
    trained.save_pretrained(tmp_path)
    card = tmp_path / "README.md"
    assert "library_name: vitruvius" in card.read_text()
    assert "nasbench201" in card.read_text()
    card.write_text("mine")
    trained.save_pretrained(tmp_path)
    assert card.read_text() == "mine"


def test_the_hub_is_sent_the_card(trained: GraphDiffusion, monkeypatch: pytest.MonkeyPatch) -> None:
    from vitruvius.generators import saved_pipeline

    sent: dict[str, str] = {}

    def upload(repo_id: str, folder_path: str) -> SimpleNamespace:
        sent.update({p.name: p.read_text() for p in Path(folder_path).iterdir() if p.is_file()})
        sent["to"] = repo_id
        return SimpleNamespace(commit_url="https://hub/commit")

    monkeypatch.setattr(
        saved_pipeline, "create_repo", lambda name, **_: SimpleNamespace(repo_id=f"whole/{name}")
    )
    monkeypatch.setattr(saved_pipeline, "upload_folder", upload)
    assert trained.push_to_hub("name") == "https://hub/commit"
    assert sent["to"] == "whole/name"
    assert "Graph diffusion for nasbench201" in sent["README.md"]
    assert "model_index.json" in sent
