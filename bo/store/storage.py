"""From a URL to an Optuna storage that several processes can write to."""

from __future__ import annotations

import logging
import os
import sqlite3
import time
from pathlib import Path
from typing import Any
from urllib.parse import quote

import sqlalchemy
from optuna.exceptions import StorageInternalError
from optuna.storages import BaseStorage, JournalStorage, RDBStorage, get_storage
from optuna.storages.journal import JournalFileBackend
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError, DatabaseError, OperationalError, SQLAlchemyError

from ...core.errors import MissingExtraError, OutputError, UsageError

__all__ = ["open_file", "open_storage", "printable"]

JOURNAL = "journal://"
# Seconds that a write waits for other processes' writes to an SQLite file.
BUSY = 60.0
# Processes that open an empty database at the same moment all create its tables; all but one fail
# and have to look again.
TRIES, PAUSE = 8, 0.5

HINT = "Is it a run, is the server running, and may you write there?"
# What SQLite says, and what it means.
CAUSES = {
    "disk is full": "no space is left there",
    "No space left": "no space is left there",
    "readonly database": "it is read-only",
    "Read-only file system": "it is read-only",
    "unable to open database file": "its file cannot be opened",
}

# It announces every new study on stderr.
logging.getLogger("optuna.storages").setLevel(logging.WARNING)


def open_storage(url: str) -> BaseStorage:
    """Opens a storage, creating its file or tables where there are none.

    What later cannot be written or reached is told by an `OutputError`.

    Args:
        url: ``sqlite:///FILE``, ``postgresql://…`` (any URL of SQLAlchemy), or
            ``journal:///FILE`` for Optuna's journal, which also works on network file systems.

    Raises:
        UsageError: Where it is no such URL or cannot be reached.
        MissingExtraError: Where the database's driver is not installed.

    Example:
        >>> import tempfile
        >>> open_storage(f"sqlite:///{tempfile.mkdtemp()}/run.sqlite").get_all_studies()
        []
    """
    if url.startswith(JOURNAL):
        path = Path(url.removeprefix(JOURNAL))
        if not path.parent.is_dir():
            raise UsageError(f"There is no folder {path.parent}.", "Make it first.")
        try:
            return JournalStorage(_Journal(str(path)))
        except OSError as error:
            raise UsageError(f"{path} cannot be opened: {error.strerror}.", HINT) from error
    try:
        dialect = make_url(url).get_backend_name()
    except ArgumentError as error:
        raise UsageError(
            f"{url!r} is no storage.",
            "Give e.g. sqlite:///run.sqlite, postgresql://user@host/db or journal:///folder/run.log.",
        ) from error
    # Opened for each transaction: cheap, and no connection outlives a fork or its thread.
    options = {"connect_args": {"timeout": BUSY}, "poolclass": sqlalchemy.NullPool}
    if dialect != "sqlite":
        # Without a driver's name SQLAlchemy 2.0 and 2.1 look for different ones.
        named = make_url(url)
        if named.drivername == "postgresql":
            named = named.set(drivername="postgresql+psycopg2")
        return _opened(named.render_as_string(hide_password=False), {"pool_pre_ping": True})
    return _opened(url, options)


def open_file(path: Path, *, writable: bool = True) -> BaseStorage:
    """Opens an SQLite file of any name; no URL is made of it.

    Args:
        path: The file.
        writable: Whether it is created where it is not there, and may be written to.

    Raises:
        UsageError: Where it cannot be opened or is no database of Optuna.
    """

    def connect() -> sqlite3.Connection:
        if writable:
            return sqlite3.connect(path, timeout=BUSY, check_same_thread=False)
        # Python has no other way to open a file for reading than a URI.
        uri = f"file:{quote(os.fsencode(path.absolute()))}?mode=ro"
        return sqlite3.connect(uri, uri=True, timeout=BUSY, check_same_thread=False)

    options = {"creator": connect, "poolclass": sqlalchemy.NullPool}
    return _opened("sqlite://", options, called=str(path.parent), writable=writable)


def _opened(
    url: str, options: dict[str, Any], *, called: str = "", writable: bool = True
) -> BaseStorage:
    """Opens a relational storage, and looks again where another process just makes its tables."""
    called = called or printable(url)
    for attempt in range(TRIES):
        try:
            storage = RDBStorage(url, engine_kwargs=options)
            break
        except (ImportError, sqlalchemy.exc.NoSuchModuleError) as error:
            raise MissingExtraError(
                f"The driver of {called} is not installed.",
                'For PostgreSQL: pip install "vitruvius[postgres]"',
            ) from error
        except RuntimeError as error:
            # Tables of another version of Optuna, or some whose version is just being written.
            if attempt == TRIES - 1:
                raise UsageError(f"{called} cannot be opened: {error}", HINT) from error
            time.sleep(PAUSE)
        except (SQLAlchemyError, StorageInternalError) as error:
            if attempt == TRIES - 1 or not writable or _hopeless(error):
                raise UsageError(f"{called} cannot be opened: {_short(error)}.", HINT) from error
            time.sleep(PAUSE)
    if storage.engine.dialect.name == "sqlite":
        _lock_on_begin(storage.engine, "BEGIN IMMEDIATE" if writable else "BEGIN")
    _tell_errors(storage.engine, called)
    return get_storage(storage)


class _Journal(JournalFileBackend):
    """A journal that says what it cannot write."""

    def append_logs(self, logs: list[dict[str, Any]]) -> None:
        try:
            super().append_logs(logs)
        except OSError as error:
            raise _unwritten(self._file_path, str(error.strerror or error)) from error


def printable(url: str) -> str:
    """Returns the URL without its password."""
    try:
        return make_url(url).render_as_string(hide_password=True)
    except ArgumentError:
        return url


def _lock_on_begin(engine: sqlalchemy.Engine, begin: str) -> None:
    """Lets every transaction of SQLite hold the write lock from its start.

    Otherwise two processes could both read that a trial is running and then both end it.
    https://docs.sqlalchemy.org/en/20/dialects/sqlite.html#sqlite-transactions
    """

    def connected(connection: Any, _: Any) -> None:
        connection.isolation_level = None

    def begun(connection: sqlalchemy.Connection) -> None:
        connection.exec_driver_sql(begin)

    sqlalchemy.event.listen(engine, "connect", connected)
    sqlalchemy.event.listen(engine, "begin", begun)


def _tell_errors(engine: sqlalchemy.Engine, called: str) -> None:
    """Lets errors of the disk and of the server come as ours, from wherever they are met."""

    def failed(context: Any) -> None:
        if isinstance(context.sqlalchemy_exception, OperationalError) and not context.is_pre_ping:
            raise _unwritten(called, _short(context.sqlalchemy_exception)) from None

    sqlalchemy.event.listen(engine, "handle_error", failed)


def _unwritten(called: str, reason: str) -> OutputError:
    why = next((said for sign, said in CAUSES.items() if sign in reason), reason)
    return OutputError(
        f"Cannot write to {called}: {why}.",
        "What was evaluated before is kept; mend that and resume. `vitruvius show` only reads.",
    )


def _hopeless(error: Exception) -> bool:
    """Whether it is no use to look again: nobody is just making these tables."""
    return type(error) is DatabaseError or any(sign in str(error) for sign in CAUSES)


def _short(error: Exception) -> str:
    said = str(getattr(error, "orig", None) or error).strip() or type(error).__name__
    return said.splitlines()[0].rstrip(".")
