"""Every table, its columns and its indexes (SQLAlchemy Core).

Times are UTC. JSON columns hold JSON text, not PostgreSQL's `jsonb`, which would rewrite numbers
and so break the timeline's hashes.
"""

from datetime import UTC, datetime

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    DateTime,
    Dialect,
    Float,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    TypeDecorator,
    text,
)

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)


class UtcTime(TypeDecorator[datetime]):
    """A timezone-aware time, stored as UTC and returned aware on every database."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Refuse a time that does not say where it is."""
        if value is not None and value.tzinfo is None:
            raise ValueError(f"a stored time must be timezone-aware, is {value!r}")
        return None if value is None else value.astimezone(UTC)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Give SQLite's naive times their zone back; PostgreSQL answers in the session's zone."""
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


def _place() -> tuple[Column[str], Column[int]]:
    """Return the columns that name a partition of the log, the beginning of a primary key."""
    return (
        Column("topic", Text, primary_key=True),
        Column("number", Integer, primary_key=True),
    )


incidents = Table(
    "incidents",
    metadata,
    Column("incident_id", String(36), primary_key=True),
    Column("tenant_id", Text, nullable=False),
    Column("client_id", Text, nullable=False, index=True),
    Column("model_id", Text, nullable=False),
    Column("attack_class", String(32), nullable=False),
    Column("techniques", JSON, nullable=False),
    Column("atlas", JSON, nullable=False),
    Column("stage", String(32), nullable=False),
    Column("severity", String(16), nullable=False),
    Column("computed_severity", String(16), nullable=False),
    Column("severity_breakdown", JSON, nullable=False),
    Column("severity_override", String(16)),
    Column("confidence", Float, nullable=False),
    Column("progress", Float, nullable=False),
    Column("calibrated", Boolean, nullable=False),
    Column("identity_source", Text, nullable=False),
    Column("opened_at", UtcTime, nullable=False),
    Column("opened_at_query", BigInteger, nullable=False),
    Column("last_seen", UtcTime, nullable=False),
    Column("queries", BigInteger, nullable=False),
    Column("evidence", JSON, nullable=False),
    Column("features", JSON, nullable=False),
    Column("dedup_key", String(36), nullable=False),
    Column("created_at", UtcTime, nullable=False),
    Column("updated_at", UtcTime, nullable=False),
    Column("assignee", Text),
    Column("acknowledged_at", UtcTime),
    Column("acknowledged_by", Text),
    Column("verdict", String(32)),
    Column("closed_at", UtcTime),
    Column("marks", JSON, nullable=False),
    Column("escalation_level", Integer, nullable=False),
    Column("timeline_length", Integer, nullable=False),
    Column("timeline_head", String(64), nullable=False),
    Column("version", Integer, nullable=False),
    Column("waiting", JSON, nullable=False, server_default=text("'{}'")),
    Index("ix_incidents_opened_at_incident_id", "opened_at", "incident_id"),
)

Index(
    "uq_incidents_open_dedup_key",
    incidents.c.dedup_key,
    unique=True,
    sqlite_where=text("stage <> 'closed'"),
    postgresql_where=text("stage <> 'closed'"),
)
Index(
    "ix_incidents_unacknowledged",
    incidents.c.created_at,
    sqlite_where=text("acknowledged_at IS NULL"),
    postgresql_where=text("acknowledged_at IS NULL"),
)

timeline = Table(
    "timeline",
    metadata,
    Column("incident_id", ForeignKey("incidents.incident_id"), primary_key=True),
    Column("sequence", Integer, primary_key=True),
    Column("at", UtcTime, nullable=False),
    Column("actor", Text, nullable=False),
    Column("kind", String(32), nullable=False),
    Column("summary", Text, nullable=False),
    Column("data", JSON, nullable=False),
    Column("previous_hash", String(64), nullable=False),
    Column("entry_hash", String(64), nullable=False),
)

partitions = Table(
    "partitions",
    metadata,
    *_place(),
    Column("owner_epoch", BigInteger, nullable=False),
    Column("next_offset", BigInteger),
    Column("events", BigInteger, nullable=False, server_default=text("0")),
    Column("rejected", BigInteger, nullable=False, server_default=text("0")),
)

log_gaps = Table(
    "log_gaps",
    metadata,
    *_place(),
    Column("first", BigInteger, primary_key=True, autoincrement=False),
    Column("next", BigInteger, nullable=False),
    Column("noticed_at", UtcTime, nullable=False),
)

snapshots = Table(
    "snapshots",
    metadata,
    *_place(),
    Column("generation", BigInteger, primary_key=True, autoincrement=False),
    Column("base", BigInteger, nullable=False),
    Column("offset", BigInteger, nullable=False),
    Column("size", BigInteger, nullable=False),
    Column("base_size", BigInteger, nullable=False),
    Column("chain_size", BigInteger, nullable=False),
    Column("header", LargeBinary, nullable=False),
)

snapshot_parts = Table(
    "snapshot_parts",
    metadata,
    *_place(),
    Column("generation", BigInteger, primary_key=True, autoincrement=False),
    Column("part", Integer, primary_key=True, autoincrement=False),
    Column("body", LargeBinary, nullable=False),
)

adoptions = Table(
    "adoptions",
    metadata,
    *_place(),
    Column("offset", BigInteger, primary_key=True, autoincrement=False),
    Column("tenant_id", Text, primary_key=True),
    Column("model_id", Text, primary_key=True),
    Column("digest", Text, primary_key=True),
)

dead_letters = Table(
    "dead_letters",
    metadata,
    Column("topic", Text, primary_key=True),
    Column("partition", Integer, primary_key=True),
    Column("offset", BigInteger, primary_key=True),
    Column("reason", Text, nullable=False, index=True),
    Column("path", Text, nullable=False),
    Column("detail", Text, nullable=False),
    Column("body", LargeBinary, nullable=False),
    Column("size", BigInteger, nullable=False),
    Column("key", LargeBinary),
    Column("headers", JSON(none_as_null=True)),
    Column("timestamp_ms", BigInteger),
    Column("received_at", UtcTime, nullable=False),
    Column("settled_at", UtcTime),
    Column("settlement", String(16)),
    Column("settled_by", Text),
    Column("settlement_note", Text),
    Index("ix_dead_letters_received_at_place", "received_at", "topic", "partition", "offset"),
)

clients = Table(
    "clients",
    metadata,
    Column("client_key", String(36), primary_key=True),
    Column("tenant_id", Text, nullable=False),
    Column("model_id", Text, nullable=False),
    Column("client_id", Text, nullable=False),
    Column("first_seen", UtcTime, nullable=False),
    Column("last_seen", UtcTime, nullable=False),
    Column("queries", BigInteger, nullable=False),
    Column("identity_source", Text, nullable=False),
    Column("status", Text, nullable=False),
    Column("features", JSON, nullable=False),
    Column("scores", JSON, nullable=False),
)

references = Table(
    "model_references",
    metadata,
    Column("tenant_id", Text, primary_key=True),
    Column("model_id", Text, primary_key=True),
    Column("version", Integer, primary_key=True, autoincrement=False),
    Column("status", String(16), nullable=False),
    Column("created_at", UtcTime, nullable=False),
    Column("events", BigInteger, nullable=False),
    Column("clients", BigInteger, nullable=False),
    Column("origin", Text, nullable=False),
    Column("digest", Text, nullable=False),
    Column("summary", JSON, nullable=False),
    Column("body", LargeBinary, nullable=False),
)

Index(
    "uq_model_references_active",
    references.c.tenant_id,
    references.c.model_id,
    unique=True,
    sqlite_where=text("status = 'active'"),
    postgresql_where=text("status = 'active'"),
)

outbox = Table(
    "outbox",
    metadata,
    Column("message_id", String(36), primary_key=True),
    Column("incident_id", ForeignKey("incidents.incident_id"), nullable=False, index=True),
    Column("event", Text, nullable=False),
    Column("level", Integer, nullable=False),
    Column("created_at", UtcTime, nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("due_at", UtcTime, nullable=False),
    Column("leased_until", UtcTime),
    Column("delivered_at", UtcTime),
    Column("given_up_at", UtcTime),
    Column("last_error", Text),
)

Index(
    "ix_outbox_waiting",
    outbox.c.due_at,
    sqlite_where=text("delivered_at IS NULL AND given_up_at IS NULL"),
    postgresql_where=text("delivered_at IS NULL AND given_up_at IS NULL"),
)

destinations = Table(
    "destinations",
    metadata,
    Column("level", Integer, primary_key=True, autoincrement=False),
    Column("since", UtcTime, nullable=False),
)
