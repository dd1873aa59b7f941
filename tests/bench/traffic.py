"""The benchmark's log: many benign clients and a few that walk along one field."""

from collections.abc import Iterator, Sequence

import msgspec
import numpy as np
from kafka import KafkaAdminClient, KafkaProducer
from kafka.admin import NewTopic

from detector.events.decode import Decoder
from detector.events.model import ModelKey
from detector.events.record import Position, Record
from detector.pipeline.learn import ReferenceBuilder
from detector.reference.picture import Reference

MODEL = ModelKey("", "credit-risk")
FIELDS = 30
ATTACKERS = 20
STRETCH = 10_000
BEGIN_MS = 1_772_366_400_000
STEP_MS = 5
LEARN_EVENTS, LEARN_CLIENTS = 5_000, 50


def bodies(events: int, clients: int, attackers: int, seed: int) -> Iterator[bytes]:
    """JSON events of about 1 KB with `FIELDS` numbers each, from uniformly chosen clients."""
    chance = np.random.default_rng(seed)
    encode = msgspec.json.Encoder().encode
    for begin in range(0, events, STRETCH):
        count = min(STRETCH, events - begin)
        owner = chance.integers(0, clients, count)
        inputs = chance.normal(size=(count, FIELDS))
        sweeping = owner < attackers
        inputs[sweeping, 1:] = np.linspace(-1.0, 1.0, FIELDS - 1)
        scores = 1.0 / (1.0 + np.exp(-inputs[:, 0] - inputs[:, 1]))
        for i in range(count):
            yield encode(_event(begin + i, int(owner[i]), inputs[i].tolist(), float(scores[i])))


def _event(number: int, client: int, features: Sequence[float], score: float) -> dict[str, object]:
    return {
        "event_id": f"0198f2a0-7c1e-7000-8000-{number:012d}",
        "time": BEGIN_MS + number * STEP_MS,
        "client_id": f"client-{client:06d}",
        "model_id": MODEL.model_id,
        "model_version": "3.1",
        "session_id": f"session-{client:06d}",
        "source_ip": "203.0.113.9",
        "user_agent": "Mozilla/5.0 (X11; Linux x86_64) python-requests/2.32.5",
        "input": {"features": features},
        "output": {"label": int(score >= 0.5), "scores": [1.0 - score, score]},
        "status": 200,
        "latency_ms": 12.5,
        "request_bytes": 800,
    }


def produce(bootstrap: str, topic: str, events: int, clients: int) -> float:
    """Write the log to a new topic of one partition, uncompressed; returns bytes a record."""
    admin = KafkaAdminClient(bootstrap_servers=bootstrap)
    admin.create_topics([NewTopic(topic, 1, 1)])
    admin.close()
    producer = KafkaProducer(bootstrap_servers=bootstrap, linger_ms=50, batch_size=1 << 19)
    size = 0
    for body in bodies(events, clients, ATTACKERS, seed=1):
        size += len(body)
        producer.send(topic, body)
    producer.flush()
    producer.close()
    return size / events


def benign_reference() -> Reference:
    """A reference learnt from a benign slice of the same kind of traffic."""
    records = [
        Record(Position("benign", 0, at), body)
        for at, body in enumerate(bodies(LEARN_EVENTS, LEARN_CLIENTS, attackers=0, seed=2))
    ]
    builder = ReferenceBuilder(MODEL)
    builder.add(Decoder().decode_all(records).events)
    return builder.build()
