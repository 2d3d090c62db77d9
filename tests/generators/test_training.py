import json
from pathlib import Path

import pytest
import torch
from torch import Tensor

from vitruvius.core.errors import CheckpointError, UsageError
from vitruvius.generators import (
    ClassifierFree,
    GraphDiffusion,
    Guidance,
    Source,
    Trainer,
    new_denoiser,
)
from vitruvius.generators.denoiser import GraphDenoiser
from vitruvius.generators.training import denoising_loss, tail_sample
from vitruvius.spaces import Space, space


class StoppedError(Exception):
    pass


class Interrupted(Trainer):
    """Stops in the middle of a step, after the weights have moved."""

    stop = 0

    def _step(self, step: int) -> float:
        loss = super()._step(step)
        if step == self.stop:
            raise StoppedError
        return loss


def fresh(sources: list[Source], **options: object) -> GraphDenoiser:
    return new_denoiser(sources, width=16, layers=1, **options)  # type: ignore[arg-type]


def weights(denoiser: GraphDenoiser) -> list[Tensor]:
    return list(denoiser.state_dict().values())


@pytest.mark.parametrize("process", ["absorbing", "uniform", "continuous"])
@pytest.mark.parametrize("stop", [3, 7])
def test_resumed_training_ends_as_a_straight_run(
    source: Source, tmp_path: Path, process: str, stop: int
) -> None:
    options = {"steps": 10, "batch": 16, "seed": 3, "every": 2, "show": False}
    straight = fresh([source], process=process)
    losses = Trainer(straight, [source], **options).run()
    first = Interrupted(fresh([source], process=process), [source], checkpoint=tmp_path, **options)
    first.stop = stop
    with pytest.raises(StoppedError):
        first.run()
    resumed = fresh([source], process=process)
    with torch.no_grad():
        for parameter in resumed.parameters():  # its own start must not matter
            parameter.add_(1.0)
    again = Trainer(resumed, [source], checkpoint=tmp_path, **options).run()
    assert again == losses
    for ours, theirs in zip(weights(resumed), weights(straight), strict=True):
        assert torch.equal(ours, theirs)


def test_a_finished_training_is_not_repeated(source: Source, tmp_path: Path) -> None:
    options = {"steps": 4, "batch": 8, "every": 2, "show": False, "checkpoint": tmp_path}
    first, second = fresh([source]), fresh([source], seed=1)
    losses = Trainer(first, [source], **options).run()
    assert Trainer(second, [source], **options).run() == losses
    for ours, theirs in zip(weights(second), weights(first), strict=True):
        assert torch.equal(ours, theirs)
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "state-4.safetensors",
        "state.json",
    ]


@pytest.fixture
def checkpoint(source: Source, tmp_path: Path) -> Path:
    Trainer(
        fresh([source]), [source], steps=4, batch=8, every=2, show=False, checkpoint=tmp_path
    ).run()
    return tmp_path


@pytest.mark.parametrize("change", [{"seed": 1}, {"steps": 5}, {"batch": 9}])
def test_checkpoints_of_other_trainings(
    source: Source, checkpoint: Path, change: dict[str, int]
) -> None:
    options = {"steps": 4, "batch": 8} | change
    with pytest.raises(CheckpointError, match="another training"):
        Trainer(fresh([source]), [source], checkpoint=checkpoint, show=False, **options).run()


def test_checkpoints_of_other_networks(source: Source, checkpoint: Path) -> None:
    wider = new_denoiser([source], width=32, layers=1)
    with pytest.raises(CheckpointError, match="same size"):
        Trainer(wider, [source], steps=4, batch=8, checkpoint=checkpoint, show=False).run()


@pytest.mark.parametrize(
    ("name", "how"),
    [("state.json", "cut"), ("state-4.safetensors", "cut"), ("state-4.safetensors", "gone")],
)
def test_damaged_checkpoints(source: Source, checkpoint: Path, name: str, how: str) -> None:
    path = checkpoint / name
    if how == "cut":
        path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    else:
        path.unlink()
    with pytest.raises(CheckpointError, match="damaged"):
        Trainer(
            fresh([source]), [source], steps=4, batch=8, checkpoint=checkpoint, show=False
        ).run()


def test_checkpoints_hold_no_more_than_json_and_safetensors(checkpoint: Path) -> None:
    assert json.loads((checkpoint / "state.json").read_text())["steps"] == 4
    assert {path.suffix for path in checkpoint.iterdir()} == {".json", ".safetensors"}


