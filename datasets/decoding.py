"""Images of any mode and size, as bytes of one."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from io import BytesIO

import numpy as np
from jaxtyping import UInt8
from PIL import ExifTags, Image, ImageOps

from ..core.errors import UsageError

__all__ = ["Header", "header", "pixels"]

_GREY = ("1", "L", "LA", "La", "I", "F")
# Turns and mirrors that exchange width and height.
_SIDEWAYS = (5, 6, 7, 8)
_WHITE = (255, 255, 255, 255)
# What Pillow raises for files that are damaged, cut off or none of its formats.
_BROKEN = (
    *(OSError, SyntaxError, ValueError, EOFError, OverflowError, MemoryError),
    *(IndexError, KeyError, TypeError, Image.DecompressionBombError),
)


@dataclass(frozen=True)
class Header:
    """What is known of an image before it is decoded.

    Args:
        width: In pixels, after it is turned as its EXIF data say.
        height: The same.
        grey: Whether it has no colours.
    """

    width: int
    height: int
    grey: bool


def header(source: bytes | Image.Image, name: str) -> Header:
    """Reads the header of an image.

    Args:
        source: The bytes of a file, or an image of Pillow.
        name: What it is called in errors.

    Raises:
        UsageError: For what is no image.
    """
    with _opened(source, name) as image:
        width, height = image.size
        if image.getexif().get(ExifTags.Base.Orientation) in _SIDEWAYS:
            width, height = height, width
        return Header(width, height, image.mode.startswith(_GREY) and image.mode != "LAB")


def pixels(
    source: bytes | Image.Image, name: str, size: tuple[int, int], grey: bool, crop: bool
) -> UInt8[np.ndarray, "C H W"]:
    """Decodes an image.

    It is turned as its EXIF data say; transparency is laid over white; 16 bits are scaled to 8;
    palettes and CMYK become colours.

    Args:
        source: The bytes of a file, or an image of Pillow.
        name: What it is called in errors.
        size: Width and height of the result.
        grey: Whether one channel is wanted, not three.
        crop: Whether an image of another shape is cut at its longer sides before it is scaled.

    Raises:
        UsageError: For what is no image, or has more than 16 bits a channel.

    Example:
        >>> half = Image.new("LA", (2, 2), (0, 128))
        >>> pixels(half, "half", (1, 1), grey=True, crop=True).tolist()
        [[[127]]]
    """
    with _opened(source, name) as image:
        image.load()
        turned = ImageOps.exif_transpose(_of_8_bits(image, name))
        plain = _over_white(turned).convert("L" if grey else "RGB")
        if crop and plain.size != size:
            plain = ImageOps.fit(plain, size)
        return np.asarray(plain).reshape(size[1], size[0], -1).transpose(2, 0, 1)


def _of_8_bits(image: Image.Image, name: str) -> Image.Image:
    if not image.mode.startswith(("I", "F")):
        return image
    levels = np.asarray(image)
    if image.mode == "F" or int(levels.min()) < 0 or int(levels.max()) > 0xFFFF:
        raise UsageError(
            f"{name} has more than 16 bits a channel.", "Save it with 8 or 16, from 0 to the most."
        )
    # 65535 is white, as 255 is; 128 rounds.
    scaled = Image.fromarray(((levels.astype(np.uint32) + 128) // 257).astype(np.uint8))
    scaled.getexif()[ExifTags.Base.Orientation] = image.getexif().get(ExifTags.Base.Orientation, 1)
    return scaled


def _over_white(image: Image.Image) -> Image.Image:
    if not image.has_transparency_data:
        return image
    coloured = image.convert("RGBA")
    return Image.alpha_composite(Image.new("RGBA", coloured.size, _WHITE), coloured)


@contextmanager
def _opened(source: bytes | Image.Image, name: str) -> Iterator[Image.Image]:
    if isinstance(source, Image.Image):
        yield source
        return
    try:
        with Image.open(BytesIO(source)) as image:
            yield image
    except UsageError:
        raise
    except _BROKEN as error:
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        # Pillow names what it was given, which is no file here.
        said = "its bytes are those of no format" if "BytesIO" in reason else reason
        raise UsageError(
            f"{name} is no image that can be read: {said}.",
            "Leave it out, or go on without such files: skip_corrupt=true.",
        ) from None
