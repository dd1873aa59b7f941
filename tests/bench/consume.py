"""`querywatch consume` as a process: how soon it stores, and how soon an incident is there."""

import statistics
import subprocess
import threading
import time
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from itertools import count

from kafka import KafkaProducer
from sqlalchemy import Engine, create_engine, func, select

from detector import bootstrap
from detector.reference.picture import Reference
from detector.storage import migrate, tables
from detector.storage.store import open_store
from tests.bench import traffic
from tests.bench.log import Log
from tests.bench.stages import new_detector
from tests.services.command import ARGUMENTS, environment
from tests.services.postgres import fresh_database
from tests.services.servers import Servers

PATIENCE_SECONDS = 60.0
LOOK_SECONDS = 0.001
LIFE = 300
"""Longest life of an attacker; the incident must come before."""
BETWEEN = 10
"""Benign events for each that is to open an incident."""
BENIGN_CLIENTS = 1_000


@contextmanager
def prepared(postgres: str, reference: Reference) -> Iterator[tuple[str, Engine]]:
    """A fresh database with this reference in force: its URL, and a way to look into it."""
    with fresh_database(postgres) as url:
        migrate.upgrade(url)
        store = open_store(url)
        with store.transaction() as transaction:
            info = bootstrap.reference_info(traffic.MODEL, reference, origin="log", activate=True)
            transaction.references.add(info, reference.to_bytes())
        store.close()
        engine = create_engine(url, isolation_level="AUTOCOMMIT")
        try:
            yield url, engine
        finally:
            engine.dispose()


@contextmanager
def consuming(kafka: str, topic: str, url: str) -> Iterator[None]:
    """The command as a member of a group of its own."""
    settings = {
        "kafka_bootstrap_servers": kafka,
        "kafka_topic": topic,
        "kafka_group": f"bench-{uuid.uuid4().hex[:8]}",
        "database_url": url,
        "log_level": "error",
    }
    process = subprocess.Popen([*ARGUMENTS, "consume"], env=environment(settings))
    try:
        yield
    finally:
        process.terminate()
        process.wait()


def start_seconds(log: Log, servers: Servers, rounds: int) -> float:
    """Return the median time from starting the process until events are stored."""
    times = []
    for _ in range(rounds):
        with prepared(servers.postgres, log.reference) as (url, engine):
            began = time.perf_counter()
            with consuming(log.bootstrap, log.topic, url):
                _wait(partial(_some_stored, engine))
                times.append(time.perf_counter() - began)
    return statistics.median(times)


def latencies_ms(
    servers: Servers, reference: Reference, incidents: int, rate: float
) -> Sequence[float]:
    """Return the times from sending a record until the incident that it opens can be read.

    Attackers have asked all but one of the queries that their incidents take; then benign events
    come at `rate` a second and, between them, one attacker's next one.
    """
    walkers = {f"walker-{number:04d}": traffic.walk(LIFE, number) for number in range(incidents)}
    last = opening_queries(walkers, reference)
    numbers, topic = count(), f"bench-{uuid.uuid4().hex[:8]}"
    earlier = [
        traffic.body(next(numbers), client, queries, i)
        for client, queries in walkers.items()
        for i in range(last[client])
    ]
    traffic.make_topic(servers.kafka, topic)
    traffic.produce(servers.kafka, topic, earlier)
    with (
        prepared(servers.postgres, reference) as (url, engine),
        consuming(servers.kafka, topic, url),
        _Eye(engine) as eye,
    ):
        _wait(lambda: stored(engine) == len(earlier))
        sent = _send(servers.kafka, topic, walkers, last, rate, numbers)
        _wait(lambda: sent.keys() <= eye.seen.keys())
    return [1_000 * (eye.seen[client] - at) for client, at in sent.items()]


def opening_queries(
    walkers: Mapping[str, traffic.Queries], reference: Reference
) -> Mapping[str, int]:
    """Return which query of each, from 0, opens its incident."""
    found = {}
    for client, queries in walkers.items():
        events = traffic.Pool(queries).events([client] * LIFE)
        findings = new_detector(reference).process(events).findings
        found[client] = min(finding.query for finding in findings) - 1
    return found


def _send(
    kafka: str, topic: str, walkers: Mapping[str, traffic.Queries], last: Mapping[str, int],
    rate: float, numbers: Iterator[int],
) -> Mapping[str, float]:  # fmt: skip
    """Send the benign events and the last queries; returns when each of those was sent."""
    benign = traffic.ordinary(len(walkers) * BETWEEN, seed=6)
    producer = KafkaProducer(bootstrap_servers=kafka, linger_ms=0)
    producer.partitions_for(topic)
    sent, due = {}, time.perf_counter()
    for at, (client, queries) in enumerate(walkers.items()):
        for i in range(at * BETWEEN, (at + 1) * BETWEEN):
            name = f"client-{i % BENIGN_CLIENTS:06d}"
            producer.send(topic, traffic.body(next(numbers), name, benign, i))
            due += 1.0 / rate
            time.sleep(max(due - time.perf_counter(), 0.0))
        value = traffic.body(next(numbers), client, queries, last[client])
        sent[client] = time.perf_counter()
        producer.send(topic, value)
    producer.close()
    return sent


class _Eye:
    """Looks again and again for clients with incidents, in a thread of its own.

    Attributes:
        seen: When each was seen first.
    """

    def __init__(self, engine: Engine) -> None:
        self.seen: dict[str, float] = {}
        self._engine = engine
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._look)

    def __enter__(self) -> "_Eye":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._end.set()
        self._thread.join()

    def _look(self) -> None:
        with self._engine.connect() as connection:
            while not self._end.wait(LOOK_SECONDS):
                clients = connection.scalars(select(tables.incidents.c.client_id)).all()
                now = time.perf_counter()
                for client in clients:
                    self.seen.setdefault(client, now)


def stored(engine: Engine) -> int:
    """Return how many events are stored."""
    with engine.connect() as connection:
        return connection.scalar(select(func.sum(tables.partitions.c.events))) or 0


def _some_stored(engine: Engine) -> bool:
    return stored(engine) > 0


def _wait(until: Callable[[], bool]) -> None:
    deadline = time.perf_counter() + PATIENCE_SECONDS
    while not until():
        if time.perf_counter() > deadline:
            raise RuntimeError("`querywatch consume` did not get there in time")
        time.sleep(LOOK_SECONDS)
