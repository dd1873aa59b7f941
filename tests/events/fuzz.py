"""Fuzz the decoder: `python -m tests.events.fuzz --inputs 1000000`; ends with a line of figures.

Inputs are mutations of the corpora, JSON and MessagePack, by bytes and by fields, and random bytes.
The same seed makes the same inputs. Whatever is neither an event nor a dead letter is a crash.
"""

import argparse
import json
import random
import traceback
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import msgspec

from detector.events.assemble import assemble
from detector.events.batch import ColumnTable
from detector.events.decode import Decoded, Decoder
from detector.events.model import ModelKey
from detector.events.reasons import Reason
from detector.events.record import Position, Record
from tests.events.corpus.kinds import EVENT, HEADERS, KINDS, Headers, headers, structured
from tests.events.corpus.packed import MEDIA, PACKED_KINDS, float32

SEED = 20_260_301
BATCH = 100
LONGEST = 2000
NOW_MS = 1_900_000_000_000
RICH: tuple[dict[str, Any], ...] = (
    {**EVENT, "input": {"features": [1, "a", None, 2.5]}, "output": {"label": 1, "scores": [0.2]}},
    {**EVENT, "input": {"fields": {"a": 1, "b": "x", "c": True}}, "status": 200, "latency_ms": 1.5},
    {**EVENT, "input": {"embedding": [0.5, -2]}, "output": {"scores": {"no": 0.25, "yes": 0.75}}},
    {**EVENT, "input": {"fingerprint": ["ab", "0f"]}, "sampling_rate": 0.5, "extra": [[{}]]},
)
BYTES_ROW = {**EVENT, "input": {"features": float32(1, 2)}, "output": {"scores": float32(0.5, 0.5)}}
SPLICES = (
    b"", b"\\", b'"', b"[", b"{", b"]", b"}", b",", b"\\u0000", rb"\ud800", b"1e999", b"NaN", b"-",
    b"\0", b"\xff", b"\xc0\x80", b"\x80", b"\x91", b"\xc1", b"\xc4\x05", b"\xcb\x7f\xf0", b"\xdf",
    b"\xdd\xff\xff\xff\xff", b"\xd6\xff", b"\xca\x7f\xc0\0\0", b"\xef\xbb\xbf", b"9" * 400,
)  # fmt: skip
VALUES: tuple[Any, ...] = (
    None, True, 0, -1, 1.5, 1e300, -0.0, 2**63 - 1, 2**64 - 1, -(2**63), "", "a", "\0", "é" * 300,
    [], {}, [[]], [None], [1, "x"], {"a": [1]}, {"": 1}, {"x" * 300: 1}, [0.5] * 33, ["ab"], [True],
    "2026-03-01T12:00:00Z", "2099-01-01T00:00:00Z", "0001-01-01T00:00:00+23:59", "1.0",
)  # fmt: skip
ONLY_PACKED: tuple[Any, ...] = (b"", b"123", float32(1, 2), float32(float("nan")), float("inf"))
NAMES = (*EVENT, "input", "output", "status", "latency_ms", "tenant_id", "data", "specversion", "x")
INNER = ("features", "fields", "embedding", "fingerprint", "label", "scores", "value", "y")


@dataclass(slots=True)
class Figures:
    """What came of the inputs so far."""

    inputs: int = 0
    events: int = 0
    crashes: int = 0
    dead: Counter[str] = field(default_factory=Counter)

    def __str__(self) -> str:
        """Return the line of figures."""
        reasons = ", ".join(f"{reason} {count:,}" for reason, count in self.dead.most_common())
        return (
            f"{self.inputs:,} inputs: {self.events:,} events, {self.dead.total():,} dead letters"
            f" ({reasons}), {self.crashes} crashes"
        )


