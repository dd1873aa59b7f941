"""Reading incidents from the store for the command line."""

from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import replace

from detector.config import Settings
from detector.incidents.model import Incident
from detector.kit.errors import NotFoundError
from detector.pipeline.ports import IncidentQuery, Store

PAGE = 200
SHORTEST_PREFIX = 4


@contextmanager
def reading(settings: Settings) -> Iterator[Store]:
    """The database as it stands, closed afterwards."""
    from detector import bootstrap

    with closing(bootstrap.open_existing_database(settings)) as store:
        yield store


def all_incidents(store: Store, query: IncidentQuery | None = None) -> list[Incident]:
    """Every incident that the filters let through, oldest first."""
    page = replace(query or IncidentQuery(), limit=PAGE)
    found: list[Incident] = []
    with store.transaction() as transaction:
        while True:
            listed = transaction.incidents.list(page)
            found += listed.items
            if listed.next_cursor is None:
                return found[::-1]
            page = replace(page, after=listed.next_cursor)


def incident_by_prefix(store: Store, prefix: str) -> Incident:
    """The incident with that id, or the only one whose id begins so; raises `NotFoundError`."""
    with store.transaction() as transaction:
        exact = transaction.incidents.get(prefix)
    if exact is not None:
        return exact
    matching = [item for item in all_incidents(store) if item.incident_id.startswith(prefix)]
    if len(prefix) < SHORTEST_PREFIX or not matching:
        raise NotFoundError(f"there is no incident {prefix}")
    if len(matching) > 1:
        raise NotFoundError(f"{len(matching)} incidents begin with {prefix}; give more of the id")
    return matching[0]