def test_global_random_state_is_left_alone(source: Source) -> None:
    before = torch.get_rng_state()
    Trainer(fresh([source]), [source], steps=2, batch=8, show=False).run()
    assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.parametrize(("steps", "batch"), [(0, 8), (3, 0)])
def test_nothing_to_do(source: Source, steps: int, batch: int) -> None:
    with pytest.raises(UsageError, match="at least 1"):
        Trainer(fresh([source]), [source], steps=steps, batch=batch)


# -- what it learns -----------------------------------------------------------------------------


@pytest.mark.slow
def test_loss_starts_at_chance_and_falls_to_the_entropy(toy: Space) -> None:
    """Only rows whose two operations are equal, and whose edge follows the parent."""
    rows = toy.enumerate()
    rows = rows[(rows[:, 0] == rows[:, 1]) & (rows[:, 2] == rows[:, 3])]
    source = Source(toy, rows)
    denoiser = new_denoiser([source], width=32, layers=2)
    losses = Trainer(denoiser, [source], steps=300, batch=64, learning_rate=5e-3, show=False).run()
    chance = float(toy.choice_mask.sum(1).double().log().mean())
    assert losses[0] > 0.8 * chance
    # Any-order bound: all orders decode log 3 + log 2 nats, over four variables.
    entropy = float(torch.tensor(float(len(rows))).log()) / 4
    assert entropy == pytest.approx(0.448, abs=1e-3)
    assert sum(losses[-50:]) / 50 == pytest.approx(entropy, abs=0.12)
    x = GraphDiffusion.of(denoiser).propose(toy, 400, steps=4, seed=0).x
    known = ((x[:, None] == rows).all(2)).any(1)
    assert known.double().mean() > 0.95
    assert len(x[known].unique(dim=0)) == len(rows)


def test_loss_is_the_bound_by_hand(toy: Space) -> None:
    """A denoiser that knows nothing pays the logarithm of every choice set."""
    denoiser = fresh([Source(toy, toy.enumerate())])
    with torch.no_grad():
        denoiser.words_out.weight.zero_()
    x = toy.sample(20_000, 0)
    loss = denoising_loss(denoiser, x, None, torch.Generator().manual_seed(0))
    expected = float(toy.choice_mask.sum(1).double().log().mean())
    assert float(loss.detach()) == pytest.approx(expected, abs=0.01)


@pytest.mark.slow
def test_uniform_process_learns(toy: Space) -> None:
    rows = toy.enumerate()
    rows = rows[(rows[:, 0] == rows[:, 1]) & (rows[:, 2] == 0)]
    source = Source(toy, rows)
    denoiser = new_denoiser([source], width=32, layers=2, process="uniform")
    Trainer(denoiser, [source], steps=300, batch=64, learning_rate=5e-3, show=False).run()
    found = GraphDiffusion.of(denoiser).propose(toy, 400, steps=16, seed=0)
    assert found.valid.all()
    known = ((found.x[:, None] == rows).all(2)).any(1)
    assert known.double().mean() > 0.8


def test_two_spaces_at_once(cells: Space, toy: Space) -> None:
    sources = [Source(cells, cells.enumerate()[::10]), Source(toy, toy.enumerate()[:18])]
    denoiser = fresh(sources)
    losses = Trainer(denoiser, sources, steps=60, batch=32, learning_rate=1e-2, show=False).run()
    for number in (0, 1):
        mine = losses[number::2]
        assert sum(mine[-5:]) < 0.95 * sum(mine[:5])
    generator = GraphDiffusion.of(denoiser)
    for served in (cells, toy):
        found = generator.propose(served, 20, seed=0)
        assert found.x.shape == (20, len(served.variables))
        assert found.valid.all()
    assert generator.seen(toy, toy.enumerate()).tolist() == [True] * 18 + [False] * 18
    assert int(generator.seen(cells, cells.enumerate()).sum()) == len(sources[0].rows)


def test_conditions_move_the_mean(cells: Space, trained: GraphDiffusion) -> None:
    counts = cells.statistics(cells.enumerate())["params"].double()
    means = []
    for level in (0.1, 0.5, 0.9):
        value = float(counts.quantile(level))
        guide = ClassifierFree(lambda n, g, value=value: {"params": torch.full((n,), value)})
        x = trained.propose(cells, 200, guidance=Guidance(classifier_free=guide), seed=0).x
        means.append(float(cells.statistics(x)["params"].mean()))
        assert abs(means[-1] - value) < 0.5 * float(counts.std())
    assert means[0] < means[1] < means[2]


