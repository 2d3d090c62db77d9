"""Encoders: layouts, message graphs, hand-made features and learned embeddings."""

from __future__ import annotations

from .encoder import Encoder
from .features import Counts, OneHot, one_hot, statistics
from .layout import Layout, Vocabulary
from .learned import LearnedEncoder
from .message_graph import MessageGraph
from .path import PathEncoding
from .resolver import encoder, encoder_names
from .views import Views
from .weisfeiler_lehman import WeisfeilerLehman

__all__ = [
    "Counts",
    "Encoder",
    "Layout",
    "LearnedEncoder",
    "MessageGraph",
    "OneHot",
    "PathEncoding",
    "Views",
    "Vocabulary",
    "WeisfeilerLehman",
    "encoder",
    "encoder_names",
    "one_hot",
    "statistics",
]
