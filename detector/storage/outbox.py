"""The transactional outbox in the database."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import ColumnElement, Connection, and_, func, or_, select, update

from detector.pipeline.ports import OutboxMessage
from detector.storage.rows import message_from_row, message_to_row
from detector.storage.tables import destinations, outbox
from detector.storage.upsert import upsert

_WAITING = and_(outbox.c.delivered_at.is_(None), outbox.c.given_up_at.is_(None))


class SqlOutbox:
    """The port `Outbox` over one connection.

    A lease is a column, because delivery happens after the leasing transaction ended. While two
    workers lease at once, PostgreSQL lets each skip the rows that the other has locked; SQLite
    lets only one write at a time.
    """

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def put(self, messages: Sequence[OutboxMessage]) -> None:
        """Add; an id that is already there is left as it is."""
        if messages:
            statement = upsert(self._connection, outbox).on_conflict_do_nothing()
            self._connection.execute(statement, [message_to_row(each) for each in messages])

    def lease(
        self, now: datetime, until: datetime, limit: int, level: int
    ) -> Sequence[OutboxMessage]:
        """Take due messages of a level, longest due first, until `until`."""
        rows = self._connection.execute(
            select(outbox)
            .where(_WAITING, _free(now), outbox.c.level == level, outbox.c.due_at <= now)
            .order_by(outbox.c.due_at, outbox.c.message_id)
            .limit(limit)
            .with_for_update(skip_locked=True)
        )
        messages = [message_from_row(row) for row in rows.mappings()]
        taken = [message.message_id for message in messages]
        self._connection.execute(
            update(outbox).where(outbox.c.message_id.in_(taken)).values(leased_until=until)
        )
        return messages

    def delivered(self, message_id: str, at: datetime) -> None:
        """Mark as done."""
        self._attempted(message_id, delivered_at=at, last_error=None)

    def retry(self, message_id: str, due_at: datetime, error: str) -> None:
        """Count an attempt and try again later."""
        self._attempted(message_id, due_at=due_at, last_error=error)

    def give_up(self, message_id: str, at: datetime, error: str) -> None:
        """Count an attempt and stop trying; the row stays."""
        self._attempted(message_id, given_up_at=at, last_error=error)

    def pending(self) -> int:
        """How many wait."""
        statement = select(func.count()).select_from(outbox).where(_WAITING)
        return self._connection.execute(statement).scalar_one()

    def serve(self, level: int, at: datetime) -> datetime:
        """Note that there is a destination of a level; returns when that was first noted."""
        first = select(destinations.c.since).where(destinations.c.level == level)
        noted: datetime | None = self._connection.execute(first).scalar_one_or_none()
        if noted is not None:
            return noted
        statement = upsert(self._connection, destinations).on_conflict_do_nothing()
        self._connection.execute(statement, [{"level": level, "since": at}])
        stored: datetime = self._connection.execute(first).scalar_one()
        return stored

    def expire(self, level: int, before: datetime, at: datetime, reason: str) -> int:
        """Stop trying what waits since before that time and nobody has leased; the rows stay."""
        result = self._connection.execute(
            update(outbox)
            .where(_WAITING, _free(at), outbox.c.level == level, outbox.c.created_at < before)
            .values(given_up_at=at, last_error=reason)
        )
        return result.rowcount

    def _attempted(self, message_id: str, **values: datetime | str | None) -> None:
        self._connection.execute(
            update(outbox)
            .where(outbox.c.message_id == message_id)
            .values(attempts=outbox.c.attempts + 1, leased_until=None, **values)
        )


def _free(now: datetime) -> ColumnElement[bool]:
    """Whether no worker has it on lease."""
    return or_(outbox.c.leased_until.is_(None), outbox.c.leased_until <= now)
