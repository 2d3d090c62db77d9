import sys
from io import BytesIO
from types import ModuleType
from typing import Any

import pytest
from PIL import Image

from vitruvius.core.errors import MissingExtraError, TableError
from vitruvius.datasets import RawImages, load_raw


class ClassLabel:
    names = ("cat", "dog")


class Value: ...


class HubImage:
    def __init__(self, decode: bool = True) -> None:
        self.decode = decode


def png(shade: int) -> bytes:
    file = BytesIO()
    Image.new("L", (3, 3), shade).save(file, "png")
    return file.getvalue()


class Part:
    """Rows of an image and a class, as the package gives them where images are not decoded."""

    def __init__(self, labels: list[int], label: object) -> None:
        self.labels = labels
        self.features = {"id": Value(), "img": _named(HubImage(), "Image"), "label": label}

    def cast_column(self, name: str, kind: HubImage) -> "Part":
        assert (name, kind.decode) == ("img", False)
        return self

    def __getitem__(self, key: str | int) -> Any:
        if isinstance(key, str):
            return {"label": self.labels, "id": list(range(len(self.labels)))}[key]
        return {"img": {"bytes": png(100 + key), "path": None}}


def _named(made: object, name: str) -> object:
    return type(name, (), {})() if type(made).__name__ != name else made


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """A package `datasets`; what its data sets hold can be changed."""
    sets: dict[str, Any] = {
        "my/cats": {
            "train": Part([0, 1, 1], ClassLabel()),
            "validation": Part([0], ClassLabel()),
            "test": Part([-1, 1], ClassLabel()),
            "unsupervised": Part([-1], ClassLabel()),
        }
    }

    def load_dataset(name: str, config: str | None) -> Any:
        if name not in sets:
            raise FileNotFoundError(f"{name} ({config}) is not on the Hub")
        return sets[name]

    package = ModuleType("datasets")
    vars(package).update(load_dataset=load_dataset, Image=HubImage)
    monkeypatch.setitem(sys.modules, "datasets", package)
    return sets


@pytest.mark.usefixtures("hub")
def test_parts_classes_and_their_names() -> None:
    raw = load_raw("huggingface:my/cats")
    assert isinstance(raw, RawImages)
    assert raw.images[:, 0, 0, 0].tolist() == [100, 101, 102, 100, 101]
    assert (raw.labels.tolist(), raw.class_names) == ([0, 1, 1, 0, 1], ("cat", "dog"))
    assert raw.splits is not None
    assert [len(part) for part in raw.splits.parts().values()] == [3, 1, 1]
    assert load_raw("huggingface:my/cats:resolution=2").task.resolution == 2


def test_columns_are_found_or_named(hub: dict[str, Any]) -> None:
    hub["plain"] = {"train": Part([0, 1], Value())}
    with pytest.raises(TableError, match=r"no column of classes.*label=COLUMN"):
        load_raw("huggingface:plain")
    assert load_raw("huggingface:plain:label=label").labels.tolist() == [0, 1]
    with pytest.raises(TableError, match=r"no column 'class'\. Its columns: id, img, label"):
        load_raw("huggingface:plain:label=class")


def test_what_cannot_be_had(hub: dict[str, Any]) -> None:
    with pytest.raises(TableError, match=r"dogs \(big\) is not on the Hub"):
        load_raw("huggingface:my/dogs:config=big")
    with pytest.raises(TableError, match="needs a name"):
        load_raw("huggingface")
    hub["odd"] = {"test": Part([0], ClassLabel())}
    with pytest.raises(TableError, match="parts test, none to train on"):
        load_raw("huggingface:odd")


def test_without_the_package(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "datasets", None)
    with pytest.raises(MissingExtraError, match=r"vitruvius\[hub\]"):
        load_raw("huggingface:my/cats")
    # A checkout's own folder is found where Python looks first.
    monkeypatch.setitem(sys.modules, "datasets", ModuleType("datasets"))
    with pytest.raises(MissingExtraError, match="another one was found"):
        load_raw("huggingface:my/cats")
