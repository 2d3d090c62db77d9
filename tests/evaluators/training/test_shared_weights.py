import json
from pathlib import Path

import pytest
import torch
from torch import nn
from torch.nn.utils.parametrizations import spectral_norm

import vitruvius
from vitruvius.bo.result import SearchResult
from vitruvius.core.errors import CheckpointError, UsageError
from vitruvius.datasets import RawImages
from vitruvius.evaluators.context import Context
from vitruvius.evaluators.training import Callback, GANEvaluator, loop
from vitruvius.evaluators.training.gan_evaluator import _Shared
from vitruvius.evaluators.training.loop import Training
from vitruvius.evaluators.training.shared_weights import SharedWeights
from vitruvius.spaces import Space, space

PAIR = "eagan-generator:width=4,latent=6 x eagan-discriminator:width=4"
SMALL = {"images": 48, "rounds": 1, "batch": 16, "samples": 100, "weights": "shared"}


def chain(*layers: nn.Module) -> nn.Module:
    return nn.Sequential(*layers)


def test_layers_share_where_they_are_made_alike(tmp_path: Path) -> None:
    one = chain(nn.Conv2d(2, 2, 3), nn.Conv2d(2, 2, 3, dilation=2), nn.BatchNorm2d(2))
    shared = SharedWeights(tmp_path)
    assert shared.lend(one) == 0
    shared.keep({"": one}, {})
    # The same shapes at the same places, but another dilation.
    other = chain(nn.Conv2d(2, 2, 3), nn.Conv2d(2, 2, 3), nn.BatchNorm2d(2))
    assert shared.lend(other) == 2 + 5
    assert torch.equal(other[0].weight, one[0].weight)
    assert not torch.equal(other[1].weight, one[1].weight)
    # Another group knows nothing.
    assert shared.lend(other, "discriminator") == 0


def test_what_one_has_not_stays_with_the_others(tmp_path: Path) -> None:
    shared = SharedWeights(tmp_path)
    shared.keep({"": chain(nn.Linear(2, 2))}, {"last": "0"})
    kept = chain(nn.Linear(2, 3))
    shared.keep({"": kept}, {"last": "1"})
    again = SharedWeights(tmp_path)
    assert again.state["last"] == "1"
    assert again.lend(chain(nn.Linear(2, 2))) == 2
    assert len(list(tmp_path.glob("*.safetensors"))) == 1


def test_spectral_norm(tmp_path: Path) -> None:
    shared = SharedWeights(tmp_path)
    one, other = (chain(spectral_norm(nn.Conv2d(2, 2, 3))) for _ in range(2))
    shared.keep({"": one}, {})
    assert shared.lend(other) == 4
    x = torch.randn(1, 2, 5, 5)
    assert torch.equal(one.eval()(x), other.eval()(x))


def test_damaged(tmp_path: Path) -> None:
    SharedWeights(tmp_path).keep({"": nn.Linear(2, 2)}, {})
    (tmp_path / "weights-0.safetensors").write_bytes(b"x")
    with pytest.raises(CheckpointError, match="Delete the folder"):
        SharedWeights(tmp_path)


# -- searches -----------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def pair() -> Space:
    return space(PAIR)


def searched(pictures: RawImages, run: Path, budget: int) -> SearchResult:
    return vitruvius.search(
        PAIR,
        evaluator=GANEvaluator(space(PAIR), pictures, **SMALL),
        minimize="fid, params",
        maximize="inception_score",
        method="eagan:population=2,generators=3",
        budget=budget,
        executor="serial",
        run=run,
    )


def told(result: SearchResult) -> list[tuple[tuple[int, ...], dict[str, float]]]:
    return [(trial.proposal.row, trial.metrics) for trial in result.trials]


@pytest.mark.slow
def test_both_stages(pictures: RawImages, tmp_path: Path) -> None:
    whole = searched(pictures, tmp_path / "whole", 5)
    assert all(trial.status == "ok" for trial in whole.trials), [t.reason for t in whole.trials]
    state = json.loads((tmp_path / "whole" / "trials" / "shared" / "shared.json").read_text())
    # In the second stage, the best pair's generator is kept.
    assert state["last"] == "4"
    assert state["fid"] == min(trial.metrics["fid"] for trial in whole.trials[3:])
    # Interrupted in the middle of either stage, it goes on where it was.
    parted = tmp_path / "parted"
    for budget in (2, 4, 5):
        last = searched(pictures, parted, budget)
    assert told(last) == told(whole)


def test_a_candidate_that_ended_before_it_was_recorded_is_not_trained_again(
    pair: Space, pictures: RawImages, tmp_path: Path
) -> None:
    made = GANEvaluator(pair, pictures, **SMALL)
    context = Context(folder=tmp_path / "trials" / "0")
    first = made.evaluate(pair.example, context=context)
    state = (tmp_path / "trials" / "shared" / "shared.json").read_text()
    assert made.evaluate(pair.example, context=context).metrics == first.metrics
    assert (tmp_path / "trials" / "shared" / "shared.json").read_text() == state
    # Another begins with what it learnt.
    other = Context(folder=tmp_path / "trials" / "1")
    again = made.evaluate(pair.example, context=other)
    assert again.metrics != first.metrics


def test_weights_are_of_a_run_and_of_one_worker(
    pair: Space, pictures: RawImages, tmp_path: Path
) -> None:
    made = GANEvaluator(pair, pictures, **SMALL)
    with pytest.raises(UsageError, match="shared by the candidates of a run"):
        made.evaluate(pair.example)
    with pytest.raises(UsageError, match="one worker"):
        vitruvius.search(
            PAIR, evaluator=made, minimize="fid", budget=2, workers=2, run=tmp_path / "run"
        )
    with pytest.raises(UsageError, match="`weights` is 'lent'"):
        GANEvaluator(pair, pictures, **{**SMALL, "weights": "lent"})
    # What is trained again has weights of its own.
    assert not made.retraining().sequential
    assert not _Shared(tmp_path / "0").done


class Cut(Callback):
    """Ends a training in its second round, as a signal would."""

    def step_ended(self, training: Training) -> None:
        if training.epoch == 1:
            raise KeyboardInterrupt


def test_a_candidate_that_was_killed_goes_on(
    pair: Space, pictures: RawImages, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(loop, "BETWEEN", 0.0)
    options = {**SMALL, "rounds": 2}
    cut = GANEvaluator(pair, pictures, **options, callbacks=[Cut()])
    made = GANEvaluator(pair, pictures, **options)
    x = pair.sample(2, 0)
    metrics = []
    for name in ("undisturbed", "killed"):
        trials = tmp_path / name / "trials"
        made.evaluate(x[0], context=Context(folder=trials / "0"))
        context = Context(folder=trials / "1")
        if name == "killed":
            with pytest.raises(KeyboardInterrupt):
                cut.evaluate(x[1], context=context)
            assert (trials / "1" / "checkpoint").is_dir()
        metrics.append(made.evaluate(x[1], context=context).metrics)
    assert metrics[0] == metrics[1]
