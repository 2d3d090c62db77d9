import weakref
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from vitruvius.core.errors import TableError
from vitruvius.datasets import RawImages, decoding, image_cache, load_raw


def put(root: Path, *places: str, size: int = 8, shade: int = 0) -> None:
    for place in places:
        file = root / place
        file.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (size, size), (shade,) * 3).save(file)


@pytest.mark.parametrize(
    ("places", "labels", "parts"),
    [
        (("cat/0.png", "dog/0.png"), [0, 1], None),
        (("cat/0.png", "dog/0.png", ".ipynb_checkpoints/0.png", "dog/.cache/1.png"), [0, 1], None),
        (("cat/0.png", "dog/0.png", "__MACOSX/cat/0.png"), [0, 1], None),
        (
            ("Train/cat/0.png", "Train/dog/0.png", "Test/cat/1.png", "Test/fox/1.png"),
            [0, 1, 0, 2],
            (2, 0, 2),
        ),
        (
            ("training/cat/0.png", "training/dog/0.png", "validation/fox/1.png"),
            [0, 1, 2],
            (2, 1, 0),
        ),
        (
            ("TRAIN/cat/0.png", "TRAIN/dog/0.png", "dev/fox/1.png", "labels/0.png"),
            [0, 1, 2],
            (2, 1, 0),
        ),
        (("val/cat/0.png", "val/dog/0.png", "test/fox/0.png"), [0, 1, 2], (2, 0, 1)),
        (("images/cat/0.png", "images/dog/0.png"), [0, 1], None),
        (
            ("set/data/train/cat/0.png", "set/data/train/dog/0.png", "set/data/val/cat/0.png"),
            [0, 1, 0],
            (2, 1, 0),
        ),
        (("train/in/cat/0.png", "train/in/dog/0.png", "test/dog/0.png"), [0, 1, 1], (2, 0, 1)),
        (("cat/a/b/0.png", "dog/0.png"), [0, 1], None),
        (("cat/0.tif", "dog/0.ppm"), [0, 1], None),
        (("cat/0.webp", "dog/0.BMP"), [0, 1], None),
        (("cat/0.png", "dog/0.png", "cover.png"), [0, 1], None),
    ],
)
def test_parts_wrappers_and_hidden_folders_are_no_classes(
    tmp_path: Path, places: tuple[str, ...], labels: list[int], parts: tuple[int, ...] | None
) -> None:
    put(tmp_path, *places)
    raw = load_raw(tmp_path)
    assert isinstance(raw, RawImages)
    assert raw.labels.tolist() == labels
    assert raw.class_names == ("cat", "dog", "fox")[: max(labels) + 1]
    sizes = raw.splits and tuple(len(part) for part in raw.splits.parts().values())
    assert sizes == parts
    if raw.splits:
        assert raw.splits.train.tolist() == [0, 1]
        assert raw.training.labels.tolist() == [0, 1]


def test_images_of_every_part_are_those_of_its_files(tmp_path: Path) -> None:
    for shade, place in enumerate(
        ("test/a/0.png", "train/a/0.png", "train/b/0.png", "val/b/0.png")
    ):
        put(tmp_path, place, shade=shade)
    raw = load_raw(tmp_path)
    assert isinstance(raw, RawImages)
    assert raw.splits is not None
    for part, shades in (("train", [1, 2]), ("val", [3]), ("test", [0])):
        assert raw.images[raw.splits.parts()[part], 0, 0, 0].tolist() == shades


def test_a_part_in_the_place_of_a_missing_one_is_said(tmp_path: Path) -> None:
    put(tmp_path, "val/cat/0.png", "val/dog/0.png", "test/cat/0.png")
    assert load_raw(tmp_path).notes == ("There is no train folder; val is trained on.",)


def test_empty_folders_are_named(tmp_path: Path) -> None:
    put(tmp_path, "train/cat/0.png", "train/dog/0.png")
    (tmp_path / "train/fox").mkdir()
    (tmp_path / "val").mkdir()
    assert load_raw(tmp_path).notes == ("Empty folders: train/fox, val.",)


def test_a_resolution_of_ones_own(tmp_path: Path) -> None:
    put(tmp_path, "cat/0.png", size=6)
    put(tmp_path, "dog/0.png", size=20)
    assert load_raw(tmp_path).task.resolution == 6
    assert load_raw(f"{tmp_path}:resolution=12").images.shape == (2, 3, 12, 12)
    assert load_raw(tmp_path, resolution=3).task.resolution == 3
    with pytest.raises(TableError, match="`resolution` is a side in pixels, got 0"):
        load_raw(tmp_path, resolution=0)


