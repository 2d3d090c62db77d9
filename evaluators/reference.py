"""Evaluators of one's own, by reference: ``train.py:evaluate`` or ``package.module:Trainer``."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from importlib import import_module, invalidate_caches
from importlib.util import find_spec, module_from_spec, spec_from_file_location
from pathlib import Path
from types import MappingProxyType, ModuleType
from typing import Any

import cloudpickle

from ..core.errors import UnknownNameError, UsageError
from ..core.options import check_options
from ..spaces import Space
from .evaluator import Evaluator
from .function import FunctionEvaluator

__all__ = ["code_of_files", "is_reference", "referenced"]

NOTHING: Mapping[str, Any] = MappingProxyType({})
_FILES: list[ModuleType] = []
_REFERENCE = re.compile(r"(?P<home>.+):(?P<name>[A-Za-z_]\w*)")


def is_reference(text: str) -> bool:
    """Whether a text is a reference.

    Example:
        >>> is_reference("train.py:evaluate"), is_reference("cora")
        (True, False)
    """
    return _REFERENCE.fullmatch(text) is not None


def referenced(
    space: Space, text: str, metrics: str, options: Mapping[str, Any] = NOTHING
) -> Evaluator:
    """Loads an evaluator.

    Args:
        space: The space of the architectures.
        text: ``file.py:name`` or ``package.module:name``. The name is that of an `Evaluator`, of a
            subclass, which is called with the space, or of a function for `FunctionEvaluator`.
        metrics: Names of a function's metrics.
        options: Arguments by keyword of the subclass or function.

    Raises:
        UsageError: Where it cannot be imported, or is nothing of the kind.
        UnknownNameError: Where the file or module has no such name, or for an option that is none.

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
    if options and callable(found):
        check_options(text, options, found)
    if isinstance(found, type) and issubclass(found, Evaluator):
        found = found(space, **options)
    if isinstance(found, Evaluator):
        if found.space.name != space.name:
            raise UsageError(
                f"{text} evaluates {found.space.name}, not {space.name}.", "Search that space."
            )
        return found
    if not callable(found):
        raise UsageError(f"{text} is a {type(found).__name__}.", "Name a function or an Evaluator.")
    return FunctionEvaluator(space, partial(found, **options) if options else found, metrics)


@contextmanager
def code_of_files() -> Iterator[None]:
    """Lets what is pickled hold the code of files, for machines that do not have them."""
    for module in _FILES:
        cloudpickle.register_pickle_by_value(module)
    try:
        yield
    finally:
        for module in _FILES:
            cloudpickle.unregister_pickle_by_value(module)


def _module(home: str) -> ModuleType:
    try:
        return _of_file(Path(home).resolve()) if home.endswith(".py") else import_module(home)
    except UsageError:
        raise
    except Exception as error:
        raise UsageError(
            f"{home} cannot be imported: {type(error).__name__}: {error}.", "Run it by itself."
        ) from error


def _of_file(path: Path) -> ModuleType:
    """Imports a file as a script's neighbour would: by its own name, its folder on the path.

    Workers, and the processes that an evaluator starts in them, then find it by that name. Where
    the name is another module's already, the file gets one of its own, and workers its code.
    """
    if not path.is_file():
        raise UsageError(f"There is no file {path}.", "Is the path right?")
    # As for a script, so that it finds the modules beside it.
    if str(path.parent) not in sys.path:
        sys.path.insert(0, str(path.parent))
    invalidate_caches()
    known = sys.modules.get(path.stem)
    if known is not None and _is_of(known, path):
        return known
    if known is None and path.stem.isidentifier() and _found(path.stem) == path:
        _FILES.append(import_module(path.stem))
        return _FILES[-1]
    name = f"_evaluator_{path.stem}"
    specification = spec_from_file_location(name, path)
    assert specification is not None
    assert specification.loader is not None
    module = module_from_spec(specification)
    sys.modules[name] = module
    specification.loader.exec_module(module)
    cloudpickle.register_pickle_by_value(module)
    return module


def _is_of(module: ModuleType, path: Path) -> bool:
    file = getattr(module, "__file__", None)
    return file is not None and Path(file).resolve() == path


def _found(name: str) -> Path | None:
    specification = find_spec(name)
    origin = None if specification is None else specification.origin
    return None if origin is None else Path(origin).resolve()
