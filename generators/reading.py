"""Reading folders of generators: JSON and safetensors, and one clear error for all else."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from safetensors import SafetensorError

from ..core.errors import CheckpointError

__all__ = ["UNREADABLE", "first_line", "index_names", "read_json"]

# What reading a configuration and weights of another kind can end in.
UNREADABLE = (
    SafetensorError,
    ArithmeticError,
    AttributeError,
    LookupError,
    OSError,
    RuntimeError,
    TypeError,
    ValueError,
)


def first_line(error: Exception) -> str:
    """Returns the first line of what an error says, or its name.

    Args:
        error: Any.

    Example:
        >>> first_line(ValueError())
        'ValueError'
    """
    return (str(error).splitlines() or [type(error).__name__])[0]


def read_json(path: Path) -> dict[str, Any]:
    """Reads a JSON object.

    Args:
        path: A file in the folder of a generator.

    Raises:
        CheckpointError: Where there is none, or it is no JSON object.
    """
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise CheckpointError(
            f"{path.parent} holds no {path.name}.", "Give a folder written by `vitruvius train`."
        ) from error
    except (ValueError, RecursionError) as error:
        raise CheckpointError(f"{path} is not JSON: {error}.", "Copy the folder again.") from error
    if not isinstance(data, dict):
        raise CheckpointError(f"{path} holds no JSON object.", "Copy the folder again.")
    return data


def index_names(folder: str | Path, name: str) -> bool:
    """Tells whether the index in the folder of a generator names a class.

    Args:
        folder: Any path.
        name: Name of the class.

    Example:
        >>> index_names("nowhere", "NAO")
        False
    """
    index = Path(folder) / "model_index.json"
    return index.is_file() and f'"{name}"' in index.read_text(errors="replace")
