"""Sheets of images, such as those that a generator makes."""

from __future__ import annotations

from io import BytesIO

import numpy as np
from jaxtyping import Float
from torch import Tensor

__all__ = ["image_sheet"]

GAP, GROUND = 2, 255
# Sides below this many pixels are enlarged.
LEGIBLE = 64


def image_sheet(images: Float[Tensor, "N C H W"], columns: int = 8) -> bytes:
    """Lays images out in rows, as a PNG file.

    Args:
        images: From -1 to 1, of one or three channels.
        columns: Images in a row.

    Example:
        >>> import torch
        >>> image_sheet(torch.zeros(3, 1, 8, 8), 2)[1:4]
        b'PNG'
    """
    from PIL import Image

    levels = ((images.detach().cpu().clamp(-1, 1) + 1) * 127.5).round().byte()
    count, channels, height, width = levels.shape
    rows = -(-count // columns)
    shape = (rows * (height + GAP) + GAP, columns * (width + GAP) + GAP, channels)
    sheet = np.full(shape, GROUND, dtype=np.uint8)
    for place, image in enumerate(levels.permute(0, 2, 3, 1).numpy()):
        top = GAP + place // columns * (height + GAP)
        left = GAP + place % columns * (width + GAP)
        sheet[top : top + height, left : left + width] = image
    made = Image.fromarray(sheet[:, :, 0] if channels == 1 else sheet)
    times = max(1, LEGIBLE // height)
    made = made.resize((made.width * times, made.height * times), Image.Resampling.NEAREST)
    file = BytesIO()
    made.save(file, format="PNG")
    return file.getvalue()
