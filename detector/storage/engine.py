"""Database engines: which driver, how connections are set up, which errors may pass."""

import json
import sqlite3
from typing import Any

from sqlalchemy import URL, Connection, Engine, StaticPool, create_engine, event, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from detector.kit.errors import ConfigurationError

_BUSY_TIMEOUT_S = 10
_CONNECT_TIMEOUT_S = 10
# A process that stalls in the middle of a transaction must not keep the row of a partition from
# whoever owns it next, and a server that falls silent must not keep us: we would not poll.
_LOCK_TIMEOUT_S = 10
_STATEMENT_TIMEOUT_S = 300
_IDLE_TIMEOUT_S = 300
_SILENCE_S = 60
_READ_ONLY = "25006"


def make_engine(url: str) -> Engine:
    """Return an engine for `sqlite:///file`, `sqlite://` (in memory) or `postgresql://…`.

    Raises `ConfigurationError` for any other URL.
    """
    parsed = _parse(url)
    if parsed.get_backend_name() == "sqlite":
        return _sqlite(parsed)
    return _postgres(parsed)


def require_supported(url: str) -> None:
    """Raise `ConfigurationError` for a URL that `make_engine` would not take."""
    _parse(url)


def in_memory(url: str | URL) -> bool:
    """Whether the database lives in this process alone."""
    parsed = make_url(url)
    return parsed.get_backend_name() == "sqlite" and parsed.database in (None, "", ":memory:")


def is_recoverable(error: Exception) -> bool:
    """Whether the same work may succeed later: the database was gone, busy, locked or read-only.

    SQLite reports a wrong statement, such as one on a missing table, as an operational error with
    the primary code SQLITE_ERROR; that one never heals, and neither does a file that is read-only.
    """
    if isinstance(error, PoolTimeoutError):
        return True
    if not isinstance(error, DBAPIError):
        return False
    if _sqlite_code(error) in (sqlite3.SQLITE_ERROR, sqlite3.SQLITE_READONLY):
        return False
    if getattr(error.orig, "sqlstate", None) == _READ_ONLY:
        return True  # a standby, until it is promoted or the address leads to the primary again
    return error.connection_invalidated or isinstance(error, OperationalError | InterfaceError)


def is_read_only_file(error: Exception) -> bool:
    """Whether SQLite may not write to its file."""
    return isinstance(error, DBAPIError) and _sqlite_code(error) == sqlite3.SQLITE_READONLY


def _sqlite_code(error: DBAPIError) -> int | None:
    """The primary code, without what its second byte says more exactly."""
    code: int | None = getattr(error.orig, "sqlite_errorcode", None)
    return None if code is None else code & 0xFF


def no_time_limits(connection: Connection) -> None:
    """Let this transaction's statements, and its waiting for locks, take as long as they need."""
    if connection.dialect.name == "postgresql":
        connection.exec_driver_sql("SET LOCAL statement_timeout = 0")
        connection.exec_driver_sql("SET LOCAL lock_timeout = 0")


def _parse(url: str) -> URL:
    try:
        parsed = make_url(url)
    except (ArgumentError, ValueError) as error:  # the latter of a port that is no number
        raise ConfigurationError("database URL: not of the form dialect://…") from error
    match parsed.drivername:
        case "sqlite" | "postgresql+psycopg":
            return parsed
        case "postgresql" | "postgres":
            return parsed.set(drivername="postgresql+psycopg")
    raise ConfigurationError(
        f"database URL: sqlite:///… and postgresql://… are supported, not {parsed.drivername}"
    )


def _postgres(url: URL) -> Engine:
    options: dict[str, Any] = {
        "connect_timeout": _CONNECT_TIMEOUT_S,
        "keepalives_idle": _SILENCE_S // 2,
        "keepalives_interval": _SILENCE_S // 6,
        "keepalives_count": 3,
        "tcp_user_timeout": 1_000 * _SILENCE_S,
    }
    engine = create_engine(url, pool_pre_ping=True, connect_args=options, json_serializer=_to_json)
    event.listen(engine, "connect", _set_up_postgres)
    return engine


def _set_up_postgres(connection: Any, _record: object) -> None:
    """Limit the waiting; not by options of the connection, which poolers in between refuse."""
    limits = {
        "lock_timeout": _LOCK_TIMEOUT_S,
        "statement_timeout": _STATEMENT_TIMEOUT_S,
        "idle_in_transaction_session_timeout": _IDLE_TIMEOUT_S,
    }
    for name, seconds in limits.items():
        connection.execute(f"SET {name} = '{seconds}s'")
    connection.commit()


def _sqlite(url: URL) -> Engine:
    options: dict[str, Any] = {"timeout": _BUSY_TIMEOUT_S, "check_same_thread": False}
    pool = {"poolclass": StaticPool} if in_memory(url) else {}
    engine = create_engine(url, connect_args=options, json_serializer=_to_json, **pool)
    event.listen(engine, "connect", _set_up_sqlite)
    event.listen(engine, "begin", _begin_immediate)
    return engine


def _set_up_sqlite(connection: sqlite3.Connection, _record: object) -> None:
    """Take transactions out of the driver's hands; it would begin them too late."""
    connection.isolation_level = None
    for pragma in ("journal_mode = WAL", "synchronous = NORMAL", "foreign_keys = ON"):
        connection.execute(f"PRAGMA {pragma}")


def _begin_immediate(connection: Connection) -> None:
    """Take the write lock at once: a lock taken halfway cannot wait its turn."""
    connection.exec_driver_sql("BEGIN IMMEDIATE")


def _to_json(value: object) -> str:
    return json.dumps(value, allow_nan=False)
