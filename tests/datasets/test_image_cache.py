import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from io import BytesIO
from pathlib import Path

import pytest
from PIL import Image

from vitruvius.core.errors import UsageError
from vitruvius.datasets import image_cache
from vitruvius.datasets.image_cache import Source, decode


@pytest.fixture
def entries(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where decoded images are kept."""
    monkeypatch.setenv("VITRUVIUS_CACHE", str(tmp_path))
    return tmp_path / "images"


def sources(*shades: int, side: int = 4) -> list[Source]:
    def png(shade: int) -> bytes:
        file = BytesIO()
        Image.new("RGB", (side, side), (shade, 0, 0)).save(file, "png")
        return file.getvalue()

    return [Source(f"{place}.png", partial(png, shade)) for place, shade in enumerate(shades)]


def refuse(*_: object) -> None:
    raise AssertionError("decoded again")


def test_images_are_decoded_once(entries: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = decode(sources(1, 2, 3))
    assert first.images[:, 0, 0, 0].tolist() == [1, 2, 3]
    assert len(list(entries.iterdir())) == 1
    monkeypatch.setattr(image_cache, "pixels", refuse)
    assert decode(sources(1, 2, 3)).images.equal(first.images)
    for others in (sources(1, 2, 4), sources(1, 2), sources(2, 1, 3)):
        with pytest.raises(AssertionError, match="again"):
            decode(others)
    for resolution in (3, 5):
        with pytest.raises(AssertionError, match="again"):
            decode(sources(1, 2, 3), resolution)


def test_what_is_written_to_images_is_not_kept(entries: Path) -> None:
    images = decode(sources(1, 2)).images
    images.zero_()
    assert decode(sources(1, 2)).images[:, 0, 0, 0].tolist() == [1, 2]


def test_an_interruption_leaves_nothing(entries: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    decoded = image_cache.pixels

    def stopped(source: bytes, name: str, *form: object) -> object:
        if name == "2.png":
            raise KeyboardInterrupt
        return decoded(source, name, *form)  # type: ignore[arg-type]

    with monkeypatch.context() as patch:
        patch.setattr(image_cache, "pixels", stopped)
        patch.setattr(image_cache, "CHUNK", 1)
        with pytest.raises(KeyboardInterrupt):
            decode(sources(1, 2, 3, 4))
    assert list(entries.iterdir()) == []
    assert decode(sources(1, 2, 3, 4)).images[:, 0, 0, 0].tolist() == [1, 2, 3, 4]


@pytest.mark.parametrize("damage", ["short", "no meta", "broken meta", "empty"])
def test_a_damaged_entry_is_made_again(
    entries: Path, damage: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    decode(sources(1, 2))
    (entry,) = entries.iterdir()
    if damage == "short":
        (entry / image_cache.PIXELS).write_bytes(b"12")
    elif damage == "empty":
        for file in entry.iterdir():
            file.unlink()
    elif damage == "no meta":
        (entry / image_cache.META).unlink()
    else:
        (entry / image_cache.META).write_text("{")
    assert decode(sources(1, 2)).images[:, 0, 0, 0].tolist() == [1, 2]
    assert list(entries.iterdir()) == [entry]
    monkeypatch.setattr(image_cache, "pixels", refuse)
    assert decode(sources(1, 2)).images[:, 0, 0, 0].tolist() == [1, 2]


def test_several_at_once_write_one_entry(entries: Path) -> None:
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda _: decode(sources(*range(40))).images[:, 0, 0, 0], range(4)))
    assert all(each.tolist() == list(range(40)) for each in found)
    assert len(list(entries.iterdir())) == 1


@pytest.mark.slow
def test_two_processes_at_once(entries: Path, tmp_path: Path) -> None:
    folder = tmp_path / "photos"
    for name in "ab":
        (folder / name).mkdir(parents=True)
        for shade in range(40):
            Image.new("L", (64, 64), shade).save(folder / name / f"{shade:02}.png")
    script = (
        "import sys; from vitruvius.datasets import load_raw;"
        " print(load_raw(sys.argv[1]).images[:, 0, 0, 0].tolist())"
    )
    command = [sys.executable, "-c", script, str(folder)]
    started = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    told = [process.communicate()[0].strip() for process in started]
    assert told == [str([*range(40), *range(40)])] * 2
    assert len(list(entries.iterdir())) == 1


def test_sizes_and_channels(entries: Path) -> None:
    mixed = sources(5, side=9) + sources(6, side=6)
    assert decode(mixed).images.shape == (2, 3, 6, 6)
    assert decode(mixed, 12).images.shape == (2, 3, 12, 12)
    wide = [Source("wide", lambda: Image.new("L", (8, 4)))]
    assert decode(wide).images.shape == (1, 1, 4, 8)
    assert decode(wide, 4).images.shape == (1, 1, 4, 4)


def test_what_cannot_be_read(entries: Path, tmp_path: Path) -> None:
    gone = Source("gone.png", (tmp_path / "gone.png").read_bytes)
    with pytest.raises(UsageError, match=r"gone\.png cannot be read: No such file"):
        decode([*sources(1), gone])
    left = decode([gone, *sources(1)], skip_corrupt=True)
    assert (left.kept, left.images.shape) == ([1], (1, 3, 4, 4))
    with pytest.raises(UsageError, match=r"None of 1 images can be read: gone\.png"):
        decode([gone], skip_corrupt=True)