def test_corrupt_files_are_named_or_left_out(tmp_path: Path) -> None:
    put(tmp_path, "a/0.png", "a/1.png", "b/0.png", "b/1.png", "b/2.png", size=16)
    for name, shade in (("a/1", 1), ("b/0", 2), ("b/2", 3)):
        put(tmp_path, f"{name}.png", size=16, shade=shade)
    # One without a header, one that ends in the middle of its pixels.
    (tmp_path / "a/0.png").write_bytes(b"\x89PNG\r\n\x1a\nbroken")
    with pytest.raises(TableError, match=r"a/0\.png is no image .*skip_corrupt=true"):
        load_raw(tmp_path)
    noise = np.random.default_rng(0).integers(0, 256, (16, 16, 3), dtype=np.uint8)
    Image.fromarray(noise).save(tmp_path / "b/1.png")
    whole = (tmp_path / "b/1.png").read_bytes()
    (tmp_path / "b/1.png").write_bytes(whole[: len(whole) // 2])
    for _ in range(2):  # decoded, then from the cache
        raw = load_raw(f"{tmp_path}:skip_corrupt=true")
        assert isinstance(raw, RawImages)
        assert raw.images[:, 0, 0, 0].tolist() == [1, 2, 3]
        assert raw.labels.tolist() == [0, 1, 1]
        assert raw.notes == ("2 of 5 images cannot be read and are left out: a/0.png, b/1.png.",)
    (tmp_path / "a/0.png").unlink()
    with pytest.raises(TableError, match=r"b/1\.png is no image"):
        load_raw(tmp_path)
    for name in ("a/1", "b/0", "b/1", "b/2"):
        (tmp_path / f"{name}.png").write_bytes(b"")
    with pytest.raises(TableError, match="None of 4 images can be read"):
        load_raw(tmp_path, skip_corrupt=True)


def test_other_files_are_skipped_and_counted(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    put(tmp_path, "train/cat/0.png", "train/dog/1.png", "test/cat/2.png")
    (tmp_path / "train/cat/._0.png").write_bytes(b"resource fork")
    (tmp_path / "train/cat/notes.txt").write_text("")
    (tmp_path / "annotations").mkdir()
    (tmp_path / "annotations/0.xml").write_text("")
    raw = load_raw(tmp_path)
    assert raw.classes == 2
    assert "Files skipped: 1 hidden, 1 .txt, 1 .xml." in caplog.text
    assert raw.notes == ("Files skipped: 1 hidden, 1 .txt, 1 .xml.",)
    put(tmp_path, "cover.png")
    assert "1 hidden, 1 beside the classes, 1 .txt" in load_raw(tmp_path).notes[0]


def test_a_strong_loss_of_resolution_is_said(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    put(tmp_path, "cat/0.png", "dog/0.png", size=64)
    put(tmp_path, "dog/1.png", size=60)
    assert load_raw(tmp_path).task.resolution == 60
    assert "fitted" not in caplog.text
    put(tmp_path, "cat/small.png", size=2)
    assert load_raw(tmp_path).task.resolution == 2
    assert "fitted to 2 x 2, the size of small.png; half of them have 62 or more" in caplog.text


@pytest.mark.parametrize(
    ("places", "said"),
    [
        (("0.png", "1.png"), "one folder a class"),
        (("train/0.png", "test/0.png"), "test, train are parts of a data set without classes"),
        ((".hidden/cat/0.png",), "one folder a class"),
    ],
)
def test_folders_without_classes_are_refused(
    tmp_path: Path, places: tuple[str, ...], said: str
) -> None:
    put(tmp_path, *places)
    with pytest.raises(TableError, match=said):
        load_raw(tmp_path)


def test_memory_does_not_grow_with_the_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(tmp_path, *(f"{name}/{i}.png" for name in "ab" for i in range(10)), size=40)
    put(tmp_path, "a/small.png", size=4)
    seen: list[weakref.ref[Image.Image]] = []
    alive: list[int] = []
    fit = decoding.ImageOps.fit

    def watched(image: Image.Image, size: tuple[int, int]) -> Image.Image:
        seen.append(weakref.ref(image))
        alive.append(sum(each() is not None for each in seen))
        return fit(image, size)

    monkeypatch.setattr(image_cache, "THREADS", 2)
    monkeypatch.setattr(image_cache, "CHUNK", 5)
    monkeypatch.setattr(decoding.ImageOps, "fit", watched)
    assert load_raw(tmp_path).images.shape == (21, 3, 4, 4)
    assert max(alive) <= 4  # in each of two threads this one and the last one


def test_pixels_stay_as_they_are_where_sizes_agree(tmp_path: Path) -> None:
    put(tmp_path, "a/0.png", shade=7)
    put(tmp_path, "b/0.png", shade=9)
    raw = load_raw(tmp_path)
    assert isinstance(raw, RawImages)
    assert np.unique(raw.images[0]).tolist() == [7]
    assert np.unique(raw.images[1]).tolist() == [9]
