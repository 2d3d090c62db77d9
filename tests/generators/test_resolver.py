"""Generators by name."""

from __future__ import annotations

from pathlib import Path

import pytest

from vitruvius import generators
from vitruvius.core.errors import CheckpointError, UnknownNameError
from vitruvius.generators import GraphDiffusion, Uniform, generator_for, load, shipped
from vitruvius.spaces import names, space


@pytest.mark.parametrize("name", [name for name in names() if space(name).buildable])
def test_a_generator_ships_for_every_space_that_ships(name: str) -> None:
    target = space(name)
    generator = generator_for(target)
    assert isinstance(generator, GraphDiffusion)
    proposals = generator.propose(target, 64, seed=0)
    assert bool(proposals.valid.all())
    # As many as of uniform draws, nearly.
    count = target.architecture_count
    ideal = count * (1 - (1 - 1 / count) ** 64) if count < 1e6 else 64
    assert len(target.hashes(proposals.x).unique()) > 0.6 * ideal
    assert {"params", "macs", "depth"} <= set(generator.conditions)


def test_what_ships_is_small_and_safe() -> None:
    folder = Path(str(generators.__file__)).parent / "pretrained"
    files = [file for file in folder.rglob("*") if file.is_file()]
    assert sum(file.stat().st_size for file in files) < 28e6
    assert {file.suffix for file in files} <= {".json", ".md", ".safetensors", ".py", ".pyc"}
    for name in shipped():
        assert (folder / name / "README.md").read_text().startswith("---")


def test_a_space_without_a_generator_is_drawn_uniformly() -> None:
    assert isinstance(generator_for(space("toy_recipe.yaml")), Uniform)
    assert isinstance(generator_for(space("nasbench201"), "uniform"), Uniform)


def test_mistakes_are_named(tmp_path: Path) -> None:
    with pytest.raises(UnknownNameError, match="nasbench201"):
        load("nasbench")
    with pytest.raises(CheckpointError):
        load(str(tmp_path))
