"""What the databases do when they are gone, busy, behind, or written to by two at once."""

import sqlite3
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy import Engine, create_engine, make_url, text
from sqlalchemy.exc import ProgrammingError, StatementError

from detector.events.record import Partition
from detector.incidents import acts
from detector.kit.errors import ConfigurationError, RecoverableError
from detector.pipeline.partitions import Ownership
from detector.pipeline.ports import IncidentQuery
from detector.storage import engine, migrate
from detector.storage.store import SqlStore, open_store
from tests.incidents.findings import CLIENT
from tests.storage.shapes import NOW, opened, profile

PARTITION = Partition("log", 0)


def count(url: str) -> int:
    store = open_store(url)
    try:
        with store.transaction() as transaction:
            return transaction.incidents.count(IncidentQuery())
    finally:
        store.close()


def administrator(url: str) -> Engine:
    """An engine for another database of the same server, without transactions."""
    server = make_url(url).set(database="postgres")
    return create_engine(server, isolation_level="AUTOCOMMIT")


def claim(store: SqlStore) -> Ownership:
    with store.transaction() as transaction:
        return transaction.partitions.claim(PARTITION)


def test_a_postgres_that_goes_away_is_recoverable_and_comes_back(
    postgres_database_url: str,
) -> None:
    migrate.upgrade(postgres_database_url)
    store = open_store(postgres_database_url)
    admin = administrator(postgres_database_url)
    name = make_url(postgres_database_url).database

    def write_while_the_server_hangs_up() -> None:
        with store.transaction() as transaction:
            transaction.incidents.save(opened())
            with admin.connect() as connection:
                connection.execute(
                    text("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname=:n"),
                    {"n": name},
                )
            transaction.incidents.count(IncidentQuery())

    with pytest.raises(RecoverableError):
        write_while_the_server_hangs_up()
    with store.transaction() as transaction:
        assert transaction.incidents.count(IncidentQuery()) == 0
    store.close()
    admin.dispose()


def test_a_postgres_that_is_not_there_is_recoverable() -> None:
    store = open_store("postgresql://nobody@127.0.0.1:1/nothing")
    with pytest.raises(RecoverableError, match="unwell"):
        store.ready()


