"""Encoders of architectures (layouts, features, learned embeddings) and of tasks."""

import lazy_loader

# Not lazily, as a module has the same name.
from .resolver import encoder as encoder

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
