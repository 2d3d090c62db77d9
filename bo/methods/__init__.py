"""Search methods: what a Bayesian search has to beat, and the choice among all by name."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
