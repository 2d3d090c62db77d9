"""NAO: architectures from embeddings, optimised by gradient steps in the embedding."""

from __future__ import annotations

from .generator import NAO, Tally
from .network import NAONetwork
from .recipe import train_nao

__all__ = ["NAO", "NAONetwork", "Tally", "train_nao"]
