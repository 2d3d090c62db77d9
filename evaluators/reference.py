"""Evaluators of one's own, by reference: ``train.py:evaluate`` or ``package.module:Trainer``."""

from __future__ import annotations

import importlib
import importlib.util
import re
import sys
from pathlib import Path
from types import ModuleType

import cloudpickle

from ..core.errors import UnknownNameError, UsageError
from ..spaces import Space
from .evaluator import Evaluator
from .function import FunctionEvaluator

__all__ = ["is_reference", "referenced"]

_REFERENCE = re.compile(r"(?P<home>.+):(?P<name>[A-Za-z_]\w*)")


def is_reference(text: str) -> bool:
    """Whether a text is a reference.

    Example:
        >>> is_reference("train.py:evaluate"), is_reference("cora")
        (True, False)
    """
    return _REFERENCE.fullmatch(text) is not None


def referenced(space: Space, text: str, metrics: str) -> Evaluator:
    """Loads an evaluator.

    Args:
        space: Whose architectures to evaluate.
        text: ``file.py:name`` or ``package.module:name``. The name is that of an `Evaluator`, of a
            subclass, which is called with the space, or of a function for `FunctionEvaluator`.
        metrics: Names of a function's metrics.

    Raises:
        UsageError: Where it cannot be imported, or is nothing of the kind.
        UnknownNameError: Where the file or module has no such name.

    Example:
        >>> from vitruvius.spaces import space
        >>> cells = space("nasbench201")
        >>> referenced(cells, "collections:Counter", "skip").metrics["skip"].better
        'higher'
    """
    match = _REFERENCE.fullmatch(text)
    assert match is not None
    module = _module(match["home"])
    if not hasattr(module, match["name"]):
        public = [name for name in vars(module) if not name.startswith("_")]
        raise UnknownNameError.of(f"name in {match['home']}", match["name"], public)
    found = getattr(module, match["name"])
    if isinstance(found, type) and issubclass(found, Evaluator):
        found = found(space)  # type: ignore[call-arg]
    if isinstance(found, Evaluator):
        if found.space.name != space.name:
            raise UsageError(
                f"{text} evaluates {found.space.name}, not {space.name}.", "Search that space."
            )
        return found
    if not callable(found):
        raise UsageError(f"{text} is a {type(found).__name__}.", "Name a function or an Evaluator.")
    return FunctionEvaluator(space, found, metrics)


def _module(home: str) -> ModuleType:
    try:
        if not home.endswith(".py"):
            return importlib.import_module(home)
        path = Path(home).resolve()
        if not path.is_file():
            raise UsageError(f"There is no file {home}.", "Is the path right?")
        # Not by its own name, which may be that of another module.
        name = f"_evaluator_{path.stem}"
        specification = importlib.util.spec_from_file_location(name, path)
        assert specification is not None
        assert specification.loader is not None
        module = importlib.util.module_from_spec(specification)
        sys.modules[name] = module
        # As for a script, so that it finds the modules beside it.
        sys.path.insert(0, str(path.parent))
        specification.loader.exec_module(module)
    except UsageError:
        raise
    except Exception as error:
        raise UsageError(
            f"{home} cannot be imported: {type(error).__name__}: {error}.", "Run it by itself."
        ) from error
    # Workers cannot import it, so they get its code.
    cloudpickle.register_pickle_by_value(module)
    return module
