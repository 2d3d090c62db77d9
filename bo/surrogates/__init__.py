"""What is believed about architectures that were not evaluated."""

from __future__ import annotations

from .averaged_gp import AveragedGP
from .pool_model import PoolModel
from .views import Encoded, Views

__all__ = ["AveragedGP", "Encoded", "PoolModel", "Views"]
