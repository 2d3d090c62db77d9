import json
import math
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings, strategies as st
from safetensors.torch import load_file
from torch import Tensor

from vitruvius.core.errors import CheckpointError, UsageError
from vitruvius.datasets import Splits
from vitruvius.datasets.raw_data import RawImages, load_raw
from vitruvius.encoders.tasks.image_task import (
    ImageSetEncoder,
    describe_images,
    sub_task,
    train_image_encoder,
)


def stripes(
    seed: int, period: int, count: int = 120, side: int = 16, channels: int = 3
) -> RawImages:
    """Noise on stripes; a class is where the stripes begin."""
    generator = torch.Generator().manual_seed(seed)
    labels = torch.arange(count) % 4
    phase = 2 * math.pi * (torch.arange(side) / period + labels[:, None] / 4)
    clean = 128 + 60 * phase.sin()[:, None, None, :]
    noise = 30 * torch.randn(count, channels, side, side, generator=generator)
    return RawImages((clean + noise).clamp(0, 255).byte(), labels)


def rearranged(images: RawImages, seed: int) -> RawImages:
    """Other order, other names of classes."""
    generator = torch.Generator().manual_seed(seed)
    order = torch.randperm(len(images.images), generator=generator)
    names = 3 * torch.randperm(100, generator=generator)
    return RawImages(images.images[order], names[images.labels[order]])


def classes(images: RawImages, chosen: Sequence[int]) -> RawImages:
    kept = torch.isin(images.labels, torch.tensor(chosen))
    return RawImages(images.images[kept], images.labels[kept])


@torch.no_grad()
def batches(encoder: ImageSetEncoder, images: RawImages, seed: int, n: int = 60) -> Tensor:
    """Embeddings of disjoint batches."""
    generator = torch.Generator().manual_seed(seed)
    order = torch.randperm(len(images.images), generator=generator)[: 4 * n]
    return torch.stack(
        [encoder(images.images[part], images.labels[part]) for part in order.chunk(4)]
    )


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 2**31), channels=st.sampled_from([1, 3, 4]))
def test_neither_order_nor_names_of_classes_count(seed: int, channels: int) -> None:
    images = stripes(seed, 5, count=30, side=12, channels=channels)
    torch.manual_seed(seed)
    encoder = ImageSetEncoder(width=8, size=4)
    said = describe_images(images, encoder).values
    again = describe_images(rearranged(images, seed), encoder).values
    assert said.keys() == again.keys()
    for name, value in said.items():
        assert again[name] == pytest.approx(value, rel=1e-4, abs=1e-5), name


def test_every_image_and_every_label_counts() -> None:
    images = stripes(0, 5)
    torch.manual_seed(0)
    encoder = ImageSetEncoder()
    whole = encoder(images.images, images.labels)
    other = images.labels.clone()
    other[0] = (other[0] + 1) % 4
    assert not torch.allclose(encoder(images.images, other), whole)
    assert not torch.allclose(encoder(images.images[1:], images.labels[1:]), whole)


def test_statistics_are_as_defined() -> None:
    images = stripes(0, 5, count=41)
    said = describe_images(images).values
    x = images.images.double() / 255
    assert said["log images"] == math.log(41)
    assert said["log resolution"] == math.log(16)
    for channel in range(3):
        assert said[f"mean {channel}"] == pytest.approx(x[:, channel].mean().item())
        assert said[f"deviation {channel}"] == pytest.approx(
            x[:, channel].std(correction=0).item(), rel=1e-5
        )
    assert said["colour"] == pytest.approx(x.std(1, correction=0).mean().item())
    centred = x - x.mean((2, 3), keepdim=True)
    across = (centred[..., 1:] * centred[..., :-1]).mean() / centred.square().mean()
    down = (centred[:, :, 1:] * centred[:, :, :-1]).mean() / centred.square().mean()
    assert said["smoothness"] == pytest.approx(float(across + down) / 2, abs=0.05)
    assert said["coarse smoothness"] == pytest.approx(said["smoothness"])
    share = torch.bincount(images.labels) / 41
    entropy = -(share * share.log()).sum().item()
    assert said["balance"] == pytest.approx(entropy / math.log(4), rel=1e-5)


def test_separability_leaves_out_the_image_itself() -> None:
    images = stripes(0, 5, count=30)
    noise = torch.randint(256, (30, 3, 16, 16), generator=torch.Generator().manual_seed(0)).byte()
    mixed = RawImages(torch.cat([images.images[:15], noise[:15]]), images.labels)
    x = mixed.images.float().flatten(1) / 255
    hits = torch.zeros(4)
    for i in range(30):
        others = torch.arange(30) != i
        means = torch.stack([x[others & (mixed.labels == k)].mean(0) for k in range(4)])
        hits[mixed.labels[i]] += (x[i] - means).norm(dim=1).argmin() == mixed.labels[i]
    share = float((hits / torch.bincount(mixed.labels)).mean())
    assert 0.3 < share < 1
    said = describe_images(mixed).values["separability"]
    assert said == pytest.approx((share - 0.25) / 0.75)
    assert describe_images(images).values["separability"] == 1


def test_what_a_set_does_not_have_is_left_out() -> None:
    flat = RawImages(torch.full((3, 1, 8, 8), 7, dtype=torch.uint8), torch.zeros(3).long())
    said = describe_images(flat).values
    assert {"separability", "balance", "smoothness"}.isdisjoint(said)
    assert (said["log classes"], said["colour"]) == (0, 0)


