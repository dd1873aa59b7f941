"""What kafka-python fetched, read batch by batch: bounded, checked, and straight into records.

kafka-python itself expands a compressed batch whatever becomes of it, and raises for a damaged one
at every poll anew. Its fetcher makes one `PartitionRecords` for each partition's share of an
answer; here stands the class that takes its place. A batch that cannot be used becomes one record
with a fault, whose position is the batch's last offset, so that reading goes on behind it.
"""

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

import kafka
from kafka import KafkaConsumer
from kafka.consumer.fetcher import Fetcher
from kafka.errors import KafkaError
from kafka.protocol.consumer import IsolationLevel
from kafka.record.default_records import DefaultRecordBatch
from kafka.record.legacy_records import LegacyRecordBatch

from detector.events.reasons import Reason
from detector.events.record import Fault, Partition, Position, Record
from detector.kit.errors import ConfigurationError
from detector.sources.batches import BatchHeader, DamagedBatchError, records_of
from detector.sources.codecs import Codec, TooLargeError, UndecodableError, decompress

_KNOWN_VERSIONS = "3.0."
_SEAM = (
    "_maybe_skip_record",
    "_unpack_records",
    "_consume_aborted_transactions_up_to",
    "_contains_abort_marker",
    "_is_batch_aborted",
    "drain",
    "take",
)
_FRAME = struct.Struct(">qi")
_SIZE = struct.Struct(">i")
_NEWEST_FORMAT = 2
# The three formats keep their number in the same place, their attributes in two.
_MAGIC_AT = 16
_LEGACY_ATTRIBUTES_AT = 17
_ATTRIBUTES_AT = 22
# Which fields of a batch's header they are.
_LAST_DELTA = 6
_COUNT = 12
_SMALLEST_FRAME = _MAGIC_AT + 1
_KEPT_BYTES = 1 << 16
# Whatever kafka-python's own classes raise over bytes that are not what they expect.
_UNREADABLE = (
    DamagedBatchError,
    UndecodableError,
    KafkaError,
    AssertionError,
    IndexError,
    TypeError,
    ValueError,
    struct.error,
)


def read_bounded(consumer: KafkaConsumer, max_batch_bytes: int) -> None:
    """Let the consumer's polls return `Record`s, of batches that expand to so many bytes at most.

    Raises:
        ConfigurationError: when kafka-python is a version in which this has no known place.
    """
    fetcher = getattr(consumer, "_fetcher", None)
    stock = getattr(fetcher, "PartitionRecords", None)
    known = kafka.__version__.startswith(_KNOWN_VERSIONS)
    if not known or stock is None or not all(hasattr(stock, name) for name in _SEAM):
        raise ConfigurationError(
            f"kafka-python {kafka.__version__} cannot be read with bounded memory; "
            f"install {_KNOWN_VERSIONS}12 or a later {_KNOWN_VERSIONS}x"
        )
    consumer._fetcher.PartitionRecords = partial(BoundedRecords, max_batch_bytes=max_batch_bytes)


@dataclass(frozen=True, slots=True)
class Frame:
    """One batch as it stands in an answer.

    Attributes:
        base_offset: The first eight bytes: a batch's first offset, a legacy wrapper's last.
        answer: All of the answer.
        begin: Where the batch begins in it.
        end: Where it ends.
        next_base: The base offset of the batch behind it; None when this one is the last.
    """

    base_offset: int
    answer: bytes
    begin: int
    end: int
    next_base: int | None

    @property
    def content(self) -> memoryview:
        """All of the batch's bytes."""
        return memoryview(self.answer)[self.begin : self.end]


def frames(answer: bytes) -> Iterator[Frame]:
    """Yield the whole batches; the last one may be cut off and then comes with the next answer."""
    at = 0
    while at + _FRAME.size <= len(answer):
        base, length = _FRAME.unpack_from(answer, at)
        end = at + _FRAME.size + length
        # A length that makes no sense leaves no way to tell where the next batch begins.
        if end - at < _SMALLEST_FRAME:
            yield Frame(base, answer, at, len(answer), None)
            return
        if end > len(answer):
            return
        following = len(answer) - end >= _FRAME.size
        next_base = _FRAME.unpack_from(answer, end)[0] if following else None
        yield Frame(base, answer, at, end, next_base)
        at = end


