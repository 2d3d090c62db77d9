"""Search spaces: variables, DAGs and every space that ships; the lowest floor of the house."""

import lazy_loader

# Not lazily, as a module has the same name.
from .resolver import space as space

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
