"""What Alembic runs: migrations over the connection that `detector.storage.migrate` hands in."""

from alembic import context
from sqlalchemy import Connection, text

from detector.storage.tables import metadata

_LOCK = 0x7175657279776368
"""Key of the advisory lock under which PostgreSQL lets one process migrate at a time."""


def run(connection: Connection) -> None:
    """Run the migrations that the command asks for; the caller commits."""
    if connection.dialect.name == "postgresql":
        connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _LOCK})
    context.configure(
        connection=connection, target_metadata=metadata, render_as_batch=True, compare_type=True
    )
    with context.begin_transaction():
        context.run_migrations()


run(context.config.attributes["connection"])
