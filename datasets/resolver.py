"""From a name to a raw data set, of what ships and of installed packages."""

from __future__ import annotations

from ..core.registry import Registry

__all__ = ["DATASETS"]

# A member is called without arguments and returns `RawGraph` or `RawImages`.
DATASETS = Registry("data set", "vitruvius.datasets", {})
