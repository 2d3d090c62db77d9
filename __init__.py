"""Vitruvius: sample, search and transfer neural-network architectures.

Example:
    >>> import vitruvius
    >>> vitruvius.space("nasbench201").architecture_count
    6466
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from . import bo, datasets, encoders, evaluators, generators, predictors, reports, spaces
    from .core.errors import VitruviusError
    from .evaluators import evaluator
    from .spaces import Architecture, space
    from .verbs.design import design
    from .verbs.doctor import doctor
    from .verbs.export import export
    from .verbs.report import report
    from .verbs.sample import sample
    from .verbs.search import resume, search
    from .verbs.serve import serve
    from .verbs.transfer import transfer

__all__ = [
    "Architecture",
    "VitruviusError",
    "bo",
    "datasets",
    "design",
    "doctor",
    "encoders",
    "evaluator",
    "evaluators",
    "export",
    "generators",
    "predictors",
    "report",
    "reports",
    "resume",
    "sample",
    "search",
    "serve",
    "space",
    "spaces",
    "transfer",
]
__version__ = "0.2.0"

# Loaded on first use: `vitruvius --help` must answer without importing torch.
_HOMES = {
    "Architecture": "spaces",
    "VitruviusError": "core.errors",
    "design": "verbs.design",
    "doctor": "verbs.doctor",
    "evaluator": "evaluators",
    "export": "verbs.export",
    "report": "verbs.report",
    "resume": "verbs.search",
    "sample": "verbs.sample",
    "search": "verbs.search",
    "serve": "verbs.serve",
    "space": "spaces",
    "transfer": "verbs.transfer",
}


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(import_module(f".{_HOMES[name]}", __name__), name)
    if name in __all__:
        return import_module(f".{name}", __name__)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
