"""Zero-cost proxies: what untrained networks tell of what they will be."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
