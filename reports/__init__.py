"""Reports: drawings of architectures, contact sheets, files that are whole or not there."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
