"""What is believed about architectures that were not evaluated."""

from __future__ import annotations

from .pool_model import PoolModel

__all__ = ["PoolModel"]
