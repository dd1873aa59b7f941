"""The conformance suite over every backend, the in-memory fake included."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from detector.pipeline.ports import Store
from detector.storage import migrate
from detector.storage.store import MEMORY_URL, open_store
from tests.fakes.store import FakeStore
from tests.storage.conformance import DatabaseConformance, StoreConformance


def migrated(url: str) -> Iterator[Store]:
    migrate.upgrade(url)
    store = open_store(url)
    yield store
    store.close()


class TestFake(StoreConformance):
    @pytest.fixture
    def store(self) -> Store:
        return FakeStore()


class TestSqliteInMemory(DatabaseConformance):
    @pytest.fixture
    def store(self) -> Iterator[Store]:
        store = open_store(MEMORY_URL)
        yield store
        store.close()


class TestSqliteFile(DatabaseConformance):
    @pytest.fixture
    def store(self, tmp_path: Path) -> Iterator[Store]:
        yield from migrated(f"sqlite:///{tmp_path}/querywatch.db")


class TestPostgres(DatabaseConformance):
    @pytest.fixture
    def store(self, postgres_database_url: str) -> Iterator[Store]:
        yield from migrated(postgres_database_url)
