"""Dead letters say when they came and what became of them, and keep key, headers and time."""

from datetime import UTC, datetime

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

TABLE = "dead_letters"
INDEX = "ix_dead_letters_received_at_place"
ADDED = (
    ("key", sa.LargeBinary()),
    ("headers", sa.JSON()),
    ("timestamp_ms", sa.BigInteger()),
    ("received_at", sa.DateTime(timezone=True)),
    ("settled_at", sa.DateTime(timezone=True)),
    ("settlement", sa.String(length=16)),
    ("settled_by", sa.Text()),
    ("settlement_note", sa.Text()),
)


def upgrade() -> None:
    """Add the columns; nobody knows when older dead letters came, so it was now.

    Their headers were not kept, which is what a null says.
    """
    with op.batch_alter_table(TABLE) as batch:
        for name, kind in ADDED:
            batch.add_column(sa.Column(name, kind, nullable=True))
    table = sa.table(TABLE, sa.column("received_at", sa.DateTime(timezone=True)))
    op.execute(table.update().values(received_at=datetime.now(UTC)))
    with op.batch_alter_table(TABLE) as batch:
        batch.alter_column("received_at", existing_type=sa.DateTime(timezone=True), nullable=False)
        batch.create_index(INDEX, ["received_at", "topic", "partition", "offset"])


def downgrade() -> None:
    """Drop the columns again; what became of the dead letters is lost."""
    with op.batch_alter_table(TABLE) as batch:
        batch.drop_index(INDEX)
        for name, _ in reversed(ADDED):
            batch.drop_column(name)
