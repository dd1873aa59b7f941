"""A campaign of kills while a log is produced, against a run to which nothing happens."""

import tempfile
import threading
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from zlib import crc32

import msgspec
from kafka import KafkaAdminClient, KafkaProducer
from kafka.admin import NewTopic
from sqlalchemy import create_engine, func, select
from sqlalchemy.exc import OperationalError

from detector import bootstrap
from detector.cli.learn import learn_references
from detector.config import Settings
from detector.evaluation import demo_data
from detector.sources.kafka import KafkaSettings
from detector.storage.tables import partitions
from tests.crash.crew import Crew
from tests.crash.left import Left, left
from tests.services.gate import Gate
from tests.services.postgres import fresh_database

PARTITIONS = 6
WORKERS = 3
PATIENCE = 120.0
POISON = 997


class _Client(msgspec.Struct):
    client_id: str


@dataclass(frozen=True)
class Ground:
    """The servers, and the log that is produced.

    Attributes:
        kafka: `host:port`.
        postgres: URL of a server on which databases may be made.
        bodies: Events, some of which are none.
    """

    kafka: str
    postgres: str
    bodies: Sequence[bytes]

    def reading(self, topic: str) -> KafkaSettings:
        """How to read what was produced."""
        return KafkaSettings((self.kafka,), (topic,))

    def settings(self, database_url: str, topic: str, group: str) -> dict[str, str]:
        """What a worker is told."""
        return {
            "kafka_bootstrap_servers": self.kafka,
            "kafka_topic": topic,
            "kafka_group": group,
            "kafka_session_timeout": "6s",
            "database_url": database_url,
            "snapshot_interval": "1s",
            "batch_size": "500",
        }


def demo_bodies(count: int) -> list[bytes]:
    """The first events of the demo's log, with poison among them."""
    bodies: list[bytes] = []
    for records in bootstrap.file_records([str(demo_data.log_path())]):
        for record in records:
            bodies += [b"{poison"] if len(bodies) % POISON == POISON - 1 else []
            bodies.append(record.value or b"")
            if len(bodies) >= count:
                return bodies
    return bodies


def new_topic(kafka: str) -> str:
    """Make a topic of `PARTITIONS` partitions."""
    name = f"crash-{uuid.uuid4().hex[:8]}"
    admin = KafkaAdminClient(bootstrap_servers=kafka)
    admin.create_topics([NewTopic(name, PARTITIONS, 1)])
    admin.close()
    return name


def produce(ground: Ground, topic: str, seconds: float, ended: threading.Event) -> None:
    """Send the log keyed by client, evenly over so many seconds; sets `ended`."""
    producer = KafkaProducer(bootstrap_servers=ground.kafka, linger_ms=20)
    began = time.monotonic()
    for n, body in enumerate(ground.bodies):
        if n % 100 == 0:
            ahead = began + seconds * n / len(ground.bodies) - time.monotonic()
            time.sleep(max(ahead, 0.0))
        key = _key(body)
        producer.send(topic, body, key, partition=crc32(key) % PARTITIONS)
    producer.flush()
    producer.close()
    ended.set()


def _key(body: bytes) -> bytes:
    try:
        return msgspec.json.decode(body, type=_Client).client_id.encode()
    except msgspec.DecodeError:
        return body


@contextmanager
def crew_at_work(
    ground: Ground, topic: str, workers: int, named: bool = True
) -> Iterator[tuple[Crew, Gate]]:
    """Workers on an empty database with the demo's references; yields them and its gate."""
    with (
        tempfile.TemporaryDirectory(prefix="querywatch-crash-") as folder,
        fresh_database(ground.postgres) as url,
    ):
        store = bootstrap.open_database(Settings(database_url=url), upgrade=True)
        learn_references(store, [str(demo_data.reference_path())])
        store.close()
        group, gate = f"group-{uuid.uuid4().hex[:8]}", Gate(url)
        crew = Crew(Path(folder), ground.settings(gate.url, topic, group), workers, 1, named)
        try:
            yield crew, gate
        finally:
            crew.end()
            gate.close()


def stored(url: str) -> int:
    """Records whose effects are stored."""
    engine = create_engine(url)
    try:
        with engine.connect() as connection:
            total = func.coalesce(func.sum(partitions.c.events + partitions.c.rejected), 0)
            return int(connection.execute(select(total)).scalar_one())
    finally:
        engine.dispose()


def wait_stored(crew: Crew, url: str, count: int) -> None:
    """Wait until everything is stored; raises `TimeoutError`."""
    until = time.monotonic() + PATIENCE
    while (found := stored(url)) < count:
        crew.mend()
        if time.monotonic() > until:
            raise TimeoutError(f"{found} of {count} records are stored:\n{crew.tails()}")
        time.sleep(0.3)


def undisturbed(ground: Ground, topic: str) -> Left:
    """What one worker leaves of a topic that is there already."""
    with crew_at_work(ground, topic, workers=1) as (crew, gate):
        wait_stored(crew, gate.url, len(ground.bodies))
        crew.end()
        return left(gate.url, ground.reading(topic), PARTITIONS)


@dataclass(frozen=True)
class Campaign:
    """What came of one.

    Attributes:
        left: In the database.
        crew: Who worked.
        still_seconds: The longest time that a partition stood still while the log was produced.
        caught_up_seconds: From the end of producing to the last record's effects.
    """

    left: Left
    crew: Crew
    still_seconds: float
    caught_up_seconds: float


def disturbed(
    ground: Ground, topic: str, seconds: float, disturb: Callable[[Crew, Gate], None],
    named: bool = True,
) -> Campaign:  # fmt: skip
    """Disturb three workers again and again while the log is produced."""
    ended = threading.Event()
    with crew_at_work(ground, topic, WORKERS, named) as (crew, gate):
        watch = Stillness(gate.url)
        threads = [
            threading.Thread(target=produce, args=(ground, topic, seconds, ended)),
            threading.Thread(target=watch.run, args=(ended,)),
        ]
        for thread in threads:
            thread.start()
        try:
            while not ended.is_set():
                disturb(crew, gate)
        finally:
            for thread in threads:
                thread.join()
        began = time.monotonic()
        wait_stored(crew, gate.url, len(ground.bodies))
        caught_up = time.monotonic() - began
        crew.end()
        return Campaign(
            left(gate.url, ground.reading(topic), PARTITIONS), crew, watch.longest, caught_up
        )


class Stillness:
    """Looks once a second how long each partition's position has stood; from its first record."""

    def __init__(self, url: str) -> None:
        self._url = url
        self.longest = 0.0

    def run(self, ended: threading.Event) -> None:
        """Watch until the log has been produced."""
        moved: dict[int, tuple[int, float]] = {}
        engine = create_engine(self._url)
        while not ended.wait(1.0):
            now = time.monotonic()
            with suppress(OperationalError), engine.connect() as connection:
                for row in connection.execute(select(partitions)):
                    position, since = moved.get(row.number, (row.next_offset, now))
                    if position == row.next_offset:
                        self.longest = max(self.longest, now - since)
                    else:
                        since = now
                    moved[row.number] = row.next_offset, since
        engine.dispose()
