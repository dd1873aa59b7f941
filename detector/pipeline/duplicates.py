"""Records that say of themselves that they are copies, and may have come before.

`querywatch rekey` copies records in the order of their source partition, and after a crash copies
some of them again: of each source partition, only what lies beyond the highest offset seen is new.
`querywatch dlq replay` sends single records in any order; the latest of them are remembered.

A record is dropped only for a header that is exactly what those commands write. Any other record is
passed: reading one twice can be mended, losing one cannot.
"""

import logging
from collections.abc import Sequence
from hashlib import blake2b

import msgspec
import numpy as np

from detector.events.place import REPLAY_HEADER, SOURCE_HEADER, header_place, place_header
from detector.events.record import Partition, Position, Record
from detector.events.records import Records

log = logging.getLogger(__name__)

MAX_SOURCES = 1024
"""Source partitions that are followed; beyond, the one that moved least recently is forgotten."""

MAX_REPLAYS = 4096
"""Replayed dead letters that are remembered; beyond, the earliest is forgotten."""

_DIGEST_BYTES = 16


class SavedCopies(msgspec.Struct, frozen=True):
    """What has been seen of copied records, to be kept over a restart.

    Attributes:
        sources: Topic, partition and highest offset of each source, least recently moved first.
        replays: Digests of the places of replayed dead letters, earliest first, 16 bytes each.
    """

    sources: list[tuple[str, int, int]]
    replays: bytes


class SourcePositions:
    """What has been seen of copied records in one partition; a function of its records alone."""

    def __init__(self, max_sources: int = MAX_SOURCES, max_replays: int = MAX_REPLAYS) -> None:
        self._max_sources, self._max_replays = max_sources, max_replays
        # Least recently moved, and earliest, first; dictionaries keep that order.
        self._highest: dict[Partition, int] = {}
        self._replays: dict[bytes, None] = {}

    def fresh(self, records: Sequence[Record]) -> Records:
        """Return the records that are not repeats of earlier ones, in order."""
        records = Records.of(records)
        columns = records.columns
        odd = np.flatnonzero(columns.odd)
        made: list[Record] = columns.made[odd].tolist()
        stale = [not self._is_fresh(record) for record in made]
        if not any(stale):
            return records
        return records.take(np.delete(np.arange(len(records)), odd[stale]))

    def _is_fresh(self, record: Record) -> bool:
        if not record.headers:
            return True
        # What was sent again carries the place of the dead letter; where that had been copied from
        # says nothing any more.
        replayed = header_place(record, REPLAY_HEADER)
        if replayed is not None:
            return self._note_replay(replayed)
        source = header_place(record, SOURCE_HEADER)
        return source is None or self._note_source(source)

    def _note_replay(self, place: Position) -> bool:
        digest = blake2b(place_header(place), digest_size=_DIGEST_BYTES).digest()
        if digest in self._replays:
            return False
        if len(self._replays) >= self._max_replays:
            del self._replays[next(iter(self._replays))]
        self._replays[digest] = None
        return True

    def _note_source(self, source: Position) -> bool:
        partition = Partition(source.topic, source.partition)
        highest = self._highest.get(partition)
        if highest is not None and source.offset <= highest:
            return False
        self._highest.pop(partition, None)
        if len(self._highest) >= self._max_sources:
            forgotten = next(iter(self._highest))
            del self._highest[forgotten]
            log.warning("more source partitions than %d: %s/%d forgotten",
                        self._max_sources, *forgotten)  # fmt: skip
        self._highest[partition] = source.offset
        return True

    def save(self) -> SavedCopies:
        """Return everything that `restore` needs."""
        sources = [(*partition, offset) for partition, offset in self._highest.items()]
        return SavedCopies(sources, b"".join(self._replays))

    def restore(self, saved: SavedCopies) -> None:
        """Go on from what `save` returned."""
        self._highest = {Partition(topic, number): at for topic, number, at in saved.sources}
        digests = saved.replays
        starts = range(0, len(digests), _DIGEST_BYTES)
        self._replays = {digests[start : start + _DIGEST_BYTES]: None for start in starts}
