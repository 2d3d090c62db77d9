import sys
from pathlib import Path
from types import ModuleType

import pytest
from PIL import Image

from vitruvius.core.errors import MissingExtraError, TableError, UnknownNameError
from vitruvius.datasets import RawImages, load_raw


class ByTrain:
    """As CIFAR10: two parts by `train`, labels in `targets`."""

    classes = ("cat", "dog")

    def __init__(self, root: str, train: bool = True, download: bool = False) -> None:
        self.root, self.targets = Path(root), [0, 1, 1] if train else [1]
        if not download:
            raise RuntimeError("Dataset not found")

    def __len__(self) -> int:
        return len(self.targets)

    def __getitem__(self, place: int) -> tuple[Image.Image, int]:
        return Image.new("RGB", (4, 4), (10 * len(self) + place, 0, 0)), self.targets[place]


class BySplit:
    """As Flowers102: parts by `split`, labels in `_labels`, images of several sizes."""

    def __init__(self, root: str, split: str = "train") -> None:
        if split not in ("train", "val", "test"):
            raise ValueError(split)
        self._labels = {"train": [1, 0], "val": [0], "test": [1, 1]}[split]

    def __len__(self) -> int:
        return len(self._labels)

    def __getitem__(self, place: int) -> tuple[Image.Image, int]:
        return Image.new("L", (6 + place, 9), 7), self._labels[place]


class Offline:
    def __init__(self, root: str) -> None:
        raise OSError("network is unreachable")


@pytest.fixture
def torchvision(monkeypatch: pytest.MonkeyPatch) -> None:
    """A package of that name, with the ways in which its data sets differ."""
    sets = ModuleType("torchvision.datasets")
    members = {"CIFAR10": ByTrain, "Flowers102": BySplit, "Offline": Offline, "FakeData": Offline}
    vars(sets).update(members, __all__=tuple(members))
    monkeypatch.setitem(sys.modules, "torchvision", ModuleType("torchvision"))
    monkeypatch.setitem(sys.modules, "torchvision.datasets", sets)


@pytest.mark.usefixtures("torchvision")
def test_parts_by_train() -> None:
    raw = load_raw("torchvision:CIFAR10")
    assert isinstance(raw, RawImages)
    assert raw.images[:, 0, 0, 0].tolist() == [30, 31, 32, 10]
    assert (raw.labels.tolist(), raw.class_names) == ([0, 1, 1, 1], ("cat", "dog"))
    assert raw.splits is not None
    assert [len(part) for part in raw.splits.parts().values()] == [3, 0, 1]


@pytest.mark.usefixtures("torchvision")
def test_parts_by_split() -> None:
    raw = load_raw("torchvision:Flowers102:resolution=5")
    assert isinstance(raw, RawImages)
    assert raw.images.shape == (5, 1, 5, 5)
    assert raw.splits is not None
    assert [len(part) for part in raw.splits.parts().values()] == [2, 1, 2]
    assert raw.labels[raw.splits.train].tolist() == [1, 0]
    assert load_raw("torchvision:flowers102").task.resolution == 6


@pytest.mark.usefixtures("torchvision")
def test_what_cannot_be_had() -> None:
    with pytest.raises(UnknownNameError, match="Unknown data set of torchvision 'cifar1'"):
        load_raw("torchvision:cifar1")
    with pytest.raises(UnknownNameError, match="FakeData"):
        load_raw("torchvision:FakeData")
    with pytest.raises(TableError, match="cannot be downloaded: network is unreachable"):
        load_raw("torchvision:Offline")
    with pytest.raises(UnknownNameError, match="option of torchvision:CIFAR10"):
        load_raw("torchvision:CIFAR10:size=3")


def test_without_the_package(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "torchvision.datasets", None)
    with pytest.raises(MissingExtraError, match=r"vitruvius\[vision\]"):
        load_raw("torchvision:CIFAR10")


def test_a_package_for_another_torch(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "torchvision").mkdir()
    (tmp_path / "torchvision" / "__init__.py").write_text(
        "raise RuntimeError('operator torchvision::nms does not exist')"
    )
    for name in ("torchvision", "torchvision.datasets"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    monkeypatch.syspath_prepend(str(tmp_path))
    with pytest.raises(MissingExtraError, match=r"does not go with torch .*nms does not exist"):
        load_raw("torchvision:CIFAR10")