class BoundedRecords(Fetcher.PartitionRecords):  # type: ignore[misc] # kafka-python has no types
    """The records of one partition's share of an answer, made as they are taken."""

    def __init__(self, *arguments: Any, max_batch_bytes: int, **options: Any) -> None:
        """Take what kafka-python passes, and the limit on a batch's plain bytes."""
        self._max_batch_bytes = max_batch_bytes
        self._sound_last: int | None = None
        self._ready: list[Record] = []
        self._taken = 0
        super().__init__(*arguments, **options)

    def _maybe_skip_record(self, records: list[Record]) -> bool:
        """Take out what lies before the position that was asked for; True when that is all."""
        first = self.fetch_offset
        if records and records[0].position.offset < first:
            records[:] = [record for record in records if record.position.offset >= first]
        return not records

    def take(self, n: int | None = None) -> list[Record]:
        """Return up to `n` records, without `n` all that are left.

        The end shows with the last record and not at the vain attempt to read another: only then
        does kafka-python ask for more, and the answer comes while these are worked on.
        """
        self._maybe_raise_next_inline_exception()
        taken: list[Record] = []
        try:
            while self.record_iterator is not None:
                if self._taken == len(self._ready):
                    self._advance()
                if self.record_iterator is None or len(taken) == n:
                    break
                end = len(self._ready) if n is None else self._taken + n - len(taken)
                taken += self._ready[self._taken : end]
                self._taken = min(end, len(self._ready))
                self.next_fetch_offset = taken[-1].next_offset
        except Exception as error:
            if not taken:
                raise
            self._next_inline_exception = error
        return taken

    def _advance(self) -> None:
        self._taken, self._ready = 0, next(self.record_iterator, [])
        if not self._ready:
            self.drain()

    def _unpack_records(
        self, place: Any, records: Any, *_deserializers: Any
    ) -> Iterator[list[Record]]:
        partition = Partition(place.topic, place.partition)
        # Of its own type already; nothing is copied.
        for frame in frames(bytes(records._buffer)):
            self.bytes_read += len(frame.content)
            for made in self._read(partition, frame):
                self.records_read += len(made)
                if made:
                    yield made

    def _read(self, partition: Partition, frame: Frame) -> Iterator[list[Record]]:
        self._sound_last = None
        try:
            if _FRAME.size + _FRAME.unpack_from(frame.content)[1] != len(frame.content):
                raise DamagedBatchError("its length makes no sense")
            magic = frame.content[_MAGIC_AT]
            if magic > _NEWEST_FORMAT:
                raise DamagedBatchError(f"its format {magic} is unknown")
            how = self._read_batch if magic == _NEWEST_FORMAT else self._read_legacy
            yield from how(partition, frame)
        except TooLargeError:
            what = f"it expands beyond {self._max_batch_bytes} bytes"
            yield [self._faulty(partition, frame, Reason.DECOMPRESSION_BOMB, what)]
        except _UNREADABLE as error:
            what = str(error) or error.__class__.__name__
            yield [self._faulty(partition, frame, Reason.DAMAGED_BATCH, what)]

    def _read_batch(self, partition: Partition, frame: Frame) -> Iterator[list[Record]]:
        batch = DefaultRecordBatch(frame.content)
        if not batch.validate_crc():
            raise DamagedBatchError("its checksum is wrong")
        if batch.last_offset_delta < 0:
            raise DamagedBatchError("its last offset lies before its first")
        self._sound_last = batch.last_offset
        self.leader_epoch = batch.leader_epoch
        if not self._is_hidden(batch):
            header, size = _header(partition, batch), batch.HEADER_STRUCT.size
            if batch.compression_type == Codec.NONE:
                yield from records_of(header, frame.answer, frame.begin + size, frame.end)
            else:
                plain = self._plain(batch.compression_type, frame.content[size:])
                yield from records_of(header, plain, 0, len(plain))
        # Compaction may have taken the last records, and a marker has none to hand over.
        self.next_fetch_offset = max(self.fetch_offset, batch.next_offset)

    def _is_hidden(self, batch: DefaultRecordBatch) -> bool:
        """Whether it belongs to an aborted transaction, or is a transaction's marker."""
        if self.isolation_level == IsolationLevel.READ_COMMITTED and batch.has_producer_id():
            self._consume_aborted_transactions_up_to(batch.last_offset)
            if self._contains_abort_marker(batch):
                self.aborted_producer_ids.discard(batch.producer_id)
            elif self._is_batch_aborted(batch):
                return True
        return bool(batch.is_control_batch)

    def _read_legacy(self, partition: Partition, frame: Frame) -> Iterator[list[Record]]:
        """Read a message of format 0 or 1, or the set of messages that it wraps."""
        batch = LegacyRecordBatch(frame.content, frame.content[_MAGIC_AT])
        if not batch.validate_crc():
            raise DamagedBatchError("its checksum is wrong")
        if batch.compression_type:
            plain = self._plain(batch.compression_type, _legacy_value(batch, frame.content))
            batch._buffer, batch._decompressed = memoryview(plain), True
        for message in batch:
            if not message.validate_crc():
                raise DamagedBatchError(f"the checksum of offset {message.offset} is wrong")
            position = Position(*partition, message.offset)
            yield [Record(position, message.value, message.key, (), message.timestamp)]

    def _plain(self, codec: int, data: memoryview) -> bytes:
        return decompress(Codec(codec), data, self._max_batch_bytes)

    def _faulty(self, partition: Partition, frame: Frame, reason: Reason, what: str) -> Record:
        last = _likely_last(frame) if self._sound_last is None else self._sound_last
        last = max(last, self.fetch_offset)
        # A legacy wrapper carries its last offset only; what was handed over lies before.
        first = min(max(frame.base_offset, self.next_fetch_offset), last)
        size = len(frame.content)
        codec = _codec_name(frame)
        detail = f"the batch of offsets {first} to {last} ({codec}, {size} bytes): {what}"
        kept = bytes(frame.content[:_KEPT_BYTES])
        return Record(Position(*partition, last), kept, fault=Fault(reason, detail, size))