def test_parts_are_of_the_data_set_they_are_drawn_from() -> None:
    images = stripes(0, 5)
    pixels = {
        image.numpy().tobytes(): label
        for image, label in zip(images.images, images.labels, strict=True)
    }
    generator = torch.Generator().manual_seed(0)
    shapes = set()
    for _ in range(40):
        part = sub_task(images, generator, 20)
        shapes.add(tuple(part.images.shape[1:]))
        assert 2 <= part.classes <= 4
        assert len(part.images) == 20
        if part.images.shape[1:] == images.images.shape[1:]:
            for image, label in zip(part.images, part.labels, strict=True):
                assert pixels[image.numpy().tobytes()] == label
    assert shapes == {(3, 16, 16), (1, 16, 16), (3, 8, 8), (1, 8, 8)}


@pytest.mark.slow
def test_training_tells_data_sets_apart_that_it_never_saw() -> None:
    """Stripes of other widths; batches of one are nearer than before, in units of the others."""
    encoder = train_image_encoder([stripes(0, period) for period in (3, 5, 8, 13)], steps=40)
    torch.manual_seed(0)
    apart = []
    for each in (ImageSetEncoder(), encoder):
        sets = [batches(each, stripes(1, period, count=240), 2) for period in (4, 6, 10)]
        within = torch.stack([torch.pdist(part).square().mean() for part in sets]).mean()
        pairs = [(sets[a], sets[b]) for a, b in ((0, 1), (0, 2), (1, 2))]
        between = torch.stack([torch.cdist(*pair).square().mean() for pair in pairs]).mean()
        apart.append(float(between / within))
    assert apart[1] > 4
    assert apart[1] > apart[0]


def test_same_seed_same_encoder(tmp_path: Path) -> None:
    sets = [stripes(0, 3), stripes(0, 8)]
    one, again = (train_image_encoder(sets, steps=2, seed=3) for _ in range(2))
    other = train_image_encoder(sets, steps=2, seed=4)
    for name, weights in one.state_dict().items():
        assert torch.equal(weights, again.state_dict()[name])
    assert not torch.equal(one.of_set[0].weight, other.of_set[0].weight)
    one.save(tmp_path / "here" / "encoder")
    loaded = ImageSetEncoder.load(tmp_path / "here" / "encoder")
    assert describe_images(sets[0], loaded) == describe_images(sets[0], one)


def test_broken_encoders_are_refused(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="holds no encoder"):
        ImageSetEncoder.load(tmp_path)
    ImageSetEncoder(width=8, size=4).save(tmp_path)
    assert all(
        each.is_floating_point() for each in load_file(tmp_path / "model.safetensors").values()
    )
    (tmp_path / "config.json").write_text(json.dumps({"width": 16, "size": 4}))
    with pytest.raises(CheckpointError, match="holds no encoder"):
        ImageSetEncoder.load(tmp_path)
    (tmp_path / "config.json").write_text("[]")
    with pytest.raises(CheckpointError):
        ImageSetEncoder.load(tmp_path)
    (tmp_path / "config.json").write_text(json.dumps({"width": 8, "size": 4}))
    (tmp_path / "model.safetensors").write_bytes(b"broken")
    with pytest.raises(CheckpointError):
        ImageSetEncoder.load(tmp_path)


def test_training_needs_something_to_train_on() -> None:
    for images, steps in (([], 1), ([stripes(0, 3)], 0), ([stripes(0, 3, count=1)], 1)):
        with pytest.raises(UsageError, match="at least one step"):
            train_image_encoder(images, steps)


@pytest.mark.slow
def test_batches_of_unseen_classes_know_their_data_set(published: Callable[[str], Path]) -> None:
    """Trained on the even classes; batches of odd ones are nearer to their own kind."""
    sets = []
    for name in ("cifar10_10k", "fashion_mnist", "flowers17_16px"):
        images = load_raw(published(f"{name}.npz"))
        assert isinstance(images, RawImages)
        sets.append(images.training)
    encoder = train_image_encoder([classes(each, range(0, 17, 2)) for each in sets], steps=40)
    held = [classes(each, range(1, 17, 2)) for each in sets]
    embedded = [batches(encoder, each, 0) for each in held]
    within = max(float(torch.pdist(each).max()) for each in embedded)
    pairs = [(embedded[a], embedded[b]) for a, b in ((0, 1), (0, 2), (1, 2))]
    assert within < min(float(torch.cdist(*pair).min()) for pair in pairs)


def test_targets_of_a_regression_are_no_classes() -> None:
    images = stripes(0, 5)
    numbers = RawImages(images.images, torch.rand(len(images), 2))
    said = describe_images(numbers, ImageSetEncoder(width=4, size=2)).values
    assert said["log classes"] == pytest.approx(math.log(2))
    assert not {"balance", "separability"} & set(said)
    assert said["smoothness"] == describe_images(images).values["smoothness"]


def test_the_training_part_is_described() -> None:
    images = stripes(0, 5)
    noise = torch.randint(256, images.images.shape, dtype=torch.uint8)
    count = len(images)
    parts = Splits(torch.arange(count), test=torch.arange(count, 2 * count))
    both = RawImages(torch.cat([images.images, noise]), images.labels.repeat(2), splits=parts)
    assert describe_images(both) == describe_images(images)
