"""Encoders: layouts, message graphs and hand-made features of architectures."""

from __future__ import annotations

from .features import one_hot, statistics
from .layout import Layout, Vocabulary
from .message_graph import MessageGraph
from .path import PathEncoding
from .weisfeiler_lehman import WeisfeilerLehman

__all__ = [
    "Layout",
    "MessageGraph",
    "PathEncoding",
    "Vocabulary",
    "WeisfeilerLehman",
    "one_hot",
    "statistics",
]
