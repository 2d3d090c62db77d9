"""Executors: where evaluations run."""

import lazy_loader

# Not lazily, as a module has the same name.
from .resolver import executor as executor

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
