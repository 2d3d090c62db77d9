"""Raw data sets, as users have them on disk: graphs and images."""

from __future__ import annotations

from .raw_data import RawGraph, RawImages, is_raw, load_raw

__all__ = ["RawGraph", "RawImages", "is_raw", "load_raw"]
