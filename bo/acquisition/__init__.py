"""Acquisition functions, and the models and inputs that BoTorch's take."""

from __future__ import annotations

from .pool_model import PoolModel

__all__ = ["PoolModel"]
