"""Generators and discriminators, trained on images of eight pixels."""

import importlib.util
import json
from pathlib import Path

import pytest
import torch
from PIL import Image

from vitruvius.core.errors import MissingExtraError, TableError, UnknownNameError, UsageError
from vitruvius.datasets import RawImages, RawSeries
from vitruvius.evaluators import evaluator
from vitruvius.evaluators.context import Context
from vitruvius.evaluators.training import Callback, GANEvaluator, extractor as extractors, loop
from vitruvius.evaluators.training.adversarial import GANExamples
from vitruvius.evaluators.training.loop import Training
from vitruvius.spaces import Space, space

SMALL = {"images": 192, "rounds": 2, "batch": 16, "samples": 120, "threads": 1}
PAIR = "autogan:width=4,latent=6 x eagan-discriminator:width=4"


@pytest.fixture(scope="module")
def generators() -> Space:
    return space("autogan:width=4,latent=6")


@pytest.fixture(scope="module")
def made(generators: Space, pictures: RawImages) -> GANEvaluator:
    return GANEvaluator(generators, pictures, **SMALL)


class Plant(Callback):
    """Changes the networks after the last step."""

    def __init__(self, value: float) -> None:
        self.value = value

    @torch.no_grad()
    def step_ended(self, training: Training) -> None:
        for parameter in training.network["generator"].parameters():  # type: ignore[index]
            parameter.fill_(self.value)


class Cut(Callback):
    """Ends the process of a training, as a signal would."""

    def step_ended(self, training: Training) -> None:
        if training.epoch == 1 and training.step == 2:
            raise KeyboardInterrupt


def test_a_generator_learns(pictures: RawImages) -> None:
    found = space("autogan:width=8,latent=6")
    [published] = found.published.values()  # type: ignore[attr-defined]
    options = {**SMALL, "images": 1_200, "rounds": 1, "augment": "none", "ema": 0.9}
    made = GANEvaluator(found, pictures, **options)
    told = made.train(published)
    again = GANEvaluator(found, pictures, **{**options, "images": 16}).train(published)
    assert told.metrics["fid"] < 0.7 * again.metrics["fid"]


def test_what_is_measured(made: GANEvaluator, generators: Space, tmp_path: Path) -> None:
    folder = tmp_path / "trials" / "0"
    told = made.evaluate(generators.example, seed=3, context=Context(folder=folder))
    assert told.ok
    assert set(told.metrics) == set(made.metrics)
    kept = json.loads((folder / "curve.json").read_text())
    assert len(kept["curve"]) == 2
    assert kept["protocol"]["reference"] == 128
    assert kept["protocol"]["samples"] == 120
    assert 0.9 < kept["protocol"]["accuracy"] <= 1
    assert kept["protocol"]["part"] == "val"
    with Image.open(folder / "samples.png") as sheet:
        assert sheet.mode == "L"
    # The same seed, the same bits; another seed, others.
    assert made.evaluate(generators.example, seed=3).metrics == told.metrics
    assert made.evaluate(generators.example, seed=4).metrics != told.metrics


def test_a_training_goes_on_where_it_was(
    made: GANEvaluator, generators: Space, pictures: RawImages, tmp_path: Path, monkeypatch
) -> None:
    monkeypatch.setattr(loop, "BETWEEN", 0.0)
    cut = GANEvaluator(generators, pictures, **SMALL, callbacks=[Cut()])
    with pytest.raises(KeyboardInterrupt):
        cut.evaluate(generators.example, seed=3, context=Context(folder=tmp_path / "0"))
    assert (tmp_path / "0" / "checkpoint").is_dir()
    went_on = made.evaluate(generators.example, seed=3, context=Context(folder=tmp_path / "0"))
    assert went_on.metrics == made.evaluate(generators.example, seed=3).metrics


@pytest.mark.parametrize(
    "options",
    [
        {"loss": "non-saturating", "spectral_norm": False, "r1": 1.0, "critic": 2},
        {"augment": "none", "clip": 1.0, "ema": 0.0, "keep": "last", "schedule": "linear"},
        {"augment": "crop+flip+colour+cutout", "partner": "eagan-discriminator:width=8"},
    ],
)
def test_recipes(generators: Space, pictures: RawImages, options: dict[str, object]) -> None:
    told = GANEvaluator(generators, pictures, **{**SMALL, **options}).evaluate(generators.example)
    assert told.ok, told.reason


