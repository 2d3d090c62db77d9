"""The run store: what a search has proposed and measured, in an Optuna storage."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