def test_a_sqlite_that_somebody_holds_is_recoverable(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engine, "_BUSY_TIMEOUT_S", 0.05)
    url = f"sqlite:///{tmp_path}/querywatch.db"
    migrate.upgrade(url)
    other = sqlite3.connect(tmp_path / "querywatch.db", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(RecoverableError, match="locked"):
        count(url)
    other.execute("ROLLBACK")
    other.close()
    assert count(url) == 0


def test_a_folder_that_is_not_there_is_recoverable(tmp_path: Path) -> None:
    with pytest.raises(RecoverableError):
        count(f"sqlite:///{tmp_path}/missing/querywatch.db")


def test_a_file_that_may_only_be_read_never_heals_and_is_named(tmp_path: Path) -> None:
    path = tmp_path / "kept.db"
    migrate.upgrade(f"sqlite:///{path}")
    store = open_store(f"sqlite:///file:{path}?mode=ro&uri=true")
    with pytest.raises(ConfigurationError, match=r"kept\.db: this database is read-only"):
        claim(store)
    store.close()


def test_a_wrong_statement_is_not_recoverable(tmp_path: Path) -> None:
    with pytest.raises(Exception, match="no such table") as raised:
        count(f"sqlite:///{tmp_path}/empty.db")
    assert not isinstance(raised.value, RecoverableError)


def test_a_wrong_statement_on_postgres_is_not_recoverable(postgres_database_url: str) -> None:
    with pytest.raises(ProgrammingError):
        count(postgres_database_url)


def test_a_time_without_a_zone_is_refused(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/querywatch.db"
    migrate.upgrade(url)
    naive = datetime(2026, 1, 1, tzinfo=UTC).replace(tzinfo=None)
    store = open_store(url)
    query = IncidentQuery(opened_from=naive)
    with store.transaction() as transaction, pytest.raises(StatementError, match="aware"):
        transaction.incidents.count(query)
    store.close()


@pytest.mark.parametrize("url", ["mysql://x/y", "nonsense", "postgresql+asyncpg://x/y"])
def test_an_unsupported_database_is_refused(url: str) -> None:
    with pytest.raises(ConfigurationError, match="database URL"):
        open_store(url)


@pytest.mark.parametrize("scheme", ["postgres", "postgresql", "postgresql+psycopg"])
def test_postgres_urls_of_every_spelling_use_psycopg(scheme: str) -> None:
    made = engine.make_engine(f"{scheme}://user@host/name")
    assert made.url.drivername == "postgresql+psycopg"


def test_a_row_that_triage_reads_waits_for_the_other_writer(postgres_database_url: str) -> None:
    migrate.upgrade(postgres_database_url)
    store = open_store(postgres_database_url)
    with store.transaction() as transaction:
        transaction.incidents.save(opened())
    reading = threading.Event()

    def triage() -> int:
        reading.set()
        with store.transaction() as transaction:
            (incident,) = transaction.incidents.for_client(CLIENT)
            transaction.incidents.save(acts.comment(incident, "machine", NOW, "seen"))
            return incident.version

    with ThreadPoolExecutor(1) as pool:
        with store.transaction() as transaction:
            (incident,) = transaction.incidents.for_client(CLIENT)
            running = pool.submit(triage)
            reading.wait()
            transaction.incidents.save(acts.comment(incident, "ana", NOW, "mine"))
        assert running.result() == 2
    store.close()


def test_sqlite_writers_wait_their_turn(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/querywatch.db"
    migrate.upgrade(url)
    store = open_store(url)

    def write(number: int) -> None:
        with store.transaction() as transaction:
            known = transaction.clients.get(profile().client)
            queries = known.queries + 1 if known else 1
            transaction.clients.put([profile(queries=queries), profile(f"client-{number}")])

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(write, range(64)))
    with store.transaction() as transaction:
        stored = transaction.clients.get(profile().client)
    assert stored is not None
    assert stored.queries == 64
    store.close()


def test_a_row_that_a_stalled_process_holds_is_waited_for_no_longer_than_it_takes(
    postgres_database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    migrate.upgrade(postgres_database_url)
    monkeypatch.setattr(engine, "_LOCK_TIMEOUT_S", 1)
    stalled, store = open_store(postgres_database_url), open_store(postgres_database_url)
    with stalled.transaction() as holding:
        holding.partitions.claim(PARTITION)
        with pytest.raises(RecoverableError, match="lock timeout"):
            claim(store)
    assert claim(store).epoch == 2
    stalled.close()
    store.close()


def test_a_transaction_that_stalls_is_ended_by_the_server(
    postgres_database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    migrate.upgrade(postgres_database_url)
    monkeypatch.setattr(engine, "_IDLE_TIMEOUT_S", 1)
    store = open_store(postgres_database_url)

    def stall() -> None:
        with store.transaction() as transaction:
            transaction.partitions.claim(PARTITION)
            time.sleep(2.0)
            transaction.partitions.claim(PARTITION)

    with pytest.raises(RecoverableError):
        stall()
    store.close()


def test_a_database_that_may_only_be_read_is_recoverable(postgres_database_url: str) -> None:
    migrate.upgrade(postgres_database_url)
    name = make_url(postgres_database_url).database
    admin = administrator(postgres_database_url)
    with admin.connect() as connection:
        connection.exec_driver_sql(
            f'ALTER DATABASE "{name}" SET default_transaction_read_only = on'
        )
    store = open_store(postgres_database_url)
    with pytest.raises(RecoverableError, match="read-only"):
        claim(store)
    store.close()
    admin.dispose()


def test_migrations_take_as_long_as_they_need(postgres_database_url: str) -> None:
    connecting = engine.make_engine(postgres_database_url)
    with connecting.begin() as connection:
        asked = text("SHOW statement_timeout")
        assert connection.execute(asked).scalar_one() == f"{engine._STATEMENT_TIMEOUT_S // 60}min"
        engine.no_time_limits(connection)
        assert connection.execute(asked).scalar_one() == "0"
    connecting.dispose()
