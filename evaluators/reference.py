"""Evaluators of one's own, by reference: ``train.py:evaluate`` or ``package.module:Trainer``."""

from __future__ import annotations

import atexit
import getpass
import io
import os
import re
import shutil
import stat
import sys
import tempfile
import zlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from functools import cache, partial, update_wrapper
from importlib import import_module, invalidate_caches
from importlib.util import find_spec
from pathlib import Path
from types import MappingProxyType, ModuleType
from typing import Any
from weakref import WeakKeyDictionary

import cloudpickle

from ..core.errors import UnknownNameError, UsageError
from ..core.options import check_options
from ..core.torch_state import users_torch_state
from ..spaces import Space
from .evaluator import Evaluator
from .function import FunctionEvaluator

__all__ = ["code_of_files", "import_reference", "is_reference", "pickled", "referenced"]

# Windows has no numbers of users.
USER: Callable[[], object] = getattr(os, "getuid", getpass.getuser)
NOTHING: Mapping[str, Any] = MappingProxyType({})
_FILES: list[ModuleType] = []
_ALIASES: dict[Path, ModuleType] = {}
# How evaluators that came by reference were made.
_MADE: WeakKeyDictionary[Evaluator, tuple[Any, tuple[Any, ...]]] = WeakKeyDictionary()
_BY_VALUE = ContextVar("_BY_VALUE", default=False)
# A module of another name than its file.
RUN = """import sys
from importlib.machinery import SourceFileLoader

__file__ = {path!r}
SourceFileLoader(__name__, __file__).exec_module(sys.modules[__name__])
"""
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
    home, name, found = import_reference(text)
    if options and callable(found):
        check_options(text, options, found)
    if isinstance(found, type) and issubclass(found, Evaluator):
        found = found(space, **options)
    if isinstance(found, Evaluator):
        if found.space.name != space.name:
            raise UsageError(
                f"{text} evaluates {found.space.name}, not {space.name}.", "Search that space."
            )
        with suppress(TypeError):  # where it has no hash
            _MADE[found] = (referenced, (space, text, metrics, dict(options)))
        return found
    if not callable(found):
        raise UsageError(f"{text} is a {type(found).__name__}.", "Name a function or an Evaluator.")
    named = _Named(home, name, found)
    return FunctionEvaluator(space, partial(named, **options) if options else named, metrics)


def import_reference(text: str) -> tuple[str, str, Any]:
    """Imports what a reference names.

    Args:
        text: ``file.py:name`` or ``package.module:name``.

    Returns:
        The file or module, the name, and what it is of.

    Raises:
        UsageError: Where it cannot be imported.
        UnknownNameError: Where the file or module has no such name.

    Example:
        >>> import_reference("collections:Counter")[1]
        'Counter'
    """
    match = _REFERENCE.fullmatch(text)
    if match is None:
        raise UsageError(f"{text!r} is no reference.", "Give FILE.py:NAME or PACKAGE.MODULE:NAME.")
    home = match["home"]
    if home.endswith(".py"):
        home = str(Path(home).resolve())
    return home, match["name"], _attribute(home, match["name"])


def pickled(evaluator: Evaluator) -> bytes:
    """Pickles an evaluator for another process of this machine.

    One that came by reference and holds what cannot be sent, such as an open file, is made anew
    over there.

    Args:
        evaluator: The evaluator.

    Raises:
        Exception: Whatever pickling raises.
    """
    try:
        sent: bytes = cloudpickle.dumps(evaluator)
    except Exception:
        buffer = io.BytesIO()
        _Remaking(buffer).dump(evaluator)
        sent = buffer.getvalue()
    return sent


class _Remaking(cloudpickle.Pickler):
    """Sends how an evaluator was made in the place of it."""

    def reducer_override(self, obj: Any) -> Any:
        made = _MADE.get(obj) if isinstance(obj, Evaluator) else None
        return super().reducer_override(obj) if made is None else made


class _Named:
    """What has a name in a file or module, which other processes look up there."""

    def __init__(self, home: str, name: str, function: Any) -> None:
        self._place, self._function = (home, name), function
        update_wrapper(self, function, updated=())

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return self._function(*args, **kwargs)

    def __reduce__(self) -> Any:
        if _BY_VALUE.get():
            return partial(_Named, *self._place), (self._function,)
        return _named, self._place


def _named(home: str, name: str) -> _Named:
    return _Named(home, name, _attribute(home, name))


def _attribute(home: str, name: str) -> Any:
    module = _module(home)
    if not hasattr(module, name):
        public = [known for known in vars(module) if not known.startswith("_")]
        raise UnknownNameError.of(f"name in {home}", name, public)
    return getattr(module, name)


@contextmanager
def code_of_files() -> Iterator[None]:
    """Lets what is pickled hold the code of files, for machines that do not have them."""
    for module in _FILES:
        cloudpickle.register_pickle_by_value(module)
    token = _BY_VALUE.set(True)
    try:
        yield
    finally:
        _BY_VALUE.reset(token)
        for module in _FILES:
            cloudpickle.unregister_pickle_by_value(module)


def _module(home: str) -> ModuleType:
    try:
        with users_torch_state():
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
    the name is another module's already, or none, the file gets one of its own: that of a module
    beside no other, which runs the file.
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
        module = import_module(path.stem)
    elif path in _ALIASES:
        return _ALIASES[path]
    else:
        module = _ALIASES[path] = import_module(_alias(path))
    _FILES.append(module)
    return module


def _alias(path: Path) -> str:
    """Writes a module that runs a file, where this process and those it starts find it."""
    name = f"_evaluator_{re.sub(r'[^0-9A-Za-z_]', '_', path.stem)}_{zlib.crc32(bytes(path)):x}"
    if find_spec(name) is None:  # else the process that started this one has written it
        home = _home_of_aliases()
        written = home / f"{name}.{os.getpid()}"
        written.write_text(RUN.format(path=str(path)), encoding="utf-8")
        written.replace(home / f"{name}.py")  # another process may be about to import it
        if str(home) not in sys.path:
            sys.path.append(str(home))
        invalidate_caches()
    return name


@cache
def _home_of_aliases() -> Path:
    """A folder of the user's own, which every search uses again: one that is killed leaves nothing.

    Its files say where others lie and nothing else, and are as many as these.
    """
    home = Path(tempfile.gettempdir()) / f"vitruvius-{USER()}"
    with suppress(OSError):
        home.mkdir(mode=0o700, exist_ok=True)
        if _is_own(home):
            return home
    home = Path(tempfile.mkdtemp(prefix="vitruvius-"))
    atexit.register(shutil.rmtree, home, ignore_errors=True)
    return home


def _is_own(folder: Path) -> bool:
    """Whether nobody else can write there, so that what is imported from it is ours."""
    found = folder.lstat()
    if USER is getpass.getuser:
        return stat.S_ISDIR(found.st_mode)
    own = stat.S_ISDIR(found.st_mode) and found.st_uid == USER()
    return own and not found.st_mode & 0o022


def _is_of(module: ModuleType, path: Path) -> bool:
    file = getattr(module, "__file__", None)
    return file is not None and Path(file).resolve() == path


def _found(name: str) -> Path | None:
    specification = find_spec(name)
    origin = None if specification is None else specification.origin
    return None if origin is None else Path(origin).resolve()
