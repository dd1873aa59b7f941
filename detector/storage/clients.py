"""The newest profile of each client in the database."""

from collections.abc import Sequence

from sqlalchemy import Connection, select

from detector.events.model import ClientKey
from detector.incidents.identity import client_key
from detector.pipeline.ports import ClientProfile
from detector.storage.rows import profile_from_row, profile_to_row
from detector.storage.tables import clients
from detector.storage.upsert import replace_all


class SqlClients:
    """The port `Clients` over one connection."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def put(self, profiles: Sequence[ClientProfile]) -> None:
        """Insert or replace, the last one of each client; in one order, against deadlocks."""
        newest = {row["client_key"]: row for row in map(profile_to_row, profiles)}
        if not newest:
            return
        replace_all(self._connection, clients, [newest[key] for key in sorted(newest)])

    def get(self, client: ClientKey) -> ClientProfile | None:
        """Return the profile, or None."""
        rows = self._connection.execute(
            select(clients).where(clients.c.client_key == client_key(client))
        )
        row = rows.mappings().one_or_none()
        return None if row is None else profile_from_row(row)