@pytest.mark.parametrize(
    "text",
    [
        "eagan-generator:width=4,latent=6",
        "eagan-discriminator:width=4",
        PAIR,
        "autogan:width=4,conditional=true x eagan-discriminator:width=4,conditional=true",
        "autogan:width=4,conditional=true",
    ],
)
def test_spaces(pictures: RawImages, text: str) -> None:
    found = space(text)
    told = evaluator(found, GANEvaluator(found, pictures, **SMALL)).evaluate(found.example)
    assert told.ok, told.reason


def test_colours_at_another_resolution() -> None:
    chance = torch.Generator().manual_seed(0)
    images = torch.randint(256, (160, 3, 11, 11), generator=chance, dtype=torch.uint8)
    generators = space("autogan:width=4")
    made = GANEvaluator(generators, RawImages(images, torch.arange(160) % 2), **SMALL)
    assert (made.task.channels, made.task.resolution) == (3, 16)  # type: ignore[attr-defined]
    [images] = made.generated(made.train(generators.example).network, 5)
    assert images.shape == (5, 3, 16, 16)
    assert images.abs().max() <= 1


def test_fidelities_are_images(generators: Space, pictures: RawImages) -> None:
    made = GANEvaluator(generators, pictures, **SMALL, fidelities=[96])
    assert len(made.train(generators.example, fidelity=96).curve) == 1
    assert len(made.train(generators.example).curve) == 2
    # A lower fidelity is where the full training was on its way.
    low = made.train(generators.example, fidelity=96)
    assert low.curve[0] == made.train(generators.example).curve[0]
    with pytest.raises(UsageError, match="There is no fidelity 5"):
        made.evaluate(generators.example, fidelity=5)
    with pytest.raises(UsageError, match="whole numbers from 1 to 191"):
        GANEvaluator(generators, pictures, **SMALL, fidelities=[192])


def test_test_part_and_retraining(generators: Space, pictures: RawImages) -> None:
    made = GANEvaluator(generators, pictures, **SMALL, val=0.1, test=0.1)
    again = made.retraining(images=96)
    assert again.recipe.images == 96
    assert len(again.data[1].train) > len(made.data[1].train)
    # Distances stay those of the same features.
    assert again.extractor().protocol == made.extractor().protocol
    told = made.test(again.train(generators.example))
    assert set(told) == set(made.metrics)
    with pytest.raises(UsageError, match="no test part"):
        GANEvaluator(generators, pictures, **SMALL).test(again.train(generators.example))


# -- the extractor ------------------------------------------------------------------------------


def test_the_extractor_is_trained_once(
    made: GANEvaluator, generators: Space, pictures: RawImages, tmp_path: Path, monkeypatch
) -> None:
    first = made.extractor()

    def again(*_: object) -> None:
        raise AssertionError("it was there")

    monkeypatch.setattr(extractors, "_train", again)
    other = GANEvaluator(generators, pictures, **SMALL)
    assert torch.equal(other.extractor(tmp_path).reference, first.reference)
    # It stands with the run, too, where the cache is gone.
    monkeypatch.setenv("VITRUVIUS_CACHE", str(tmp_path / "none"))
    gone = GANEvaluator(generators, pictures, **SMALL)
    assert gone.extractor(tmp_path).protocol == first.protocol
    [folder] = tmp_path.glob("*/")
    (folder / "reference.safetensors").write_bytes(b"damaged")
    with pytest.raises(AssertionError, match="it was there"):
        GANEvaluator(generators, pictures, **SMALL).extractor(tmp_path)


def test_inception_needs_its_weights_and_its_package(
    generators: Space, pictures: RawImages, tmp_path: Path
) -> None:
    file = tmp_path / "inception.pth"
    made = GANEvaluator(generators, pictures, **SMALL, inception=file)
    with pytest.raises(TableError, match=r"inception\.pth holds no weights"):
        made.extractor()
    file.write_bytes(b"no weights")
    with pytest.raises(TableError, match=r"inception\.pth holds no weights"):
        made.extractor()
    torch.save({"weight": torch.zeros(1)}, file)
    if importlib.util.find_spec("torch_fidelity") is None:
        with pytest.raises(MissingExtraError, match="inception"):
            made.extractor()


