"""The machine: which cores measure and which serve, and the servers."""

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


class Cores:
    """One core for what is measured, all the others for the servers; as many as there are."""

    def __init__(self) -> None:
        self.divided = hasattr(os, "sched_setaffinity")
        cores = os.sched_getaffinity(0) if self.divided else {0}
        self.measured = {max(cores)}
        self.others = cores - self.measured or cores

    def use(self, cores: set[int]) -> None:
        """Keep all threads of this process on these cores, and what it starts from now on."""
        if self.divided:
            for thread in Path("/proc/self/task").iterdir():
                os.sched_setaffinity(int(thread.name), cores)


@contextmanager
def running_servers(cores: Cores) -> Iterator[Servers]:
    """Start servers away from the measured core, or take those that the tests would take."""
    with ExitStack() as stack:
        cores.use(cores.others)
        kafka = os.environ.get("QUERYWATCH_TEST_KAFKA")
        if kafka is None:
            folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="querywatch-bench-"))
            kafka = stack.enter_context(running_kafka(Path(folder))).bootstrap
        postgres = os.environ.get("QUERYWATCH_TEST_DATABASE_URL")
        yield Servers(kafka, postgres or stack.enter_context(running_postgres()))
