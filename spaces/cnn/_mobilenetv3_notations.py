"""Networks of Once-for-All as its own package writes them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ..literals import integers

__all__ = ["row_of_settings"]

UNITS, SLOTS, SHALLOWEST = 5, 4, 2
NO_WIDTH = (None, 0, 1, [None], [0], [1])


def row_of_settings(
    said: Mapping[Any, Any],
    *,
    resolutions: Sequence[int],
    kernels: Sequence[int],
    expansions: Sequence[int],
) -> tuple[int, ...]:
    """Returns the choices of what ``sample_active_subnet`` of Once-for-All prints.

    Args:
        said: ``ks`` and ``e`` for every slot, or for those in use alone; ``d``; ``r``; ``wid`` or
            ``w`` where it is the width 1.0.
        resolutions: The choices of ``r``.
        kernels: The choices of an entry of ``ks``.
        expansions: The choices of an entry of ``e``.

    Raises:
        ValueError: For settings that are no network of the space; says why.
    """
    if lacking := [name for name in ("ks", "e", "d", "r") if name not in said]:
        raise ValueError(f"it lacks {', '.join(lacking)}")
    width = said.get("wid", said.get("w"))
    if width not in NO_WIDTH:
        raise ValueError(f"networks have the width 1.0, got {width!r}")
    sizes, depths = integers(said["r"], "resolutions"), integers(said["d"], "depths")
    if len(sizes) != 1 or sizes[0] not in resolutions:
        raise ValueError(
            f"the resolution is {resolutions[0]} to {resolutions[-1]} in steps of 4, got {sizes}"
        )
    if len(depths) != UNITS or not all(SHALLOWEST <= depth <= SLOTS for depth in depths):
        raise ValueError(f"`d` has {UNITS} depths of {SHALLOWEST} to {SLOTS}, got {depths}")
    slots = [
        _by_slot(integers(said[name], name), depths, name, choices)
        for name, choices in (("ks", kernels), ("e", expansions))
    ]
    row = [resolutions.index(sizes[0])]
    for unit, depth in enumerate(depths):
        row.append(depth - SHALLOWEST)
        for slot in range(unit * SLOTS, (unit + 1) * SLOTS):
            row += [indices[slot] for indices in slots]
    return tuple(row)


def _by_slot(
    listed: Sequence[int], depths: Sequence[int], name: str, choices: Sequence[int]
) -> list[int]:
    """The index of the choice in every slot; 0 in those that are not in use."""
    whole = len(listed) == UNITS * SLOTS
    if not whole and len(listed) != sum(depths):
        raise ValueError(f"`{name}` has {UNITS * SLOTS} entries, got {len(listed)}")
    indices, at = [], 0
    for unit, depth in enumerate(depths):
        first = unit * SLOTS if whole else at
        for entry in listed[first : first + depth]:
            if entry not in choices:
                known = ", ".join(map(str, choices))
                raise ValueError(f"`{name}` takes {known}, got {entry}")
            indices.append(choices.index(entry))
        indices += [0] * (SLOTS - depth)
        at += depth
    return indices