# -- what goes wrong ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "reason"), [(float("nan"), "the loss was nan in epoch 1"), (0.0, "mode collapse")]
)
def test_planted_faults(generators: Space, pictures: RawImages, value: float, reason: str) -> None:
    broken = GANEvaluator(generators, pictures, **SMALL, callbacks=[Plant(value)], ema=0.0)
    told = broken.evaluate(generators.example)
    assert told.status == "failed"
    assert reason in told.reason
    assert "the network has" in told.reason


def test_a_limit_of_memory(generators: Space, pictures: RawImages) -> None:
    told = GANEvaluator(generators, pictures, **SMALL, memory=1e-4).evaluate(generators.example)
    assert "it would need about" in told.reason


def test_eight_images(generators: Space, pictures: RawImages) -> None:
    few = RawImages(pictures.images[:8], pictures.labels[:8])
    with pytest.raises(UsageError, match="100 images or more, the training part has 6"):
        GANEvaluator(generators, few, **SMALL)


def test_data_of_other_kinds(generators: Space, pictures: RawImages) -> None:
    series = RawSeries(torch.randn(160, 1, 8), torch.arange(160) % 2)
    with pytest.raises(UsageError, match="Generators make images"):
        GANEvaluator(generators, series, **SMALL)
    values = GANEvaluator(generators, RawImages(pictures.images, torch.rand(160, 1)), **SMALL)
    with pytest.raises(UsageError, match="these have no classes"):
        values.extractor()


@pytest.mark.parametrize(
    ("text", "options", "message"),
    [
        ("autogan:width=4", {"partner": "autogan:width=4"}, "no partner for autogan"),
        ("autogan:width=4", {"partner": "darts"}, "no partner for autogan"),
        (PAIR, {"partner": "eagan-discriminator"}, "a partner besides"),
        ("autogan:width=4 x eagan-generator:width=4", {}, "no generator with a discriminator"),
        ("autogan:width=4 x recipe", {}, "no generator with a discriminator"),
        (
            "autogan:width=4",
            {"partner": "eagan-discriminator:conditional=true"},
            "is conditional",
        ),
        ("autogan:width=4", {"resolution": 12}, "multiple of 8"),
        ("autogan:width=4", {"loss": "other"}, "`loss` of a recipe is 'other'"),
    ],
)
def test_what_does_not_fit(
    pictures: RawImages, text: str, options: dict[str, object], message: str
) -> None:
    with pytest.raises(UsageError, match=message):
        GANEvaluator(space(text), pictures, **{**SMALL, **options})


def test_options_as_text(generators: Space, pictures: RawImages, tmp_path: Path) -> None:
    import numpy as np

    file = tmp_path / "pictures.npz"
    np.savez(file, x=pictures.images.numpy(), y=pictures.labels.numpy())
    text = f"{file}:images=100,rounds=1,samples=100,resolution=8"
    made = evaluator(generators, text)
    assert isinstance(made, GANEvaluator)
    assert made.recipe.images == 100
    with pytest.raises(UnknownNameError, match=r"option of a training on pictures\.npz 'epochs'"):
        evaluator(generators, f"{file}:epochs=3")


def test_examples_are_passes_in_random_order(pictures: RawImages) -> None:
    from vitruvius.datasets import split

    splits = split(pictures)
    examples = GANExamples(
        pictures.images, pictures.labels, splits, pictures.task, device=torch.device("cpu")
    )
    steps = examples.batches(torch.Generator().manual_seed(0), 2 * 128, 32)
    assert [len(step) for step in steps] == [32] * 8
    assert torch.equal(torch.cat(list(steps[:4])).sort().values, splits.train)


def test_the_generator_of_a_pair_is_what_is_measured(pictures: RawImages) -> None:
    found = space(PAIR)
    made = evaluator(found, GANEvaluator(found, pictures, **SMALL), named="fid, latency")
    told = made.evaluate(found.example)
    assert told.metrics["latency"] > 0
    whole, own = found.network(found.example)
    assert whole.name == "autogan"
    assert str(own) in str(found.architecture(found.example))
