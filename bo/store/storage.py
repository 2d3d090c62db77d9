"""From a URL to an Optuna storage that several processes can write to."""

from __future__ import annotations

import logging
import time
from pathlib import Path
from typing import Any

import sqlalchemy
from optuna.storages import BaseStorage, JournalStorage, RDBStorage, get_storage
from optuna.storages.journal import JournalFileBackend
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError, SQLAlchemyError

from ...core.errors import MissingExtraError, UsageError

__all__ = ["open_storage", "printable"]

JOURNAL = "journal://"
# Seconds that a write waits for other processes' writes to an SQLite file.
BUSY = 60.0
# Processes that open an empty database at the same moment all create its tables; all but one fail
# and have to look again.
TRIES, PAUSE = 8, 0.5

# It announces every new study on stderr.
logging.getLogger("optuna.storages").setLevel(logging.WARNING)


def open_storage(url: str) -> BaseStorage:
    """Opens a storage, creating its file or tables where there are none.

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
        return JournalStorage(JournalFileBackend(str(path)))
    try:
        dialect = make_url(url).get_backend_name()
    except ArgumentError as error:
        raise UsageError(
            f"{url!r} is no storage.",
            "Give e.g. sqlite:///run.sqlite, postgresql://user@host/db or journal:///folder/run.log.",
        ) from error
    for attempt in range(TRIES):
        try:
            return get_storage(_relational(url, dialect))
        except (ImportError, sqlalchemy.exc.NoSuchModuleError) as error:
            raise MissingExtraError(
                f"The driver of {printable(url)} is not installed.",
                'For PostgreSQL: pip install "vitruvius[postgres]"',
            ) from error
        except SQLAlchemyError as error:
            if attempt == TRIES - 1:
                raise UsageError(
                    f"{printable(url)} cannot be opened: {_short(error)}.",
                    "Is the server running, and may you write there?",
                ) from error
            time.sleep(PAUSE)
    raise AssertionError("the last attempt returns or raises")


def printable(url: str) -> str:
    """Returns the URL without its password."""
    try:
        return make_url(url).render_as_string(hide_password=True)
    except ArgumentError:
        return url


def _relational(url: str, dialect: str) -> RDBStorage:
    if dialect != "sqlite":
        # Without a driver's name SQLAlchemy 2.0 and 2.1 look for different ones.
        named = make_url(url)
        if named.drivername == "postgresql":
            named = named.set(drivername="postgresql+psycopg2")
        url = named.render_as_string(hide_password=False)
        return RDBStorage(url, engine_kwargs={"pool_pre_ping": True})
    # Opened for each transaction: cheap, and no connection outlives a fork or its thread.
    options = {"connect_args": {"timeout": BUSY}, "poolclass": sqlalchemy.NullPool}
    storage = RDBStorage(url, engine_kwargs=options)
    _lock_on_begin(storage.engine)
    return storage


def _lock_on_begin(engine: sqlalchemy.Engine) -> None:
    """Lets every transaction of SQLite hold the write lock from its start.

    Otherwise two processes could both read that a trial is running and then both end it.
    https://docs.sqlalchemy.org/en/20/dialects/sqlite.html#sqlite-transactions
    """

    def connected(connection: Any, _: Any) -> None:
        connection.isolation_level = None

    def begun(connection: sqlalchemy.Connection) -> None:
        connection.exec_driver_sql("BEGIN IMMEDIATE")

    sqlalchemy.event.listen(engine, "connect", connected)
    sqlalchemy.event.listen(engine, "begin", begun)


def _short(error: SQLAlchemyError) -> str:
    return str(getattr(error, "orig", None) or error).strip().splitlines()[0].rstrip(".")
