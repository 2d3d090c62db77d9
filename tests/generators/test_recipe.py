"""What generators learn from, and training them into a folder."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

from vitruvius.core.errors import OutputError, UnknownNameError
from vitruvius.generators import load
from vitruvius.generators.recipe import hold_out_split, source_of, train_generator
from vitruvius.spaces import space

CELLS = space("nasbench201")


def test_halves_are_disjoint_and_make_up_the_space() -> None:
    train, held = hold_out_split(CELLS)
    hashes = CELLS.hashes(torch.cat([train, held]))
    assert len(hashes.unique()) == CELLS.architecture_count == len(train) + len(held)
    assert torch.equal(train, hold_out_split(CELLS)[0])
    assert not torch.equal(train, hold_out_split(CELLS, seed=1)[0])


@pytest.mark.slow
def test_a_large_space_gets_tails_that_reach_further_than_uniform_draws() -> None:
    nets = space("mobilenetv3")
    source = source_of(nets)
    assert source.tails is not None
    uniform, tails = (
        nets.statistics(rows[:5000])["params"] for rows in (source.rows, source.tails)
    )
    assert float(tails.std()) > 1.5 * float(uniform.std())
    assert source_of(CELLS).tails is None


def test_training_ends_in_a_folder_that_loads(tmp_path: Path) -> None:
    rows = CELLS.sample(20, 0)
    train_generator([source_of(CELLS, rows)], str(tmp_path / "mine"), steps=2)
    details = json.loads((tmp_path / "mine" / "training.json").read_text())
    assert details["training_architectures"] == {"nasbench201": 20}
    assert "nasbench201" in (tmp_path / "mine" / "README.md").read_text()
    seen = load(str(tmp_path / "mine")).seen(CELLS, rows)
    assert seen is not None
    assert bool(seen.all())
    assert [path.name for path in tmp_path.iterdir()] == ["mine"]


def test_mistakes_are_named(tmp_path: Path) -> None:
    source = source_of(CELLS, CELLS.sample(5, 0))
    with pytest.raises(UnknownNameError, match="alchemy"):
        train_generator([source], tmp_path / "x", steps=1, process="alchemy")
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match="Cannot write"):
        train_generator([source], tmp_path / "file" / "x", steps=1)
