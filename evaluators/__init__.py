"""The truth about architectures: metrics, targets, benchmark tables; the second floor."""

import lazy_loader

# Not lazily, as a module has the same name.
from .resolver import evaluator as evaluator

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
