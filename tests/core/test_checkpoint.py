"""Checkpoints of trainings; `Trainer` and `train_autoencoder` show that they go on as if whole."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from vitruvius.core.checkpoint import Checkpoint
from vitruvius.core.errors import CheckpointError, OutputError

SETTINGS = {"seed": 3, "steps": 9}


def network(seed: int = 0, width: int = 4) -> tuple[nn.Linear, torch.optim.AdamW]:
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        model = nn.Linear(width, 1)
    return model, torch.optim.AdamW(model.parameters(), lr=0.1)


def step(model: nn.Linear, optimizer: torch.optim.AdamW) -> None:
    optimizer.zero_grad()
    model(torch.arange(4.0)).sum().backward()
    optimizer.step()


def weights(model: nn.Module) -> list[Tensor]:
    return [value.clone() for value in model.state_dict().values()]


@pytest.fixture
def kept(tmp_path: Path) -> Checkpoint:
    model, optimizer = network()
    step(model, optimizer)
    checkpoint = Checkpoint(tmp_path / "kept", SETTINGS)
    checkpoint.save(model, optimizer, [0.5], {"extra": torch.tensor([7, 8], dtype=torch.uint8)})
    return checkpoint


def test_what_was_kept_comes_back_and_the_next_step_is_the_same(kept: Checkpoint) -> None:
    (first, one), (second, two) = network(), network(seed=1)
    step(first, one)
    losses, more = kept.restore(second, two)
    assert losses == [0.5]
    assert more["extra"].tolist() == [7, 8]
    for model, optimizer in ((first, one), (second, two)):
        step(model, optimizer)
    for ours, theirs in zip(weights(first), weights(second), strict=True):
        assert torch.equal(ours, theirs)


def test_nothing_kept_changes_nothing(tmp_path: Path) -> None:
    model, optimizer = network()
    before = weights(model)
    assert Checkpoint(tmp_path, SETTINGS).restore(model, optimizer) == ([], {})
    for ours, theirs in zip(weights(model), before, strict=True):
        assert torch.equal(ours, theirs)


def test_only_the_last_is_left(kept: Checkpoint) -> None:
    kept.save(*network(), [0.5, 0.25])
    names = sorted(path.name for path in kept.folder.iterdir())
    assert names == ["state-2.safetensors", "state.json"]
    assert json.loads((kept.folder / "state.json").read_text()) == {
        "losses": [0.5, 0.25],
        **SETTINGS,
    }


def test_an_interruption_while_it_is_written_leaves_the_last(kept: Checkpoint) -> None:
    """The new weights are there under their final name, the new losses are not."""
    (kept.folder / "state-2.safetensors").write_bytes(b"half")
    (kept.folder / "next.json").write_text("{")
    model, optimizer = network(seed=1)
    assert kept.restore(model, optimizer)[0] == [0.5]


def test_other_settings_and_other_networks_are_refused(kept: Checkpoint) -> None:
    with pytest.raises(CheckpointError, match=r"another training: expected .*'seed': 4.*'seed': 3"):
        Checkpoint(kept.folder, {**SETTINGS, "seed": 4}).restore(*network())
    with pytest.raises(CheckpointError, match="same size"):
        kept.restore(*network(width=5))


@pytest.mark.parametrize("content", ["", "{", "[]", "{}", '{"losses": 3, "seed": 3, "steps": 9}'])
def test_damaged_ones_are_refused(kept: Checkpoint, content: str) -> None:
    (kept.folder / "state.json").write_text(content)
    with pytest.raises(CheckpointError, match="damaged"):
        kept.restore(*network())


def test_it_lies_beside_what_is_trained_until_that_is_done(tmp_path: Path) -> None:
    folder = Checkpoint.beside(tmp_path / "models" / "mine")
    assert folder == tmp_path / "models" / ".mine-checkpoint"
    assert (tmp_path / "models" / "mine").is_dir()
    Checkpoint(folder, SETTINGS).save(*network(), [])
    Checkpoint.remove(folder)
    assert [path.name for path in (tmp_path / "models").iterdir()] == ["mine"]
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match="Choose another folder"):
        Checkpoint.beside(tmp_path / "file")
