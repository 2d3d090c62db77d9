from pathlib import Path

import numpy as np
import pytest
import torch

from vitruvius.core.errors import TableError
from vitruvius.datasets import RawImages, RawSeries, is_raw, load_raw

PIXELS = np.arange(4 * 5 * 5, dtype=np.uint8).reshape(4, 5, 5)
Y = np.array([0, 1, 0, 1])


def npz(folder: Path, **columns: object) -> Path:
    path = folder / "mine.npz"
    np.savez(path, **columns)  # type: ignore[arg-type]
    return path


@pytest.mark.parametrize(
    "names",
    [
        ("x_train", "y_train", "x_val", "y_val", "x_test", "y_test"),
        ("X_train", "Y_train", "X_valid", "Y_valid", "X_test", "Y_test"),
        ("train_images", "train_labels", "val_images", "val_labels", "test_images", "test_labels"),
        tuple(
            f"{what}_{part}"
            for part in ("train", "validation", "test")
            for what in ("images", "labels")
        ),
    ],
)
def test_parts_by_their_names(tmp_path: Path, names: tuple[str, ...]) -> None:
    columns = dict(zip(names, (PIXELS, Y, PIXELS[2:], Y[2:], PIXELS[:1], Y[:1]), strict=True))
    path = npz(tmp_path, **columns)
    assert is_raw(path)
    raw = load_raw(path)
    assert isinstance(raw, RawImages)
    assert raw.splits is not None
    for part, rows in (("train", [0, 1, 2, 3]), ("val", [2, 3]), ("test", [0])):
        place = raw.splits.parts()[part]
        assert np.array_equal(raw.images[place, 0], PIXELS[rows])
        assert raw.labels[place].tolist() == Y[rows].tolist()


def test_a_whole_has_no_parts(tmp_path: Path) -> None:
    for names in (("images", "labels"), ("x", "y")):
        raw = load_raw(npz(tmp_path, **dict(zip(names, (PIXELS, Y), strict=True))))
        assert raw.splits is None
        assert len(raw) == 4


@pytest.mark.parametrize(
    ("x", "read", "said"),
    [
        (PIXELS, PIXELS[:, None], ""),
        (PIXELS[:, None] / 255.0, PIXELS[:, None], "floats from 0 to 0.388235, read as levels of"),
        (PIXELS[:, None].astype(np.float32) * 2, PIXELS[:, None] * 2, "of 0 to 255"),
        (PIXELS[:, None].astype(np.int64), PIXELS[:, None], ""),
        (PIXELS[..., None] / 255.0, PIXELS[:, None], "of 0 to 1."),
    ],
)
def test_images_of_numbers(tmp_path: Path, x: np.ndarray, read: np.ndarray, said: str) -> None:
    raw = load_raw(npz(tmp_path, x=x, y=Y))
    assert isinstance(raw, RawImages)
    assert np.array_equal(raw.images, read)
    assert said in " ".join(raw.notes)
    assert bool(raw.notes) == bool(said)


def test_three_axes_of_floats_are_images_where_they_are_called_so(tmp_path: Path) -> None:
    raw = load_raw(npz(tmp_path, images=PIXELS / 255.0, labels=Y))
    assert isinstance(raw, RawImages)
    assert np.array_equal(raw.images[:, 0], PIXELS)


@pytest.mark.parametrize("shape", [(4, 9), (4, 2, 9), (4, 6, 6)])
def test_series(tmp_path: Path, shape: tuple[int, ...]) -> None:
    values = np.random.default_rng(0).normal(size=shape)
    raw = load_raw(npz(tmp_path, x_train=values, y_train=Y, x_test=values[:2], y_test=Y[:2]))
    assert isinstance(raw, RawSeries)
    assert np.allclose(raw.series[:4].numpy().reshape(shape), values)
    assert raw.splits is not None
    assert raw.splits.test.tolist() == [4, 5]
    assert ("series of 6 channels" in " ".join(raw.notes)) == (shape == (4, 6, 6))


def test_targets_and_names_of_classes(tmp_path: Path) -> None:
    wide = load_raw(npz(tmp_path, x=PIXELS, y=np.arange(8.0).reshape(4, 2) / 3))
    assert (wide.regression, wide.task.classes) == (True, 2)
    assert torch.allclose(wide.labels[3], torch.tensor([2.0, 7 / 3]))
    named = load_raw(npz(tmp_path, x=PIXELS, y=np.array(["b", "a", "b", "c"])))
    assert (named.labels.tolist(), named.class_names) == ([1, 0, 1, 2], ("a", "b", "c"))
    floats = npz(tmp_path, x=PIXELS, y=[0.0, 1.0, 1.0, 0.0])
    with pytest.raises(TableError, match=r"mine\.npz: Labels are floats that look like classes"):
        load_raw(floats)
    assert load_raw(f"{floats}:regression=true").regression
    assert load_raw(floats, regression=False).labels.tolist() == [0, 1, 1, 0]


def test_what_has_no_labels_is_left_out(tmp_path: Path) -> None:
    raw = load_raw(npz(tmp_path, x_train=PIXELS, y_train=Y, x_test=PIXELS))
    assert raw.notes == ("`x_test` has no labels and is left out.",)
    assert len(raw) == 4


@pytest.mark.parametrize(
    ("columns", "said"),
    [
        ({"x_val": PIXELS[:0], "y_val": Y[:0]}, "`x_val` is empty"),
        ({"x_val": PIXELS, "y_val": Y[:2]}, "4 images and 2 labels in `x_val` and `y_val`"),
        ({"x_val": PIXELS[:, :2], "y_val": Y}, r"`x_val` is of the shape \(2, 5\) .* \(5, 5\)"),
        ({"x_val": PIXELS[..., None], "y_val": Y}, r"\(5, 5, 1\)"),
        ({"x_val": PIXELS / 9, "y_val": Y}, "float64, `x_train` of"),
        ({"x_train": np.full((4, 9), np.nan)}, "4 of 4 series have values that are NaN"),
        ({"x_train": np.full((4, 1, 3, 3), np.nan)}, "images are of type float64"),
        ({"x_train": np.full((4, 1, 3, 3), -1.0)}, "from -1 to -1.*as floats from 0 to 1"),
        ({"x_train": np.zeros((4, 1, 3, 3), complex)}, "complex"),
        ({"y_train": np.array([0.5, np.nan, 1, 2])}, "1 of 4 targets are NaN or infinite"),
        ({"y_train": np.array([0, 1, -1, 1])}, "The image 2 has the label -1"),
    ],
)
def test_what_does_not_fit(tmp_path: Path, columns: dict[str, object], said: str) -> None:
    with pytest.raises(TableError, match=rf"mine\.npz: .*{said}"):
        load_raw(npz(tmp_path, **{"x_train": PIXELS, "y_train": Y, **columns}))


def test_split_is_for_graphs(tmp_path: Path) -> None:
    with pytest.raises(TableError, match="`split` is for graphs"):
        load_raw(npz(tmp_path, x=PIXELS, y=Y), split=1)
