"""The benchmark's traffic: many benign clients and a few that walk along one field."""

from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

import msgspec
import numpy as np
from kafka import KafkaAdminClient, KafkaProducer
from kafka.admin import NewTopic
from numpy.typing import NDArray

from detector.events.decode import Decoder
from detector.events.located import LocatedEvent
from detector.events.model import ModelKey
from detector.events.record import Position, Record
from detector.pipeline.learn import ReferenceBuilder
from detector.reference.picture import Reference

MODEL = ModelKey("", "credit-risk")
FIELDS = 30
ATTACKERS = 20
STRETCH = 10_000
BEGIN_MS = 1_700_000_000_000
"""Long ago by every clock: events from the future are refused."""
STEP_MS = 5
LEARN_EVENTS, LEARN_CLIENTS = 5_000, 50


class Queries(NamedTuple):
    """Inputs, (n, FIELDS), and what the model answered: its score of class 1, (n,)."""

    inputs: NDArray[np.float64]
    scores: NDArray[np.float64]


def ask(inputs: NDArray[np.float64]) -> Queries:
    """Let the model answer."""
    return Queries(inputs, 1.0 / (1.0 + np.exp(-inputs[:, 0] - inputs[:, 1])))


def ordinary(count: int, seed: int) -> Queries:
    """Independent queries as benign clients make them."""
    return ask(np.random.default_rng(seed).normal(size=(count, FIELDS)))


def walk(count: int, seed: int) -> Queries:
    """Queries along one field of one record."""
    chance = np.random.default_rng(seed)
    inputs = np.repeat(chance.normal(size=(1, FIELDS)), count, axis=0)
    inputs[:, 0] = chance.normal(size=count)
    return ask(inputs)


def bodies(events: int, clients: int, attackers: int, seed: int) -> Iterator[bytes]:
    """JSON events of about 1 KB with `FIELDS` numbers each, from uniformly chosen clients."""
    chance = np.random.default_rng(seed)
    for begin in range(0, events, STRETCH):
        count = min(STRETCH, events - begin)
        owner = chance.integers(0, clients, count)
        inputs = chance.normal(size=(count, FIELDS))
        inputs[owner < attackers, 1:] = np.linspace(-1.0, 1.0, FIELDS - 1)
        queries = ask(inputs)
        for i in range(count):
            yield body(begin + i, f"client-{owner[i]:06d}", queries, i)


def body(number: int, client: str, queries: Queries, i: int) -> bytes:
    """The JSON event of query `i`, the `number`th of the log."""
    score = float(queries.scores[i])
    return msgspec.json.encode(
        {
            "event_id": f"0198f2a0-7c1e-7000-8000-{number:012d}",
            "time": BEGIN_MS + number * STEP_MS,
            "client_id": client,
            "model_id": MODEL.model_id,
            "model_version": "3.1",
            "session_id": f"session-{client}",
            "source_ip": "203.0.113.9",
            "user_agent": "Mozilla/5.0 (X11; Linux x86_64) python-requests/2.32.5",
            "input": {"features": queries.inputs[i].tolist()},
            "output": {"label": int(score >= 0.5), "scores": [1.0 - score, score]},
            "status": 200,
            "latency_ms": 12.5,
            "request_bytes": 800,
        }
    )


class Pool:
    """Queries made once, which any clients ask again and again."""

    def __init__(self, queries: Queries) -> None:
        self._queries = queries

    def events(self, clients: Iterable[str], first: int = 0) -> Sequence[LocatedEvent]:
        """One decoded event of each of these clients in turn, the first the `first`th of a log."""
        count = len(self._queries.scores)
        return decoded(
            body(number, client, self._queries, number % count)
            for number, client in enumerate(clients, first)
        )


def make_topic(bootstrap: str, topic: str) -> None:
    """Make a topic of one partition."""
    admin = KafkaAdminClient(bootstrap_servers=bootstrap)
    admin.create_topics([NewTopic(topic, 1, 1)])
    admin.close()


def produce(bootstrap: str, topic: str, values: Iterable[bytes]) -> int:
    """Write records, uncompressed; returns how many bytes they were together."""
    producer = KafkaProducer(bootstrap_servers=bootstrap, linger_ms=50, batch_size=1 << 19)
    size = 0
    for value in values:
        size += len(value)
        producer.send(topic, value)
    producer.flush()
    producer.close()
    return size


def decoded(values: Iterable[bytes]) -> Sequence[LocatedEvent]:
    """The same as located events."""
    records = [Record(Position("log", 0, at), value) for at, value in enumerate(values)]
    return Decoder().decode_all(records).events


def benign_reference() -> Reference:
    """A reference learnt from a benign slice of the same kind of traffic."""
    builder = ReferenceBuilder(MODEL)
    builder.add(decoded(bodies(LEARN_EVENTS, LEARN_CLIENTS, attackers=0, seed=2)))
    return builder.build()
