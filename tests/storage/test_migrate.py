"""Migrations on populated databases, and that they agree with the tables."""

from dataclasses import fields, replace
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import create_engine, inspect, text

from detector.events.record import Partition, Position
from detector.incidents import acts
from detector.incidents.model import Incident
from detector.kit.errors import ConfigurationError
from detector.pipeline.partitions import Adoption, LogGap, NewSnapshot
from detector.pipeline.ports import WaitingQuery
from detector.storage import migrate
from detector.storage.rows import incident_to_row
from detector.storage.store import open_store
from detector.storage.tables import incidents, metadata
from tests.storage.shapes import MODEL, NOW, letter, message, opened, profile, reference


@pytest.fixture(params=["sqlite", "postgres"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/querywatch.db"
    found: str = request.getfixturevalue("postgres_database_url")
    return found


def populate(url: str) -> None:
    store = open_store(url)
    change = opened()
    with store.transaction() as transaction:
        transaction.incidents.save(change)
        partition = Partition("predictions", 0)
        ownership = transaction.partitions.claim(partition)
        transaction.partitions.note_gap(LogGap(partition, 1, 2, NOW))
        transaction.snapshots.save(ownership, NewSnapshot(1, True, b"header", [b"part"]))
        transaction.snapshots.adopt(ownership, Adoption(1, MODEL, "digest"))
        transaction.dead_letters.add([letter(1)], NOW)
        transaction.clients.put([profile()])
        transaction.references.add(reference("a"), b"one")
        transaction.outbox.put([message(change.incident.incident_id, "m")])
        transaction.outbox.serve(1, NOW)
    store.close()


def rows(url: str) -> dict[str, int]:
    engine = create_engine(url)
    try:
        with engine.connect() as connection:
            names = set(inspect(connection).get_table_names()) - {"alembic_version"}
            return {
                name: connection.execute(text(f"SELECT count(*) FROM {name}")).scalar_one()
                for name in names
            }
    finally:
        engine.dispose()


def test_up_down_and_up_again_on_populated_data(url: str) -> None:
    assert migrate.current(url) is None
    migrate.upgrade(url)
    assert migrate.current(url) == migrate.head()
    populate(url)
    migrate.upgrade(url)
    assert rows(url) == dict.fromkeys(metadata.tables, 1)
    migrate.downgrade(url, "base")
    assert migrate.current(url) is None
    assert rows(url) == {}
    migrate.upgrade(url)
    populate(url)
    assert rows(url) == dict.fromkeys(metadata.tables, 1)


@pytest.mark.parametrize("revision", ["0001", "0003"])
def test_dead_letters_of_earlier_schemas_stay(url: str, revision: str) -> None:
    migrate.upgrade(url)
    migrate.downgrade(url, revision)
    engine = create_engine(url)
    with engine.begin() as connection:
        connection.execute(
            text("INSERT INTO dead_letters VALUES ('t', 0, 7, 'depth', '$', 'deep', :body, 2)"),
            {"body": b"[["},
        )
    engine.dispose()
    migrate.upgrade(url)
    store = open_store(url)
    with store.transaction() as transaction:
        stored = transaction.dead_letters.get(Position("t", 0, 7))
    store.close()
    assert stored is not None
    assert (stored.letter.body, stored.letter.headers, stored.settlement) == (b"[[", None, None)


@pytest.mark.parametrize("tried", [0, 3])
def test_what_waited_under_an_earlier_schema_goes_on_waiting(url: str, tried: int) -> None:
    """And a destination that was there already is not taken for a new one."""
    migrate.upgrade(url)
    store = open_store(url)
    waits, handled = opened(client_id="a"), opened(client_id="b")
    with store.transaction() as transaction:
        for change in (waits, handled, acts.acknowledge(handled.incident, "ana", NOW)):
            transaction.incidents.save(change)
        sent = replace(message(waits.incident.incident_id, "m"), attempts=tried)
        transaction.outbox.put([sent])
    store.close()
    migrate.downgrade(url, "0004")
    migrate.upgrade(url)
    store = open_store(url)
    span = WaitingQuery(waits.incident.severity, NOW, NOW + timedelta(1), below_level=2, limit=9)
    later = NOW + timedelta(3)
    with store.transaction() as transaction:
        assert transaction.incidents.unacknowledged(span) == [waits.incident]
        kept = transaction.incidents.get(handled.incident.incident_id)
        assert kept is not None
        assert (kept.waiting, kept.marks) == ({}, handled.incident.marks)
        assert transaction.outbox.serve(1, later) == (NOW if tried else later)
    store.close()


def test_migrations_and_tables_agree(url: str) -> None:
    migrate.upgrade(url)
    migrate.check(url)


def test_a_schema_that_differs_is_reported(url: str) -> None:
    migrate.upgrade(url)
    engine = create_engine(url)
    with engine.begin() as connection:
        connection.execute(text("ALTER TABLE outbox DROP COLUMN last_error"))
    engine.dispose()
    with pytest.raises(ConfigurationError, match="last_error"):
        migrate.check(url)


def test_a_store_behind_its_schema_says_what_to_do(url: str) -> None:
    store = open_store(url)
    with pytest.raises(ConfigurationError, match="querywatch migrate"):
        store.ready()
    migrate.upgrade(url)
    store.ready()
    store.close()


def test_the_incidents_columns_are_the_fields_of_an_incident() -> None:
    names = [field.name for field in fields(Incident)]
    assert [column.name for column in incidents.columns] == names
    assert list(incident_to_row(opened().incident)) == names
