"""The records that could not be used, in the database."""

from collections.abc import Mapping, Sequence
from datetime import datetime

from sqlalchemy import ColumnElement, Connection, and_, func, literal, or_, select, tuple_, update

from detector.events.place import parse_place, place_text
from detector.events.record import DeadLetter, Position
from detector.kit.errors import ConfigurationError
from detector.pipeline.dead_letters import DeadLetterQuery, Settlement, State, StoredDeadLetter
from detector.pipeline.ports import Page
from detector.storage.cursor import require_limit
from detector.storage.rows import dead_letter_from_row, dead_letter_to_row
from detector.storage.tables import dead_letters
from detector.storage.upsert import upsert

_PLACE = (dead_letters.c.topic, dead_letters.c.partition, dead_letters.c.offset)
_IDENTITY = (dead_letters.c.body, dead_letters.c.size, dead_letters.c.timestamp_ms)
_ORDER = (dead_letters.c.received_at, *_PLACE)


class SqlDeadLetters:
    """The port `DeadLetters` over one connection."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def add(self, letters: Sequence[DeadLetter], received_at: datetime) -> None:
        """Store them, unsettled; the same one twice is stored once.

        Another one of the same position, as in a topic that was made anew, takes its place.
        """
        if letters:
            insert = upsert(self._connection, dead_letters)
            statement = insert.on_conflict_do_update(
                index_elements=list(_PLACE),
                set_={c.name: insert.excluded[c.name] for c in dead_letters.columns},
                where=or_(*(c != insert.excluded[c.name] for c in _IDENTITY)),
            )
            rows = [dead_letter_to_row(letter, received_at) for letter in letters]
            self._connection.execute(statement, rows)

    def get(self, position: Position) -> StoredDeadLetter | None:
        """Return the dead letter of that position, or None."""
        if "\0" in position.topic:
            return None
        rows = self._connection.execute(select(dead_letters).where(_at(position)))
        row = rows.mappings().one_or_none()
        return None if row is None else dead_letter_from_row(row)

    def list(self, query: DeadLetterQuery) -> Page[StoredDeadLetter]:
        """Return one page of what the filters let through."""
        require_limit(query.limit)
        conditions = _conditions(query)
        if query.after is not None:
            conditions = [*conditions, self._beyond(query.after, query.newest_first)]
        order = [column.desc() for column in _ORDER] if query.newest_first else _ORDER
        rows = self._connection.execute(
            select(dead_letters).where(*conditions).order_by(*order).limit(query.limit + 1)
        )
        found = tuple(dead_letter_from_row(row) for row in rows.mappings())
        items = found[: query.limit]
        more = len(found) > len(items)
        return Page(items, place_text(items[-1].letter.position) if more else None)

    def counts(self, query: DeadLetterQuery | None = None) -> Mapping[str, int]:
        """Number of dead letters by reason."""
        rows = self._connection.execute(
            select(dead_letters.c.reason, func.count().label("number"))
            .where(*([] if query is None else _conditions(query)))
            .group_by(dead_letters.c.reason)
        )
        return {row.reason: row.number for row in rows}

    def settle(self, position: Position, settlement: Settlement) -> bool:
        """Settle what is unsettled; False when another was faster or nothing stands there."""
        result = self._connection.execute(
            update(dead_letters)
            .where(_at(position), dead_letters.c.settled_at.is_(None))
            .values(
                settlement=str(settlement.fate),
                settled_at=settlement.at,
                settled_by=settlement.by,
                settlement_note=settlement.note,
            )
        )
        return result.rowcount == 1

    def _beyond(self, cursor: str, newest_first: bool) -> ColumnElement[bool]:
        """What the page after that dead letter holds."""
        position = parse_place(cursor)
        stored = None if position is None else self.get(position)
        if position is None or stored is None:
            raise ConfigurationError(f"after: {cursor} is not the place of a dead letter")
        # SQLite needs the time in the form in which it stores it, so the column's type binds it.
        received_at = literal(stored.received_at, dead_letters.c.received_at.type)
        earlier = tuple_(*_PLACE) < tuple_(*position)
        later = tuple_(*_PLACE) > tuple_(*position)
        here = dead_letters.c.received_at == received_at
        if newest_first:
            return or_(dead_letters.c.received_at < received_at, and_(here, earlier))
        return or_(dead_letters.c.received_at > received_at, and_(here, later))


def _at(position: Position) -> ColumnElement[bool]:
    return and_(*(column == value for column, value in zip(_PLACE, position, strict=True)))


def _conditions(query: DeadLetterQuery) -> list[ColumnElement[bool]]:
    wanted = {"reason": query.reason, "topic": query.topic, "partition": query.partition}
    found = [dead_letters.c[name] == value for name, value in wanted.items() if value is not None]
    if query.since is not None:
        found.append(dead_letters.c.received_at >= query.since)
    if query.until is not None:
        found.append(dead_letters.c.received_at <= query.until)
    if query.state is State.OPEN:
        found.append(dead_letters.c.settled_at.is_(None))
    if query.state is State.SETTLED:
        found.append(dead_letters.c.settled_at.is_not(None))
    return found
