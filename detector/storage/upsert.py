"""`INSERT … ON CONFLICT`, which SQLAlchemy has only in each dialect's own form."""

from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

import msgspec
from sqlalchemy import JSON, Connection, Select, Table, Text, bindparam, cast, column, func, select
from sqlalchemy.dialects import postgresql, sqlite

_DOCUMENT = "rows"
_POSTGRESQL = "postgresql"


def upsert(connection: Connection, table: Table) -> postgresql.Insert | sqlite.Insert:
    """Return an insert that has `on_conflict_do_nothing` and `on_conflict_do_update`."""
    return _insert(connection.dialect.name, table)


def _insert(dialect: str, table: Table) -> postgresql.Insert | sqlite.Insert:
    return postgresql.insert(table) if dialect == _POSTGRESQL else sqlite.insert(table)


def replace_all(connection: Connection, table: Table, rows: Sequence[Mapping[str, Any]]) -> None:
    """Insert rows, or replace those of the same primary key.

    PostgreSQL takes them as one JSON document, which costs a third of a parameter for each value.
    """
    dialect = connection.dialect.name
    statement = _replacing(dialect, table)
    if dialect == _POSTGRESQL:
        connection.execute(statement, {_DOCUMENT: msgspec.json.encode(rows).decode()})
    else:
        connection.execute(statement, rows)


@cache
def _replacing(dialect: str, table: Table) -> postgresql.Insert | sqlite.Insert:
    """Return the statement of a table, which costs as much to make as fifty rows do to write."""
    statement = _insert(dialect, table)
    if dialect == _POSTGRESQL:
        statement = statement.from_select([each.name for each in table.columns], _unpacked(table))
    return statement.on_conflict_do_update(
        index_elements=list(table.primary_key),
        set_={c.name: statement.excluded[c.name] for c in table.columns if not c.primary_key},
    )


def _unpacked(table: Table) -> Select[Any]:
    """Select the table's columns from a document of its rows."""
    columns = [column(each.name, each.type) for each in table.columns]
    document = cast(bindparam(_DOCUMENT, type_=Text), JSON)
    rows = func.json_to_recordset(document).table_valued(*columns)
    return select(*rows.render_derived(with_types=True).c)
