"""Both servers for commands that are no tests, found or started as the fixtures do."""

import os
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import NamedTuple

from tests.services.kafka import running_kafka
from tests.services.postgres import running_postgres


class Servers(NamedTuple):
    """Where the servers are: a broker's `host:port` and the URL of a PostgreSQL server."""

    kafka: str
    postgres: str


@contextmanager
def running_servers() -> Iterator[Servers]:
    """Start a broker and a PostgreSQL server, or take those that the tests would take."""
    with ExitStack() as stack:
        kafka = os.environ.get("QUERYWATCH_TEST_KAFKA")
        if kafka is None:
            folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="querywatch-kafka-"))
            kafka = stack.enter_context(running_kafka(Path(folder))).bootstrap
        postgres = os.environ.get("QUERYWATCH_TEST_DATABASE_URL")
        yield Servers(kafka, postgres or stack.enter_context(running_postgres()))