class Inputs:
    """An endless supply of records, the same ones for the same seed."""

    def __init__(self, seed: int) -> None:
        """Take the seed."""
        self._chance = random.Random(seed)
        kinds = [k for k in (*KINDS, *PACKED_KINDS) if k.value and len(k.value) <= LONGEST]
        sound = [
            *(json.dumps(event).encode() for event in RICH), *map(structured, RICH),
            *map(msgspec.msgpack.encode, (*RICH, BYTES_ROW)),
        ]  # fmt: skip
        bad = [(kind.value or b"", kind.headers) for kind in kinds]
        none: Headers = ()
        self._seeds = [*bad, *((body, none) for body in sound * (len(bad) // len(sound)))]

    def record(self, offset: int) -> Record:
        """Return the next record."""
        chance = self._chance
        body, said = chance.choice(self._seeds)
        way = chance.random()
        if way < 0.45:
            body = self._by_bytes(body)
        elif way < 0.95:
            body = self._by_fields()
        else:
            body = chance.randbytes(chance.randrange(64))
        if chance.random() < 0.05:
            said = self._headers()
        stamp = chance.choice((None, None, -1, 0, NOW_MS, 1_772_366_400_000))
        return Record(Position("fuzz", 0, offset), body, None, said, stamp)

    def _by_bytes(self, body: bytes) -> bytes:
        for _ in range(self._chance.randint(0, 3)):
            begin = self._chance.randint(0, len(body))
            end = min(len(body), begin + self._chance.choice((0, 1, 1, 2, 8, 64)))
            body = body[:begin] + self._chance.choice(SPLICES) + body[end:]
        return body

    def _by_fields(self) -> bytes:
        packed = self._chance.random() < 0.5
        values = (*VALUES, *ONLY_PACKED) if packed else VALUES
        event = dict(self._chance.choice((*RICH, BYTES_ROW) if packed else RICH))
        for _ in range(self._chance.randint(0, 2)):
            event[self._chance.choice(NAMES)] = self._chance.choice(values)
        for name in ("input", "output"):
            if isinstance(event.get(name), dict) and self._chance.random() < 0.3:
                changed = {self._chance.choice(INNER): self._chance.choice(values)}
                event[name] = {**event[name], **changed}
        if packed:
            return msgspec.msgpack.encode(event)
        whole = structured(event) if self._chance.random() < 0.2 else json.dumps(event).encode()
        return whole

    def _headers(self) -> Headers:
        media = self._chance.choice(
            (MEDIA, "application/json", "text/plain", "application/x-y+json")
        )
        dropped = (self._chance.choice((*HEADERS, "")),)
        return headers(dropped, content__type=media, ce_time=self._chance.choice(("", "noon")))


def check(records: list[Record], decoded: Decoded) -> None:
    """Raise `AssertionError` unless every record came to something well-formed, in order."""
    letters, events = decoded.dead, decoded.events
    positions = [*(item.position for item in events), *(letter.position for letter in letters)]
    offsets = [position.offset for position in positions]
    assert sorted(offsets) == [record.position.offset for record in records]
    assert all(letter.reason in set(Reason) and letter.detail for letter in letters)
    assert all(letter.path.startswith(("$", "header:")) for letter in letters)
    for item in events:
        assert type(item.event.time_ms) is int
        assert "\0" not in f"{item.event.event_id}{item.event.client_id}"
    batch = assemble(ModelKey("", "m"), events, ColumnTable())
    assert len(batch) == len(events) == len(batch.cells)


def fuzz(inputs: int, seed: int = SEED) -> Figures:
    """Feed so many inputs, in batches; a batch that crashes counts as one crash and is printed."""
    decoder, figures = Decoder(now_ms=lambda: NOW_MS), Figures()
    for records in _batches(Inputs(seed), inputs):
        figures.inputs += len(records)
        try:
            decoded = decoder.decode_all(records)
            check(records, decoded)
        except Exception:
            figures.crashes += 1
            traceback.print_exc()
            continue
        figures.events += len(decoded.events)
        figures.dead.update(str(letter.reason) for letter in decoded.dead)
    return figures


def _batches(source: Inputs, inputs: int) -> Iterator[list[Record]]:
    for begin in range(0, inputs, BATCH):
        yield [source.record(at) for at in range(begin, min(begin + BATCH, inputs))]


def main() -> None:
    """Run and print the figures; the exit code is 1 after a crash."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--inputs", type=int, default=1_000_000)
    parser.add_argument("--seed", type=int, default=SEED)
    given = parser.parse_args()
    figures = fuzz(given.inputs, given.seed)
    print(figures)
    raise SystemExit(figures.crashes > 0)


if __name__ == "__main__":
    main()