def test_stronger_guidance_is_stricter(cells: Space, trained: GraphDiffusion) -> None:
    deviation = []
    for scale in (0.0, 1.0, 2.0):
        guide = ClassifierFree(lambda n, g: {"params": torch.full((n,), 8e5)}, scale)
        x = trained.propose(cells, 300, guidance=Guidance(classifier_free=guide), seed=0).x
        deviation.append(float((cells.statistics(x)["params"] - 8e5).abs().mean()))
    assert deviation[0] > 1.5 * deviation[1]
    assert deviation[1] >= 0.9 * deviation[2]


def test_seen_marks_exactly_the_training_rows(
    cells: Space, source: Source, trained: GraphDiffusion
) -> None:
    every = cells.enumerate()
    marked = trained.seen(cells, every)
    assert torch.equal(marked.nonzero()[:, 0], torch.arange(0, len(every), 2))
    shuffled = cells.shuffle(every, 1)
    assert (shuffled != every).any()
    assert torch.equal(trained.seen(cells, shuffled), marked)


# -- sources ------------------------------------------------------------------------------------


def test_draws_are_random_encodings_with_their_own_statistics() -> None:
    cells = space("nas-bench-graph")
    rows = cells.sample(3, 0)
    cost = torch.tensor([1.0, 2.0, 3.0])
    source = Source(cells, rows, {"cost": cost})
    x, values, keep = source.draw(600, torch.Generator().manual_seed(0))
    assert len(x.unique(dim=0)) > 3
    canonical = cells.canonical(x)
    for row, value in zip(rows, cost, strict=True):
        mine = (canonical == row).all(1)
        assert 130 < int(mine.sum()) < 270
        assert values["cost"][mine].eq(value).all()
    assert torch.equal(values["params"], cells.statistics(x)["params"])
    assert not keep.any()


def test_half_of_a_batch_is_tails() -> None:
    nets = space("mobilenetv3")
    rows, tails = nets.sample(5, 0), nets.sample(5, 1)
    x, _, keep = Source(nets, rows, tails=tails).draw(9, torch.Generator().manual_seed(0))
    assert keep.tolist() == [False] * 5 + [True] * 4
    origin = torch.where(keep[:, None], tails[0], rows[0])
    assert x.shape == origin.shape
    for row, tail in zip(x, keep.tolist(), strict=True):
        assert (row == (tails if tail else rows)).all(1).any()


def test_tails_keep_a_condition_and_the_rest_may_lose_all() -> None:
    nets = space("mobilenetv3")
    source = Source(nets, nets.sample(200, 0), tails=tail_sample(nets, 200, 0))
    trainer = Trainer(fresh([source]), [source], steps=1, batch=400, show=False)
    generator = torch.Generator().manual_seed(0)
    _, values, keep = source.draw(400, generator)
    scores = trainer._conditions(0, values, keep, generator)
    assert scores is not None
    given = ~scores.isnan()
    assert given[keep].any(1).all()
    assert 0.3 < float((~given[~keep].any(1)).double().mean()) < 0.6
    for column in given.T:  # each alone is sometimes left out
        assert 0.2 < float(column[keep].double().mean()) < 0.95


def test_tails_have_no_further_properties() -> None:
    nets = space("mobilenetv3")
    x = nets.sample(3, 0)
    with pytest.raises(UsageError, match="further properties"):
        Source(nets, x, {"cost": torch.ones(3)}, tails=x)


def test_tilted_draws_reach_further() -> None:
    nets = space("mobilenetv3")
    uniform, wide = (
        nets.statistics(x)["params"] for x in (nets.sample(500, 0), tail_sample(nets, 500, 0))
    )
    assert wide.log().std() > 1.5 * uniform.log().std()
    assert torch.equal(tail_sample(nets, 20, 0), tail_sample(nets, 20, 0))
    assert nets.is_valid(tail_sample(nets, 100, 1)).all()


def test_initial_weights_follow_the_seed(source: Source) -> None:
    a, b, c = (weights(fresh([source], seed=seed)) for seed in (0, 0, 1))
    assert all(torch.equal(x, y) for x, y in zip(a, b, strict=True))
    assert not all(torch.equal(x, y) for x, y in zip(a, c, strict=True))
