"""How fast decoding is, next to the bare parse of the same records into the same structs."""

import json
import random
import time
from collections.abc import Callable, Sequence
from typing import NamedTuple

import msgspec

from detector.events.decode import Decoder
from detector.events.model import PredictionEvent
from detector.events.record import Position, Record


class DecodeSpeed(NamedTuple):
    """Records per second of processor time, best of several rounds.

    `bare` is msgspec alone; `decode` adds the rules; `decode_all` adds positions and dead letters.
    """

    bytes_each: float
    bare: float
    decode: float
    decode_all: float

    @property
    def ratio(self) -> float:
        """Speed of `decode` as a share of the bare parse."""
        return self.decode / self.bare


def sample_records(count: int, features: int = 30, **extra: object) -> list[Record]:
    """Clean plain records of about 1 KB, the same ones every time."""
    chance = random.Random(7)
    records = []
    for at in range(count):
        event = {
            "event_id": f"0198f2a0-{at:08d}",
            "time": f"2026-03-01T12:{at // 60 % 60:02}:{at % 60:02}.123456Z",
            "client_id": f"client-{at % 50}",
            "model_id": "credit-risk",
            "model_version": "3.1",
            "session_id": f"session-{at % 200}",
            "source_ip": "203.0.113.9",
            "user_agent": "Mozilla/5.0 (X11; Linux x86_64) python-requests/2.32.5 " * 2,
            "input": {"features": [chance.gauss(0, 1) for _ in range(features)]},
            "output": {"label": 1, "scores": [0.25, 0.75]},
            "status": 200,
            "latency_ms": 12.5,
            "request_bytes": 800,
            **extra,
        }
        records.append(Record(Position("bench", 0, at), json.dumps(event).encode()))
    return records


def decode_speed(records: Sequence[Record], rounds: int = 15) -> DecodeSpeed:
    """Time the three ways over clean plain records."""
    decoder = Decoder()
    parse = msgspec.json.Decoder(PredictionEvent).decode
    bodies = [record.value or b"" for record in records]

    def bare() -> None:
        for body in bodies:
            parse(body)

    def decode() -> None:
        for record in records:
            decoder.decode(record)

    def decode_all() -> None:
        decoder.decode_all(records)

    speeds = (len(records) / _best(way, rounds) for way in (bare, decode, decode_all))
    return DecodeSpeed(sum(map(len, bodies)) / len(bodies), *speeds)


def _best(way: Callable[[], None], rounds: int) -> float:
    times = []
    for _ in range(rounds):
        start = time.process_time()
        way()
        times.append(time.process_time() - start)
    return min(times)
