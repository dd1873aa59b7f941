"""`INSERT … ON CONFLICT`, which SQLAlchemy has only in each dialect's own form."""

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
from sqlalchemy import JSON, Connection, Select, Table, Text, bindparam, cast, column, func, select
from sqlalchemy.dialects import postgresql, sqlite

_DOCUMENT = "rows"


def upsert(connection: Connection, table: Table) -> postgresql.Insert | sqlite.Insert:
    """Return an insert that has `on_conflict_do_nothing` and `on_conflict_do_update`."""
    if connection.dialect.name == "postgresql":
        return postgresql.insert(table)
    return sqlite.insert(table)


def replace_all(connection: Connection, table: Table, rows: Sequence[Mapping[str, Any]]) -> None:
    """Insert rows, or replace those of the same primary key.

    PostgreSQL takes them as one JSON document, which costs a third of a parameter for each value.
    """
    whole = connection.dialect.name == "postgresql"
    statement = upsert(connection, table)
    if whole:
        statement = statement.from_select([each.name for each in table.columns], _unpacked(table))
    statement = statement.on_conflict_do_update(
        index_elements=list(table.primary_key),
        set_={c.name: statement.excluded[c.name] for c in table.columns if not c.primary_key},
    )
    if whole:
        connection.execute(statement, {_DOCUMENT: msgspec.json.encode(rows).decode()})
    else:
        connection.execute(statement, rows)


def _unpacked(table: Table) -> Select[Any]:
    """Select the table's columns from a document of its rows."""
    columns = [column(each.name, each.type) for each in table.columns]
    document = cast(bindparam(_DOCUMENT, type_=Text), JSON)
    rows = func.json_to_recordset(document).table_valued(*columns)
    return select(*rows.render_derived(with_types=True).c)
