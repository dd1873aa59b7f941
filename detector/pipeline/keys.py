"""Whether a topic is keyed so that all events of a client meet in one partition.

State is kept for each partition, so a client whose events are spread over several is seen in
pieces. Any key that never changes for a client will do, the tenant as well as the client; no key
will not, unless there is one partition only.
"""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import blake2b

import numpy as np

from detector.events.located import LocatedEvent
from detector.events.model import ClientKey
from detector.events.record import Record
from detector.events.records import Records
from detector.kit.metrics import StreamMetrics

log = logging.getLogger(__name__)

PURE_SHARE = 0.99
"""Below it, a topic counts as not keyed by client."""

MIN_EVENTS = 200
"""Fewer events say nothing."""

MAX_CLIENTS = 4096
STRIDE = 64
_HALF_AT = 1 << 14
_HASHES = 1 << 64


@dataclass(frozen=True, slots=True)
class Clash:
    """A client seen under two keys, named by hashes: ids are personal."""

    client: str
    first: str
    other: str

    def __str__(self) -> str:
        return f"client {self.client} under {self.first} and under {self.other}"


class KeyPurity:
    """The share of events whose record has the key that their client was first seen under.

    Memory is bounded: of more clients than `max_clients`, those of the lowest hashes are followed,
    a sample that does not depend on when they came. Older events count for less and less.

    Args:
        partitions: Of the topic; with one, nothing is impure until records of another come.
        max_clients: How many clients are followed.
        stride: Of how many events `observe` looks at one.
    """

    def __init__(
        self, partitions: int, max_clients: int = MAX_CLIENTS, stride: int = STRIDE
    ) -> None:
        self._split = partitions > 1
        self._number: int | None = None
        self._max_clients = max_clients
        self._stride = stride
        self._turn = 0
        self._below = _HASHES
        self._first: dict[int, int | None] = {}
        self._pure = 0
        self.events = 0
        self.clash: Clash | None = None

    @property
    def share(self) -> float:
        """The share, from 0 to 1; 1 before any event."""
        return self._pure / self.events if self.events else 1.0

    @property
    def is_pure(self) -> bool:
        """Whether nothing speaks against the topic's keys."""
        return self.events < MIN_EVENTS or self.share >= PURE_SHARE

    def observe(self, records: Sequence[Record], events: Sequence[LocatedEvent]) -> None:
        """Look at some of the events that were decoded from the records of one partition."""
        if records and not self._split:
            # A topic may get partitions while it is read.
            self._split = self._number not in (None, records[0].position.partition)
            self._number = records[0].position.partition
        offsets = Records.of(records).columns.offsets
        first, stride = self._turn, self._stride
        self._turn = (first - len(events)) % stride
        for located in events[first::stride]:
            offset = located.position.offset
            at = int(np.searchsorted(offsets, offset))
            self.see(located.event.client, records[at].key)

    def see(self, client: ClientKey, key: bytes | None) -> None:
        """Count one event of a client under its record's key."""
        name = _number("\0".join(client).encode())
        if name >= self._below:
            return
        key_name = None if key is None else _number(key)
        first = self._first.setdefault(name, key_name)
        same = not self._split or (key is not None and first == key_name)
        self.events += 1
        self._pure += same
        if not same and self.clash is None and first != key_name:
            self.clash = Clash(f"{name:016x}", _key_text(first), _key_text(key_name))
        if len(self._first) > self._max_clients:
            self._thin_out()
        if self.events >= _HALF_AT:
            self._halve()

    def _thin_out(self) -> None:
        """Follow only the half of the clients that has the lowest hashes."""
        self._below = sorted(self._first)[self._max_clients // 2]
        self._first = {name: key for name, key in self._first.items() if name < self._below}
        self._halve()

    def _halve(self) -> None:
        """Let what was counted so far weigh half: its clients are half gone, or it is long ago."""
        self.events, self._pure = self.events // 2, self._pure // 2


class KeyWatch:
    """Shows the purity of the topic that is being read, and says when it is not enough."""

    def __init__(self, purity: KeyPurity, metrics: StreamMetrics) -> None:
        self._purity = purity
        self._metrics = metrics
        self._was_pure = True
        metrics.key_purity.set(purity.share)

    def observe(self, records: Sequence[Record], events: Sequence[LocatedEvent]) -> None:
        """Take note of a batch of one partition; called once a batch."""
        self._purity.observe(records, events)
        self._metrics.key_purity.set(self._purity.share)
        pure = self._purity.is_pure
        if self._was_pure and not pure:
            log.error("%s", unkeyed(self._purity))
        self._was_pure = pure


def unkeyed(purity: KeyPurity) -> str:
    """A sentence that says how far the topic is from being keyed by client."""
    example = f", for instance {purity.clash}" if purity.clash else "; records have no key"
    return (
        f"the topic is not keyed by client: {purity.share:.1%} of {purity.events:,} events have "
        f"the key that their client had first{example}"
    )


def _number(name: bytes) -> int:
    return int.from_bytes(blake2b(name, digest_size=8).digest())


def _key_text(key: int | None) -> str:
    return "no key" if key is None else f"key {key:016x}"
