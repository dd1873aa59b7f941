"""What kafka-python fetched, read batch by batch: bounded, checked, and straight into records.

kafka-python itself expands a compressed batch whatever becomes of it, and raises for a damaged one
at every poll anew. Its fetcher makes one `PartitionRecords` for each partition's share of an
answer; here stands the class that takes its place. A batch that cannot be used becomes one record
with a fault, whose position is the batch's last offset, so that reading goes on behind it.

To kafka-python a share is one record, and taken at once. So it asks for what lies behind while the
share's records, which are made when they are wanted, are worked on.
"""

import struct
from collections.abc import Iterator
from functools import partial
from typing import Any

import kafka
from kafka import KafkaConsumer
from kafka.consumer.fetcher import Fetcher
from kafka.protocol.consumer import IsolationLevel
from kafka.record.default_records import DefaultRecordBatch
from kafka.record.legacy_records import LegacyRecordBatch

from detector.events.reasons import Reason
from detector.events.record import Fault, Partition, Position, Record
from detector.events.records import Records
from detector.kit.errors import ConfigurationError
from detector.sources.batches import Batch, Damage, records_of
from detector.sources.codecs import Codec, TooLargeError, UndecodableError, decompress
from detector.sources.frames import UNREADABLE, DamagedBatchError, Frame, frames

_KNOWN_VERSIONS = "3.0."
_SEAM = (
    "_consume_aborted_transactions_up_to",
    "_contains_abort_marker",
    "_is_batch_aborted",
    "drain",
    "take",
)
_SIZE = struct.Struct(">i")
_KEPT_BYTES = 1 << 16
_AT_ONCE = 1024


