"""Fixtures over the servers.

`QUERYWATCH_TEST_KAFKA` (host:port) and `QUERYWATCH_TEST_DATABASE_URL` (an SQLAlchemy URL whose
user may create databases) point the tests at servers that already run.
"""

import os
import uuid
from collections.abc import Callable, Iterator

import pytest
from kafka import KafkaAdminClient
from kafka.admin import NewTopic

from tests.services.kafka import running_kafka
from tests.services.postgres import fresh_database, running_postgres


@pytest.fixture(scope="session")
def kafka_bootstrap(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """`host:port` of a Kafka broker that answers."""
    if address := os.environ.get("QUERYWATCH_TEST_KAFKA"):
        yield address
        return
    with running_kafka(tmp_path_factory.mktemp("kafka")) as server:
        yield server.bootstrap


@pytest.fixture
def create_topic(kafka_bootstrap: str) -> Callable[..., str]:
    """A function `(partitions=1) -> name` that creates an empty topic."""

    def create(partitions: int = 1) -> str:
        name = f"querywatch-test-{uuid.uuid4().hex[:12]}"
        admin = KafkaAdminClient(bootstrap_servers=kafka_bootstrap)
        try:
            admin.create_topics([NewTopic(name, partitions, 1)])
        finally:
            admin.close()
        return name

    return create


@pytest.fixture(scope="session")
def postgres_url() -> Iterator[str]:
    """SQLAlchemy URL (psycopg 3) of a PostgreSQL server on which databases may be created."""
    if url := os.environ.get("QUERYWATCH_TEST_DATABASE_URL"):
        yield url
        return
    with running_postgres() as url:
        yield url


@pytest.fixture
def postgres_database_url(postgres_url: str) -> Iterator[str]:
    """SQLAlchemy URL of an empty PostgreSQL database of this test's own."""
    with fresh_database(postgres_url) as url:
        yield url
