from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import ExifTags, Image

from vitruvius.core.errors import UsageError
from vitruvius.datasets import RawImages, load_raw
from vitruvius.datasets.decoding import header, pixels

COLOURS = np.array([[[255, 0, 0], [0, 255, 0], [0, 0, 255]], [[0] * 3, [255] * 3, [9, 99, 199]]])
COLOURS = COLOURS.astype(np.uint8)
GREYS = np.array([[0, 100, 255], [7, 8, 9]], dtype=np.uint8)


def read(image: Image.Image, kind: str = "png", **options: Any) -> np.ndarray:
    """What is read of an image that was saved."""
    file = BytesIO()
    image.save(file, kind, **options)
    source = file.getvalue()
    known = header(source, "mine")
    size = known.width, known.height
    return pixels(source, "mine", size, known.grey, crop=False)


def colours() -> Image.Image:
    return Image.fromarray(COLOURS)


def test_grey_levels() -> None:
    assert np.array_equal(read(Image.fromarray(GREYS)), GREYS[None])
    black_and_white = Image.fromarray(GREYS > 50)
    assert black_and_white.mode == "1"
    assert np.array_equal(read(black_and_white), np.where(GREYS > 50, 255, 0)[None])


def test_colours() -> None:
    assert np.array_equal(read(colours()), COLOURS.transpose(2, 0, 1))


def test_a_palette_becomes_colours() -> None:
    image = colours().convert("P", palette=Image.Palette.ADAPTIVE)
    assert np.array_equal(read(image), COLOURS.transpose(2, 0, 1))


def test_transparency_lies_over_white() -> None:
    alpha = np.array([[255, 0, 128], [255, 0, 0]], dtype=np.uint8)
    share = alpha[..., None] / 255
    expected = np.rint(COLOURS * share + 255 * (1 - share)).transpose(2, 0, 1)
    image = colours()
    image.putalpha(Image.fromarray(alpha))
    assert np.abs(read(image) - expected).max() <= 1
    grey = Image.fromarray(np.stack([GREYS, alpha], 2))
    assert grey.mode == "LA"
    expected = np.rint(GREYS * share[..., 0] + 255 * (1 - share[..., 0]))
    assert read(grey).shape == (1, 2, 3)
    assert np.abs(read(grey)[0] - expected).max() <= 1


def test_a_transparent_colour_of_a_palette_is_white() -> None:
    image = Image.fromarray(np.array([[0, 1]], dtype=np.uint8), mode=None).convert("P")
    image.putpalette([10, 20, 30, 40, 50, 60])
    assert read(image, transparency=0).tolist() == [[[255, 40]], [[255, 50]], [[255, 60]]]


def test_inks_become_colours() -> None:
    inks = Image.new("CMYK", (2, 2), (0, 255, 255, 0))
    assert read(inks, "tiff")[:, 0, 0].tolist() == [255, 0, 0]
    near = read(inks, "jpeg", quality=95)[:, 0, 0]
    assert near[0] > 200
    assert near[1:].max() < 50


@pytest.mark.parametrize("kind", ["png", "tiff"])
def test_16_bits_are_scaled_to_8(kind: str) -> None:
    levels = np.array([[0, 257, 65535], [100, 128, 129]], dtype=np.uint16)
    image = Image.fromarray(levels)
    assert image.mode == "I;16"
    assert read(image, kind)[0].tolist() == [[0, 1, 255], [0, 0, 1]]


def test_32_bits_are_read_where_16_suffice() -> None:
    levels = np.array([[0, 65535]], dtype=np.int32)
    assert read(Image.fromarray(levels), "tiff")[0].tolist() == [[0, 255]]
    for wrong in (np.array([[0, 65536]], np.int32), np.array([[-1, 0]], np.int32)):
        with pytest.raises(UsageError, match="mine has more than 16 bits"):
            read(Image.fromarray(wrong), "tiff")
    with pytest.raises(UsageError, match="more than 16 bits"):
        read(Image.fromarray(np.zeros((1, 1), np.float32)), "tiff")


@pytest.mark.parametrize(
    ("orientation", "turned"),
    [
        (1, GREYS),
        (2, GREYS[:, ::-1]),
        (3, GREYS[::-1, ::-1]),
        (6, np.rot90(GREYS, -1)),
        (8, np.rot90(GREYS)),
    ],
)
@pytest.mark.parametrize("deep", [False, True])
def test_images_are_turned_as_exif_says(orientation: int, turned: np.ndarray, deep: bool) -> None:
    levels = GREYS.astype(np.uint16) * 257 if deep else GREYS
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = orientation
    assert np.array_equal(read(Image.fromarray(levels), exif=exif)[0], turned)


def test_the_longer_side_is_cut() -> None:
    levels = np.zeros((4, 8), np.uint8)
    levels[:, 2:6] = 200
    found = pixels(Image.fromarray(levels), "mine", (2, 2), grey=True, crop=True)
    assert found.min() > 150  # 100 were it squeezed


@pytest.mark.parametrize("content", [b"", b"text", b"\x89PNG\r\n\x1a\nbroken", b"GIF89a"])
def test_what_is_no_image_is_named(content: bytes) -> None:
    with pytest.raises(UsageError, match=r"mine is no image that can be read: .*skip_corrupt") as e:
        header(content, "mine")
    assert "BytesIO" not in str(e.value)


def test_a_file_that_ends_early_is_named() -> None:
    file = BytesIO()
    noise = np.random.default_rng(0).integers(0, 256, (40, 40, 3), dtype=np.uint8)
    Image.fromarray(noise).save(file, "jpeg")
    source = file.getvalue()[:-400]
    assert header(source, "mine").width == 40
    with pytest.raises(UsageError, match=r"mine is no image .*truncated"):
        pixels(source, "mine", (40, 40), grey=False, crop=False)


def test_a_folder_of_all_kinds(tmp_path: Path) -> None:
    folder = tmp_path / "a"
    folder.mkdir()
    (tmp_path / "b").mkdir()
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = 6
    Image.fromarray(GREYS).save(folder / "grey.png")
    Image.fromarray(GREYS.T.copy()).save(folder / "turned.png", exif=exif)
    Image.fromarray(GREYS.astype(np.uint16) * 257).save(folder / "deep.png")
    raw = load_raw(_with(tmp_path / "b" / "grey.png", tmp_path))
    assert isinstance(raw, RawImages)
    assert raw.images.shape == (4, 1, 2, 3)
    assert np.array_equal(raw.images[0, 0], GREYS)  # deep.png
    colours().convert("P").save(tmp_path / "b" / "colours.gif")
    mixed = load_raw(tmp_path)
    assert mixed.task.channels == 3
    assert mixed.notes == ("4 of 5 images are grey, and are read with three channels.",)


def _with(file: Path, folder: Path) -> Path:
    Image.fromarray(GREYS).save(file)
    return folder
