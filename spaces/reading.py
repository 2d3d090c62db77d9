"""Lists of architectures in text files."""

from __future__ import annotations

from pathlib import Path

import torch
from jaxtyping import Int
from torch import Tensor

from ..core.errors import ArchitectureError, UsageError
from ..core.texts import numbered_lines, read_text
from .space import Space

__all__ = ["read_rows"]


def read_rows(space: Space, path: str | Path) -> Int[Tensor, "B V"]:
    """Reads a file with one architecture a line.

    Blank lines are skipped, and those that begin with ``#``, which no architecture does.

    Args:
        space: The space of the architectures.
        path: The file.

    Returns:
        Their choice indices, as they are written.

    Raises:
        UsageError: Where it is no text, or holds no architecture.
        ArchitectureError: For a line that is no architecture of the space.

    Example:
        >>> import tempfile
        >>> from vitruvius.spaces import space
        >>> cells, file = space("nasbench201"), Path(tempfile.mkdtemp()) / "pool.txt"
        >>> _ = file.write_text(cells.to_string(cells.example), encoding="utf-16")
        >>> read_rows(cells, file).tolist() == [list(cells.example)]
        True
    """
    path = Path(path)
    rows = []
    for number, line in numbered_lines(read_text(path)):
        if line.startswith("#"):
            continue
        try:
            rows.append(space.architecture(line).indices)
        except ArchitectureError as error:
            raise ArchitectureError(
                f"Line {number} of {path.name}: {error.message}", error.hint
            ) from None
    if not rows:
        raise UsageError(f"{path.name} holds no architectures.", "Write one a line.")
    return torch.tensor(rows, dtype=torch.long)