def read_bounded(consumer: KafkaConsumer, max_batch_bytes: int) -> None:
    """Let the consumer's polls return a list of `Share`s for each partition.

    A batch of theirs may expand to so many bytes at most.

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
    consumer._fetcher.PartitionRecords = partial(Share, max_batch_bytes=max_batch_bytes)


class Share(Fetcher.PartitionRecords):  # type: ignore[misc] # kafka-python has no types
    """One partition's share of an answer."""

    def __init__(
        self, fetch_offset: int, place: Any, answer: Any, *, max_batch_bytes: int, **options: Any
    ) -> None:
        """Take what kafka-python passes, and the limit on a batch's plain bytes."""
        super().__init__(fetch_offset, place, answer, **options)
        self._partition = Partition(place.topic, place.partition)
        self._max_batch_bytes = max_batch_bytes
        # It is of this type already; nothing is copied.
        self._frames = list(frames(bytes(answer._buffer)))
        self.bytes_read = sum(frame.end - frame.begin for frame in self._frames)
        self._reached = fetch_offset
        self._pieces = self._wanted()
        self._ready = Records.of(())

    def take(self, n: int | None = None) -> list["Share"]:
        """Hand this share to kafka-python's caller, whole and once, unless nothing is in it."""
        del n
        reached: int = self.fetch_offset
        for frame in self._frames:
            last = frame.last_offset
            if isinstance(frame.header, DefaultRecordBatch):
                self.leader_epoch = frame.header.leader_epoch
            elif isinstance(frame.header, DamagedBatchError):
                last = max(last, self.fetch_offset)
            reached = max(reached, last + 1)
        self.next_fetch_offset = reached
        self.drain()
        return [self] if self._frames else []

    def records(self, most: int) -> Records:
        """Read the next records, in order; fewer than `most` only at the end."""
        pieces: list[Records] = []
        left = most
        while left > 0:
            ready = self._ready or next(self._pieces, None)
            if ready is None:
                break
            piece, self._ready = ready[:left], ready[left:]
            left -= len(piece)
            self._reached = int(piece.columns.offsets[-1]) + 1
            pieces.append(piece)
        return Records.joined(pieces) if pieces else Records.of(())

    def _wanted(self) -> Iterator[Records]:
        """Pieces from the position on that was asked for; a batch may begin before it."""
        before = True
        for piece in self._all():
            wanted = piece
            if before:
                # A batch's word for where it begins is in no checksum: they may not rise.
                reached = piece.columns.offsets >= self.fetch_offset
                wanted = piece[int(reached.argmax()) :] if reached.any() else piece[:0]
            if wanted:
                before = False
                yield wanted

    def _all(self) -> Iterator[Records]:
        """What the frames hold; neighbours whose records stand in the answer are read in one go."""
        run: list[Frame] = []
        for frame in self._frames:
            if self._is_plain(frame):
                run.append(frame)
                continue
            yield from self._read_plain(run)
            yield from self._read(frame)
            run = []
        yield from self._read_plain(run)

    def _is_plain(self, frame: Frame) -> bool:
        """Whether its records are there to be read, whatever other frames say."""
        batch = frame.header
        if not isinstance(batch, DefaultRecordBatch) or batch.compression_type != Codec.NONE:
            return False
        return not (batch.is_control_batch or batch.is_transactional)

    def _read_plain(self, run: list[Frame]) -> Iterator[Records]:
        """Read frames of one answer that are plain."""
        if not run:
            return
        size = DefaultRecordBatch.HEADER_STRUCT.size
        batches = [_batch(frame.header, frame.begin + size, frame.end) for frame in run]
        for piece in records_of(self._partition, run[0].answer, batches):
            if isinstance(piece, Damage):
                yield self._faulty(run[piece.batch], Reason.DAMAGED_BATCH, piece.why)
            else:
                yield piece

    def _read(self, frame: Frame) -> Iterator[Records]:
        header = frame.header
        try:
            if isinstance(header, DamagedBatchError):
                raise header
            newest = isinstance(header, DefaultRecordBatch)
            yield from (self._read_batch if newest else self._read_legacy)(frame, header)
        except TooLargeError:
            what = f"it expands beyond {self._max_batch_bytes} bytes"
            yield self._faulty(frame, Reason.DECOMPRESSION_BOMB, what)
        except (DamagedBatchError, UndecodableError, *UNREADABLE) as error:
            what = str(error) or error.__class__.__name__
            yield self._faulty(frame, Reason.DAMAGED_BATCH, what)

    def _read_batch(self, frame: Frame, batch: DefaultRecordBatch) -> Iterator[Records]:
        if self._is_hidden(batch):
            return
        size, codec = batch.HEADER_STRUCT.size, batch.compression_type
        if codec == Codec.NONE:
            plain, place = frame.answer, _batch(batch, frame.begin + size, frame.end)
        else:
            plain = self._plain(codec, frame.content[size:])
            place = _batch(batch, 0, len(plain))
        for piece in records_of(self._partition, plain, [place]):
            if isinstance(piece, Damage):
                raise DamagedBatchError(piece.why)
            yield piece

    def _is_hidden(self, batch: DefaultRecordBatch) -> bool:
        """Whether it belongs to an aborted transaction, or is a transaction's marker."""
        if self.isolation_level == IsolationLevel.READ_COMMITTED and batch.has_producer_id():
            self._consume_aborted_transactions_up_to(batch.last_offset)
            if self._contains_abort_marker(batch):
                self.aborted_producer_ids.discard(batch.producer_id)
            elif self._is_batch_aborted(batch):
                return True
        return bool(batch.is_control_batch)

    def _read_legacy(self, frame: Frame, batch: LegacyRecordBatch) -> Iterator[Records]:
        """Read a message of format 0 or 1, or the set of messages that it wraps."""
        if batch.compression_type:
            plain = self._plain(batch.compression_type, _legacy_value(batch, frame.content))
            batch._buffer, batch._decompressed = memoryview(plain), True
        records: list[Record] = []
        try:
            for message in batch:
                if not message.validate_crc():
                    raise DamagedBatchError(f"the checksum of offset {message.offset} is wrong")
                position = Position(*self._partition, message.offset)
                records.append(Record(position, message.value, message.key, (), message.timestamp))
                if len(records) == _AT_ONCE:
                    yield Records.of(records)
                    records = []
        except (DamagedBatchError, *UNREADABLE):
            # What stands before the damage is as good as ever.
            if records:
                yield Records.of(records)
            raise
        if records:
            yield Records.of(records)

    def _plain(self, codec: int, data: memoryview) -> bytes:
        return decompress(Codec(codec), data, self._max_batch_bytes)

    def _faulty(self, frame: Frame, reason: Reason, what: str) -> Records:
        last = max(frame.last_offset, self.fetch_offset)
        # A legacy wrapper carries its last offset only; what was handed over lies before.
        first = min(max(frame.base_offset, self._reached), last)
        size = frame.end - frame.begin
        batch = f"the batch of offsets {first} to {last} ({frame.codec_name}, {size} bytes)"
        kept = bytes(frame.content[:_KEPT_BYTES])
        fault = Fault(reason, f"{batch}: {what}", size)
        return Records.of([Record(Position(*self._partition, last), kept, fault=fault)])


def _batch(header: DefaultRecordBatch, begin: int, end: int) -> Batch:
    appended = header.timestamp_type == header.LOG_APPEND_TIME
    return Batch(
        begin,
        end,
        header.records_count,
        header.base_offset,
        header.last_offset_delta,
        header.max_timestamp if appended else header.first_timestamp,
        appended,
    )


def _legacy_value(batch: LegacyRecordBatch, content: memoryview) -> memoryview:
    at = batch.KEY_OFFSET_V1 if batch.magic else batch.KEY_OFFSET_V0
    for _ in ("key", "value"):
        (size,) = _SIZE.unpack_from(content, at)
        start = at + _SIZE.size
        at = start + max(size, 0)
    return content[start:at]
