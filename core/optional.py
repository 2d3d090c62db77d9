"""Optional parts: import a package or say which extra installs it."""

from __future__ import annotations

import importlib
from types import ModuleType

from .errors import MissingExtraError


def optional_import(name: str, *, extra: str) -> ModuleType:
    """Imports ``name`` or raises an error that names the extra which brings it.

    Args:
        name: Module to import, e.g. ``"matplotlib.pyplot"``.
        extra: The extra of this package that installs it.

    Raises:
        MissingExtraError: Where the module is not installed.
    """
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        raise MissingExtraError(
            f"This needs the package {name.split('.')[0]!r}, which is not installed.",
            f'Install it with: pip install "vitruvius[{extra}]"',
        ) from error
