import pytest
import torch

from vitruvius.evaluators.training.augmentation import augmented, mixed
from vitruvius.evaluators.training.recipe import AUGMENTATIONS


def draws(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@pytest.mark.parametrize("name", AUGMENTATIONS)
def test_every_image_changes_in_its_own_way_and_repeatably(name: str) -> None:
    images = torch.rand(8, 3, 16, 12, generator=draws()).expand(8, 3, 16, 12)
    images = images[:1].repeat(8, 1, 1, 1)
    once = augmented(images, [name], draws(1))
    assert once.shape == images.shape
    assert len(once.flatten(1).unique(dim=0)) > 1
    assert torch.equal(once, augmented(images, [name], draws(1)))


def test_crops_are_the_image_moved() -> None:
    image = torch.arange(1.0, 65).reshape(1, 1, 8, 8)
    moved = augmented(image.repeat(20, 1, 1, 1), ["crop"], draws())
    for each in moved:
        assert any(
            torch.equal(
                each[0, max(0, -y) : 8 - max(0, y), max(0, -x) : 8 - max(0, x)],
                image[0, 0, max(0, y) : 8 + min(0, y), max(0, x) : 8 + min(0, x)],
            )
            for y in (-1, 0, 1)
            for x in (-1, 0, 1)
        )


def test_flips_mirror_about_half_of_them() -> None:
    images = torch.rand(400, 1, 2, 3, generator=draws())
    flipped = augmented(images, ["flip"], draws())
    mirrored = (flipped == images.flip(3)).flatten(1).all(1)
    assert 150 < int(mirrored.sum()) < 250
    assert torch.equal(flipped[~mirrored], images[~mirrored])


def test_a_square_of_half_the_side_is_cut_out() -> None:
    cut = augmented(torch.ones(200, 1, 16, 16), ["cutout"], draws())
    holes = (cut == 0).flatten(1).sum(1)
    assert 16 <= int(holes.min()) <= int(holes.max()) <= 64


def test_mixup_mixes_with_the_share_it_tells() -> None:
    images = torch.rand(6, 1, 2, 2, generator=draws())
    mixture, order, share = mixed(images, 0.4, draws(3))
    assert 0 <= share <= 1
    assert torch.allclose(mixture, share * images + (1 - share) * images[order])
    assert sorted(order.tolist()) == list(range(6))
