"""Since when an incident waits for somebody, and since when a level has a destination."""

from datetime import UTC

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

SEVERITIES = ("info", "low", "medium", "high", "critical")
UNWATCHED = ("suppressed", "resolved", "closed")

_INCIDENTS = sa.table(
    "incidents",
    sa.column("incident_id", sa.String()),
    sa.column("stage", sa.String()),
    sa.column("severity", sa.String()),
    sa.column("acknowledged_at", sa.DateTime(timezone=True)),
    sa.column("updated_at", sa.DateTime(timezone=True)),
    sa.column("waiting", sa.JSON()),
)
_OUTBOX = sa.table(
    "outbox",
    sa.column("level", sa.Integer()),
    sa.column("attempts", sa.Integer()),
    sa.column("created_at", sa.DateTime(timezone=True)),
)
_DESTINATIONS = sa.table(
    "destinations",
    sa.column("level", sa.Integer()),
    sa.column("since", sa.DateTime(timezone=True)),
)


def upgrade() -> None:
    """Add them, and fill in what is known of what there is."""
    empty = sa.text("'{}'")
    op.add_column(
        "incidents", sa.Column("waiting", sa.JSON(), server_default=empty, nullable=False)
    )
    op.create_table(
        "destinations",
        sa.Column("level", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("since", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("level", name=op.f("pk_destinations")),
    )
    _fill_waiting()
    _fill_destinations()


def downgrade() -> None:
    """Drop them; escalation then goes by the timeline again."""
    op.drop_table("destinations")
    # Not in a batch, which would make the table anew: others refer to it.
    op.drop_column("incidents", "waiting")


def _fill_waiting() -> None:
    """What waits is said to wait since its last change: nobody is told too early of it."""
    columns = _INCIDENTS.c
    connection = op.get_bind()
    found = connection.execute(
        sa.select(columns.incident_id, columns.severity, columns.updated_at).where(
            columns.acknowledged_at.is_(None), columns.stage.not_in(UNWATCHED)
        )
    )
    for incident_id, severity, updated_at in found.all():
        # SQLite's times are UTC without saying so.
        utc = updated_at.astimezone(UTC) if updated_at.tzinfo else updated_at.replace(tzinfo=UTC)
        since = utc.isoformat(timespec="microseconds")
        reached = SEVERITIES[: SEVERITIES.index(severity) + 1]
        connection.execute(
            sa.update(_INCIDENTS)
            .where(columns.incident_id == incident_id)
            .values(waiting=dict.fromkeys(reached, since))
        )


def _fill_destinations() -> None:
    """A level on which delivery was tried had a destination from that message on."""
    tried = (
        sa.select(_OUTBOX.c.level, sa.func.min(_OUTBOX.c.created_at))
        .where(_OUTBOX.c.attempts > 0)
        .group_by(_OUTBOX.c.level)
    )
    op.execute(sa.insert(_DESTINATIONS).from_select(["level", "since"], tried))
