import json
from pathlib import Path

import pytest
import torch

from vitruvius.generators import GraphDiffusion, pretrain, recipe
from vitruvius.generators.recipe import hold_out_split
from vitruvius.spaces import Space, space


def run(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> None:
    threads = str(torch.get_num_threads())
    monkeypatch.setattr("sys.argv", ["pretrain", "--threads", threads, *arguments])
    pretrain.main()


def test_halves_share_nothing_and_miss_nothing(cells: Space) -> None:
    train, held_out = hold_out_split(cells)
    assert len(train) == len(held_out) == 3233
    assert len(torch.cat([train, held_out]).unique(dim=0)) == 6466
    assert torch.equal(hold_out_split(cells)[0], train)
    assert not torch.equal(hold_out_split(cells, 1)[0], train)


def test_large_spaces_are_drawn_and_reach_their_tails(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (pretrain, recipe):
        monkeypatch.setattr(module, "LARGE", 500)
    nets = space("mobilenetv3")
    source = pretrain.shipped_source(nets)
    assert source.rows.shape == (500, 46)
    assert source.tails is not None
    assert source.tails.shape == (500, 46)
    deviation, wide = (
        nets.statistics(x)["params"].log().std() for x in (source.rows, source.tails)
    )
    assert wide > 1.5 * deviation


def test_a_trained_folder_is_complete(
    cells: Space, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(pretrain.RECIPES, "nasbench201", 2)
    run(monkeypatch, "nasbench201", "--out", str(tmp_path), "--seed", "5")
    folder = tmp_path / "nasbench201"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["nasbench201"]  # no checkpoint
    details = json.loads((folder / "training.json").read_text())
    assert details["spaces"] == ["nasbench201"]
    assert (details["steps"], details["seed"]) == (2, 5)
    assert details["training_architectures"] == {"nasbench201": 3233}
    assert "trained for 2 steps with seed 5" in (folder / "README.md").read_text().lower()
    generator = GraphDiffusion.from_pretrained(folder)
    train, held_out = hold_out_split(cells, 5)
    assert generator.seen(cells, train).all()
    assert not generator.seen(cells, held_out).any()
    assert generator.propose(cells, 3, seed=0).valid.all()


@pytest.mark.parametrize("name", ["nas-bench-graph", "nasbench201"])
def test_shipped_generators_know_their_spaces(name: str) -> None:
    generator = GraphDiffusion.from_pretrained(Path(pretrain.__file__).parent / "pretrained" / name)
    served = space(name)
    found = generator.propose(served, 200, seed=0)
    assert found.valid.double().mean() > 0.95
    x = found.x[found.valid]
    assert len(set(served.keys(x))) > 0.9 * len(x)
    # It has seen half of the space, and prefers that half but little.
    assert 0.3 < float(generator.seen(served, x).double().mean()) < 0.8
