"""The parts that a graph's file gives, as numbers or as masks."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch

from ..core.errors import UsageError
from ..core.npz import Column
from .arrays import integers
from .labelled import Splits

__all__ = ["PART_COLUMNS", "given_parts"]

# Our names of the columns, and those of others.
PART_COLUMNS = {
    f"{part}_{form}": tuple(f"{name}_{form}" for name in names)
    for part, names in (("train", ("train",)), ("val", ("val", "valid")), ("test", ("test",)))
    for form in ("idx", "mask")
}


def given_parts(
    columns: Mapping[str, Column], count: int, split: int | None = None
) -> tuple[Splits | None, tuple[str, ...]]:
    """Takes the parts among the columns of a file, and says what it decided.

    Args:
        columns: By our names: ``train_idx``, or ``train_mask`` as ``[N]`` or, for ``S`` splits,
            ``[N, S]``.
        count: Number of examples.
        split: Which of several splits in masks, from 0; by default the first.

    Returns:
        None where no part was given.

    Raises:
        UsageError: For a part that is empty or of another shape, or a split that is not there.

    Example:
        >>> given_parts({"train_mask": np.array([[1, 0], [1, 1]], dtype=bool)}, 2, split=1)
        (Splits(train=1, val=0, test=0), ())
    """
    found, notes, several = {}, [], 1
    for part in ("train", "val", "test"):
        index, mask = columns.get(f"{part}_idx"), columns.get(f"{part}_mask")
        if index is not None:
            found[part] = integers(index, f"{part}_idx").reshape(-1)
        elif mask is not None:
            found[part], width = _marked(mask, f"{part}_mask", count, split)
            several = max(several, width)
        if part in found and not len(found[part]):
            raise UsageError(
                f"The {part} part is empty: nothing is in "
                f"`{part}_{'idx' if index is not None else 'mask'}`.",
                "Mark some examples, or leave it out to have the part drawn.",
            )
    if split is not None and several == 1:
        raise UsageError(f"There is one split, got split={split}.", "Leave the option out.")
    if several > 1 and split is None:
        notes.append(
            f"The masks hold {several} splits, of which the first is used; split=1 to "
            f"split={several - 1} takes another."
        )
    if not found:
        return None, ()
    return Splits(**{"train": torch.empty(0, dtype=torch.long)} | found), tuple(notes)


def _marked(mask: Column, name: str, count: int, split: int | None) -> tuple[torch.Tensor, int]:
    if mask.dtype.kind not in "biu" or mask.ndim not in (1, 2) or len(mask) != count or not count:
        raise UsageError(
            f"`{name}` has the shape {mask.shape} and the type {mask.dtype} for {count} nodes.",
            "Give one truth value for every node.",
        )
    # One mask beside several of the other parts goes with each of them.
    wide = mask.reshape(count, -1)
    width = wide.shape[1]
    if split is not None and width > 1 and not 0 <= split < width:
        raise UsageError(
            f"`{name}` holds {width} splits, got split={split}.",
            f"Choose one from 0 to {width - 1}.",
        )
    column = wide[:, split or 0] if width > 1 else wide[:, 0]
    return torch.from_numpy(np.flatnonzero(column)), width
