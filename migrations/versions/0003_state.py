"""What is kept of each partition beside its position: counts, gaps, snapshots, adoptions."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0001"
branch_labels = None
depends_on = None

TABLES = ("log_gaps", "snapshots", "snapshot_parts", "adoptions")


def upgrade() -> None:
    """Make the tables, and count from 0."""
    with op.batch_alter_table("partitions") as table:
        for name in ("events", "rejected"):
            table.add_column(
                sa.Column(name, sa.BigInteger(), server_default=sa.text("0"), nullable=False)
            )
    _log_gaps()
    _snapshots()
    _snapshot_parts()
    _adoptions()


def downgrade() -> None:
    """Drop them: state is learnt anew from where reading stands."""
    for table in reversed(TABLES):
        op.drop_table(table)
    with op.batch_alter_table("partitions") as counted:
        counted.drop_column("rejected")
        counted.drop_column("events")


def _place() -> tuple[sa.Column[str], sa.Column[int]]:
    return (
        sa.Column("topic", sa.Text(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
    )


def _log_gaps() -> None:
    op.create_table(
        "log_gaps",
        *_place(),
        sa.Column("first", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("next", sa.BigInteger(), nullable=False),
        sa.Column("noticed_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("topic", "number", "first", name=op.f("pk_log_gaps")),
    )


def _snapshots() -> None:
    op.create_table(
        "snapshots",
        *_place(),
        sa.Column("generation", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("base", sa.BigInteger(), nullable=False),
        sa.Column("offset", sa.BigInteger(), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("base_size", sa.BigInteger(), nullable=False),
        sa.Column("chain_size", sa.BigInteger(), nullable=False),
        sa.Column("header", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("topic", "number", "generation", name=op.f("pk_snapshots")),
    )


def _snapshot_parts() -> None:
    op.create_table(
        "snapshot_parts",
        *_place(),
        sa.Column("generation", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("part", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint(
            "topic", "number", "generation", "part", name=op.f("pk_snapshot_parts")
        ),
    )


def _adoptions() -> None:
    op.create_table(
        "adoptions",
        *_place(),
        sa.Column("offset", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("tenant_id", sa.Text(), nullable=False),
        sa.Column("model_id", sa.Text(), nullable=False),
        sa.Column("digest", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint(
            "topic", "number", "offset", "tenant_id", "model_id", "digest",
            name=op.f("pk_adoptions"),
        ),
    )  # fmt: skip
