import weakref
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import vitruvius.datasets.image_folder as image_folder
from vitruvius.core.errors import TableError
from vitruvius.datasets import RawImages, load_raw


def put(root: Path, *places: str, size: int = 8, shade: int = 0) -> None:
    for place in places:
        file = root / place
        file.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (size, size), (shade,) * 3).save(file)


@pytest.mark.parametrize(
    "places",
    [
        ("cat/0.png", "dog/0.png"),
        ("cat/0.png", "dog/0.png", ".ipynb_checkpoints/0.png", "dog/.cache/1.png"),
        ("cat/0.png", "dog/0.png", "__MACOSX/cat/0.png"),
        ("Train/cat/0.png", "Train/dog/0.png", "Test/cat/1.png", "Test/fox/1.png"),
        ("training/cat/0.png", "training/dog/0.png", "validation/fox/1.png"),
        ("TRAIN/cat/0.png", "TRAIN/dog/0.png", "dev/fox/1.png", "labels/0.png"),
        ("val/cat/0.png", "val/dog/0.png", "test/fox/0.png"),
        ("images/cat/0.png", "images/dog/0.png"),
        ("set/data/train/cat/0.png", "set/data/train/dog/0.png", "set/data/val/cat/0.png"),
        ("cat/a/b/0.png", "dog/0.png"),
        ("cat/0.tif", "dog/0.ppm"),
        ("cat/0.webp", "dog/0.BMP"),
        ("cat/0.png", "dog/0.png", "cover.png"),
    ],
)
def test_splits_wrappers_and_hidden_folders_are_no_classes(
    tmp_path: Path, places: tuple[str, ...]
) -> None:
    put(tmp_path, *places)
    raw = load_raw(tmp_path)
    assert isinstance(raw, RawImages)
    assert (raw.classes, raw.labels.tolist()) == (2, [0, 1])


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
    assert "1 hidden, 1 beside the classes, 1 .txt, 1 .xml" in caplog.text


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


def test_memory_grows_with_the_result_alone(tmp_path: Path) -> None:
    put(tmp_path, *(f"{name}/{i}.png" for name in "ab" for i in range(4)), size=40)
    put(tmp_path, "a/small.png", size=4)
    seen: list[weakref.ref[Image.Image]] = []
    alive: list[int] = []
    fit = image_folder.ImageOps.fit

    def watched(image: Image.Image, size: tuple[int, int]) -> Image.Image:
        seen.append(weakref.ref(image))
        alive.append(sum(each() is not None for each in seen))
        return fit(image, size)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(image_folder.ImageOps, "fit", watched)
        assert load_raw(tmp_path).images.shape == (9, 3, 4, 4)
    assert max(alive) <= 2  # this one and the last one


def test_pixels_stay_as_they_are_where_sizes_agree(tmp_path: Path) -> None:
    put(tmp_path, "a/0.png", shade=7)
    put(tmp_path, "b/0.png", shade=9)
    raw = load_raw(tmp_path)
    assert isinstance(raw, RawImages)
    assert np.unique(raw.images[0]).tolist() == [7]
    assert np.unique(raw.images[1]).tolist() == [9]
