"""The database as the use cases see it: transactions, readiness, closing."""

import threading
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext

from sqlalchemy import Connection, Engine
from sqlalchemy.exc import SQLAlchemyError

from detector.kit.errors import ConfigurationError, RecoverableError
from detector.storage import migrate
from detector.storage.clients import SqlClients
from detector.storage.dead_letters import SqlDeadLetters
from detector.storage.engine import in_memory, is_read_only_file, is_recoverable, make_engine
from detector.storage.incidents import SqlIncidents
from detector.storage.outbox import SqlOutbox
from detector.storage.partitions import SqlPartitions
from detector.storage.references import SqlReferences
from detector.storage.snapshots import SqlSnapshots

MEMORY_URL = "sqlite://"
"""A database that lives as long as its store; its schema is made at opening."""


class SqlTransaction:
    """The port `Transaction`: all repositories over one connection."""

    def __init__(self, connection: Connection) -> None:
        self.incidents = SqlIncidents(connection)
        self.partitions = SqlPartitions(connection)
        self.dead_letters = SqlDeadLetters(connection)
        self.clients = SqlClients(connection)
        self.references = SqlReferences(connection)
        self.outbox = SqlOutbox(connection)
        self.snapshots = SqlSnapshots(connection)


class SqlStore:
    """The port `Store` over SQLite or PostgreSQL.

    Args:
        engine: Where the database is.
        turn: Held during a transaction; a lock where all threads share one connection.
    """

    def __init__(self, engine: Engine, turn: AbstractContextManager[object]) -> None:
        self._engine = engine
        self._turn = turn
        self._head = migrate.head()

    @contextmanager
    def transaction(self) -> Iterator[SqlTransaction]:
        """Commit at the end of the block, roll back on any error."""
        with self._translated(), self._turn, self._engine.begin() as connection:
            yield SqlTransaction(connection)

    def ready(self) -> None:
        """Return when the database answers and its schema is the one this version works on."""
        with self._translated(), self._turn, self._engine.begin() as connection:
            present = migrate.current_revision(connection)
        migrate.require_known(present)
        if present != self._head:
            raise ConfigurationError(
                f"the database's schema is at revision {present or 'none'}, this version works on "
                f"{self._head}; run `querywatch migrate`"
            )

    def close(self) -> None:
        """Release connections."""
        self._engine.dispose()

    @contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except SQLAlchemyError as error:
            if is_read_only_file(error):
                path = self._engine.url.database
                raise ConfigurationError(f"{path}: this database is read-only") from error
            if is_recoverable(error):
                raise RecoverableError(f"the database is unwell: {error}") from error
            raise


def open_store(url: str) -> SqlStore:
    """Open the store behind an SQLAlchemy URL.

    Nothing is connected yet, but for a database in memory, which is made and migrated here.
    Raises `ConfigurationError` for a URL of an unsupported database.
    """
    engine = make_engine(url)
    if not in_memory(url):
        return SqlStore(engine, nullcontext())
    with engine.begin() as connection:
        migrate.upgrade_connection(connection)
    return SqlStore(engine, threading.Lock())
