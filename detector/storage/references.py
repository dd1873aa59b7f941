"""Versioned references in the database."""

from collections.abc import Sequence
from dataclasses import replace

from sqlalchemy import ColumnElement, Connection, and_, insert, select, update
from sqlalchemy.exc import IntegrityError

from detector.events.model import ModelKey
from detector.kit.errors import ConflictError, NotFoundError
from detector.pipeline.ports import ReferenceInfo, ReferenceStatus
from detector.storage.rows import reference_from_row, reference_to_row
from detector.storage.tables import references

_INFO = [column for column in references.columns if column.name != "body"]


class SqlReferences:
    """The port `References` over one connection."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def add(self, info: ReferenceInfo, body: bytes) -> ReferenceInfo:
        """Store as the model's next version, unless the active one has the same digest."""
        known = self.list(info.model)
        for other in known:
            if other.status is ReferenceStatus.ACTIVE and other.digest == info.digest:
                return other
        stored = replace(info, version=known[0].version + 1 if known else 1)
        if stored.status is ReferenceStatus.ACTIVE:
            self._deactivate(info.model)
        try:
            with self._connection.begin_nested():
                self._connection.execute(insert(references).values(reference_to_row(stored, body)))
        except IntegrityError as error:
            raise ConflictError(
                f"model {info.model.model_id}: somebody else has just stored a reference; repeat"
            ) from error
        return stored

    def activate(self, model: ModelKey, version: int) -> ReferenceInfo:
        """Make that version the one in force; raises `NotFoundError`."""
        wanted = and_(_of(model), references.c.version == version)
        row = self._connection.execute(select(*_INFO).where(wanted)).mappings().one_or_none()
        if row is None:
            raise NotFoundError(f"model {model.model_id} has no reference version {version}")
        self._deactivate(model)
        statement = update(references).where(wanted).values(status=str(ReferenceStatus.ACTIVE))
        try:
            with self._connection.begin_nested():
                self._connection.execute(statement)
        except IntegrityError as error:
            raise ConflictError(
                f"model {model.model_id}: somebody else has just activated a reference; repeat"
            ) from error
        return replace(reference_from_row(row), status=ReferenceStatus.ACTIVE)

    def list(self, model: ModelKey | None = None) -> Sequence[ReferenceInfo]:
        """Newest version first within each model."""
        columns = references.c
        statement = select(*_INFO).order_by(
            columns.tenant_id, columns.model_id, columns.version.desc()
        )
        if model is not None:
            statement = statement.where(_of(model))
        return [reference_from_row(row) for row in self._connection.execute(statement).mappings()]

    def body(self, model: ModelKey, version: int | None = None) -> bytes | None:
        """The stored bytes of that version, or of the active one when None."""
        if version is None:
            wanted = references.c.status == str(ReferenceStatus.ACTIVE)
        else:
            wanted = references.c.version == version
        statement = select(references.c.body).where(_of(model), wanted)
        return self._connection.execute(statement).scalar_one_or_none()

    def find(self, model: ModelKey, digest: str) -> bytes | None:
        """The stored bytes of the version with that digest, or None."""
        rows = self._connection.execute(
            select(references.c.body).where(_of(model), references.c.digest == digest).limit(1)
        )
        return rows.scalar_one_or_none()

    def _deactivate(self, model: ModelKey) -> None:
        self._connection.execute(
            update(references).where(_of(model)).values(status=str(ReferenceStatus.INACTIVE))
        )


def _of(model: ModelKey) -> ColumnElement[bool]:
    return and_(references.c.tenant_id == model.tenant_id, references.c.model_id == model.model_id)
