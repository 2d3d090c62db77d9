"""Predictors: learned properties with uncertainty, and the value of meeting a target."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
