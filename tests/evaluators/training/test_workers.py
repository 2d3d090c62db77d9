"""Trainings in worker processes, some of which are killed."""

import json
import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import cloudpickle
import pytest

from vitruvius.bo.result import SearchResult
from vitruvius.datasets import RawImages
from vitruvius.evaluators.training import Callback, GANEvaluator, TrainingEvaluator, loop
from vitruvius.evaluators.training.loop import Training
from vitruvius.spaces import Space, space
from vitruvius.verbs.search import search

pytestmark = pytest.mark.slow
BUDGET = 10


class Kill(Callback):
    """Kills its process once per epoch mark and architecture, and writes down every epoch."""

    def __init__(self, folder: Path, kills: int) -> None:
        self.folder, self.kills = folder, kills

    def started(self, training: Training) -> None:
        loop.BETWEEN = 0.0

    def epoch_ended(self, training: Training) -> None:
        name = str(training.seed)
        with (self.folder / name).open("a") as file:
            file.write(f"{training.epoch}\n")

    def step_ended(self, training: Training) -> None:
        mark = self.folder / f"killed-{training.seed}-{training.epoch}"
        if training.step == 2 and 0 < training.epoch <= self.kills and not mark.exists():
            mark.touch()
            os.kill(os.getpid(), signal.SIGKILL)


@pytest.fixture(autouse=True)
def by_value() -> Iterator[None]:
    """Workers cannot import this module."""
    cloudpickle.register_pickle_by_value(sys.modules[__name__])
    yield
    cloudpickle.unregister_pickle_by_value(sys.modules[__name__])


def searched(
    cells: Space, images: RawImages, run: Path, workers: int, kill: Kill | None = None
) -> SearchResult:
    made = TrainingEvaluator(
        cells, images, epochs=4, batch=16, callbacks=[] if kill is None else [kill]
    )
    return search(
        cells,
        evaluator=made,
        maximize="accuracy",
        method="random",
        budget=BUDGET,
        batch=4,
        workers=workers,
        executor="process",
        run=run,
    )


def told(result: SearchResult) -> list[tuple[int, tuple[int, ...], dict[str, float]]]:
    return [(t.number, t.proposal.row, t.metrics) for t in result.trials]


def test_the_number_of_workers_changes_no_bit(
    cells: Space, images: RawImages, tmp_path: Path
) -> None:
    one, two, four = (told(searched(cells, images, tmp_path / str(n), n)) for n in (1, 2, 4))
    assert one == two == four
    assert len(one) == BUDGET


def test_killed_workers_lose_at_most_their_last_epoch(
    cells: Space, images: RawImages, tmp_path: Path
) -> None:
    """Each of the trainings is killed twice, in its second and third epoch."""
    undisturbed = searched(cells, images, tmp_path / "undisturbed", 2)
    folder = tmp_path / "epochs"
    folder.mkdir()
    result = searched(cells, images, tmp_path / "killed", 2, Kill(folder, kills=2))
    assert len(list(folder.glob("killed-*"))) == 2 * BUDGET
    assert told(result) == told(undisturbed)
    for file in folder.iterdir():
        if not file.name.startswith("killed"):
            assert file.read_text().split() == ["1", "2", "3", "4"]


def test_killed_trainings_of_generators_go_on(pictures: RawImages, tmp_path: Path) -> None:
    """All workers have the same extractor, which is trained once."""
    generators = space("autogan:width=4,latent=6")
    folder = tmp_path / "epochs"
    folder.mkdir()
    results = []
    for name, callbacks in (("undisturbed", []), ("killed", [Kill(folder, kills=2)])):
        made = GANEvaluator(
            generators,
            pictures,
            images=256,
            rounds=4,
            batch=16,
            samples=100,
            callbacks=callbacks,
        )
        results.append(
            search(
                generators,
                evaluator=made,
                minimize="fid",
                method="random",
                budget=4,
                batch=2,
                workers=2,
                executor="process",
                run=tmp_path / name,
            )
        )
    assert len(list(folder.glob("killed-*"))) == 2 * 4
    assert told(results[0]) == told(results[1])
    kept = {json.dumps(p) for p in map(protocol, tmp_path.glob("*/trials/[0-9]"))}
    assert len(kept) == 1


def protocol(trial: Path) -> dict[str, object]:
    told: dict[str, object] = json.loads((trial / "curve.json").read_text())["protocol"]
    return told