def _header(partition: Partition, batch: DefaultRecordBatch) -> BatchHeader:
    return BatchHeader(
        partition,
        batch.base_offset,
        batch.last_offset_delta,
        batch.records_count,
        batch.first_timestamp,
        batch.max_timestamp if batch.timestamp_type == batch.LOG_APPEND_TIME else None,
    )


def _legacy_value(batch: LegacyRecordBatch, content: memoryview) -> memoryview:
    at = batch.KEY_OFFSET_V1 if batch.magic else batch.KEY_OFFSET_V0
    for _ in ("key", "value"):
        (size,) = _SIZE.unpack_from(content, at)
        start = at + _SIZE.size
        at = start + max(size, 0)
    return content[start:at]


def _likely_last(frame: Frame) -> int:
    """The last offset of a batch whose own word cannot be taken for it.

    Believing too little is harmless: the rest of the batch becomes a fault of its own.
    """
    if frame.content[_MAGIC_AT] < _NEWEST_FORMAT:
        return frame.base_offset
    if frame.next_base is not None and frame.next_base > frame.base_offset:
        return frame.next_base - 1
    header = DefaultRecordBatch.HEADER_STRUCT
    if len(frame.content) < header.size:
        return frame.base_offset
    fields = header.unpack_from(frame.content)
    delta, count = fields[_LAST_DELTA], fields[_COUNT]
    return frame.base_offset + (int(delta) if 0 <= delta == count - 1 else 0)


def _codec_name(frame: Frame) -> str:
    content = frame.content
    at = _LEGACY_ATTRIBUTES_AT
    if len(content) > _ATTRIBUTES_AT and content[_MAGIC_AT] >= _NEWEST_FORMAT:
        at = _ATTRIBUTES_AT
    number = content[at] & DefaultRecordBatch.CODEC_MASK if len(content) > at else Codec.NONE
    return Codec(number).name.lower() if number <= max(Codec) else f"codec {number}"
