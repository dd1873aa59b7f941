"""Incidents and their timelines in the database."""

from collections.abc import Sequence

from sqlalchemy import (
    ColumnElement,
    Connection,
    and_,
    false,
    func,
    insert,
    not_,
    or_,
    select,
    update,
)
from sqlalchemy.exc import IntegrityError

from detector.events.model import ClientKey
from detector.incidents.model import Incident, IncidentChange, Severity, TimelineEntry
from detector.kit.errors import ConflictError
from detector.pipeline.ports import IncidentQuery, Page, WaitingQuery
from detector.storage.cursor import decode_cursor, encode_cursor, require_limit
from detector.storage.rows import (
    entry_from_row,
    entry_to_row,
    incident_from_row,
    incident_to_row,
    instant,
)
from detector.storage.tables import incidents, timeline


class SqlIncidents:
    """The port `Incidents` over one connection."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def get(self, incident_id: str, *, hold: bool = False) -> Incident | None:
        """Return the incident, or None; with `hold` it is locked until the transaction ends."""
        statement = select(incidents).where(_equals(incidents.c.incident_id, incident_id))
        if hold:
            statement = statement.with_for_update()
        row = self._connection.execute(statement).mappings().one_or_none()
        return None if row is None else incident_from_row(row)

    def for_client(self, client: ClientKey) -> Sequence[Incident]:
        """All incidents of the client, oldest first, held until the transaction ends."""
        rows = self._connection.execute(
            select(incidents)
            .where(
                incidents.c.client_id == client.client_id,
                incidents.c.tenant_id == client.tenant_id,
                incidents.c.model_id == client.model_id,
            )
            .order_by(incidents.c.opened_at, incidents.c.incident_id)
            .with_for_update()
        )
        return [incident_from_row(row) for row in rows.mappings()]

    def save(self, change: IncidentChange) -> None:
        """Store the change with its timeline entries; raises `ConflictError`."""
        row = incident_to_row(change.incident)
        try:
            with self._connection.begin_nested():
                changed = self._write(row, change.previous_version)
        except IntegrityError as error:
            raise ConflictError(
                f"incident {change.incident.incident_id}: it exists already, or its client has "
                "another open incident of the same class"
            ) from error
        if not changed:
            raise ConflictError(
                f"incident {change.incident.incident_id}: version {change.previous_version} is not "
                "the stored one; read it again and repeat the change"
            )
        if change.entries:
            self._connection.execute(insert(timeline), [entry_to_row(e) for e in change.entries])

    def _write(self, row: dict[str, object], previous_version: int) -> bool:
        if previous_version == 0:
            self._connection.execute(insert(incidents).values(row))
            return True
        result = self._connection.execute(
            update(incidents)
            .where(
                incidents.c.incident_id == row["incident_id"],
                incidents.c.version == previous_version,
            )
            .values(row)
        )
        return result.rowcount == 1

    def list(self, query: IncidentQuery) -> Page[Incident]:
        """Return one page, newest first."""
        require_limit(query.limit)
        conditions = _conditions(query)
        if query.after is not None:
            conditions = (*conditions, _after(query.after))
        rows = self._connection.execute(
            select(incidents)
            .where(*conditions)
            .order_by(incidents.c.opened_at.desc(), incidents.c.incident_id.desc())
            .limit(query.limit + 1)
        )
        found = tuple(incident_from_row(row) for row in rows.mappings())
        items = found[: query.limit]
        return Page(items, encode_cursor(items[-1]) if len(found) > len(items) else None)

    def count(self, query: IncidentQuery) -> int:
        """How many incidents the filters let through."""
        statement = select(func.count()).select_from(incidents).where(*_conditions(query))
        return self._connection.execute(statement).scalar_one()

    def timeline(self, incident_id: str) -> Sequence[TimelineEntry]:
        """All entries in order."""
        rows = self._connection.execute(
            select(timeline)
            .where(_equals(timeline.c.incident_id, incident_id))
            .order_by(timeline.c.sequence)
        )
        return tuple(entry_from_row(row) for row in rows.mappings())

    def unacknowledged(self, query: WaitingQuery) -> Sequence[Incident]:
        """Incidents that wait for somebody, oldest first, held until the transaction ends."""
        since = incidents.c.waiting[str(query.min_severity)].as_string()
        rows = self._connection.execute(
            select(incidents)
            .where(
                incidents.c.acknowledged_at.is_(None),
                incidents.c.escalation_level < query.below_level,
                # It is older than its waiting, and this is what the index is of.
                incidents.c.created_at < query.before,
                since >= instant(query.since),
                since < instant(query.before),
            )
            .order_by(incidents.c.created_at, incidents.c.incident_id)
            .limit(query.limit)
            .with_for_update(skip_locked=True)
        )
        return [incident_from_row(row) for row in rows.mappings()]


def _conditions(query: IncidentQuery) -> tuple[ColumnElement[bool], ...]:
    columns = incidents.c
    exact = {
        columns.tenant_id: query.tenant_id,
        columns.client_id: query.client_id,
        columns.model_id: query.model_id,
        columns.assignee: query.assignee,
    }
    conditions = [_equals(column, value) for column, value in exact.items() if value is not None]
    if query.attack_class:
        conditions.append(columns.attack_class.in_(sorted(map(str, query.attack_class))))
    if query.stage:
        conditions.append(columns.stage.in_(sorted(map(str, query.stage))))
    if query.min_severity is not None:
        conditions.append(_at_least(query.min_severity))
    if query.acknowledged is not None:
        missing = columns.acknowledged_at.is_(None)
        conditions.append(not_(missing) if query.acknowledged else missing)
    if query.opened_from is not None:
        conditions.append(columns.opened_at >= query.opened_from)
    if query.opened_before is not None:
        conditions.append(columns.opened_at < query.opened_before)
    return tuple(conditions)


def _after(cursor: str) -> ColumnElement[bool]:
    place = decode_cursor(cursor)
    same_time = and_(
        incidents.c.opened_at == place.opened_at, incidents.c.incident_id < place.incident_id
    )
    return or_(incidents.c.opened_at < place.opened_at, same_time)


def _equals(column: ColumnElement[str], value: str) -> ColumnElement[bool]:
    """Compare with text from outside; what no database can store matches nothing."""
    storable = "\0" not in value and not any("\ud800" <= letter <= "\udfff" for letter in value)
    return column == value if storable else false()


def _at_least(severity: Severity) -> ColumnElement[bool]:
    return incidents.c.severity.in_([str(s) for s in Severity if s.rank >= severity.rank])
