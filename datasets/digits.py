"""The handwritten digits that scikit-learn brings: data for a first try, without a download."""

from __future__ import annotations

import numpy as np
import torch

from .raw_images import RawImages, channels_first

__all__ = ["digits"]

# Grey levels of the file, which are counts of pixels set in blocks of 4 x 4.
LEVELS = 16


def digits() -> RawImages:
    """Reads 1,797 grey images of 8 × 8 pixels in ten classes, without given parts.

    They are the test part of Alpaydin & Kaynak, Optical Recognition of Handwritten Digits, 1998
    (https://doi.org/10.24432/C50P49).

    Example:
        >>> digits().task
        ImageTask(classes=10, channels=1, resolution=8)
    """
    from sklearn.datasets import load_digits

    bunch = load_digits()
    levels = np.rint(bunch.images * (255 / LEVELS)).astype(np.uint8)
    labels = torch.from_numpy(bunch.target.astype(np.int64))
    return RawImages(
        channels_first(levels), labels, class_names=tuple(str(name) for name in bunch.target_names)
    )
