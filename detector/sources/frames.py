"""The batches of an answer to a fetch: where each lies, whether it is sound, and where it ends.

Of their contents only headers and checksums are looked at; nothing is expanded.
"""

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from kafka.errors import KafkaError
from kafka.record.default_records import DefaultRecordBatch
from kafka.record.legacy_records import LegacyRecordBatch

from detector.sources.codecs import Codec

NEWEST_FORMAT = 2
_FRAME = struct.Struct(">qi")
# The three formats keep their number in the same place, their attributes in two.
_MAGIC_AT = 16
_LEGACY_ATTRIBUTES_AT = 17
_ATTRIBUTES_AT = 22
# Which fields of a batch's header they are.
_LAST_DELTA = 6
_COUNT = 12
_SMALLEST_FRAME = _MAGIC_AT + 1
# Whatever kafka-python's own classes raise over bytes that are not what they expect.
UNREADABLE = (KafkaError, AssertionError, IndexError, TypeError, ValueError, struct.error)


class DamagedBatchError(Exception):
    """A batch that cannot be used; the message says why."""


@dataclass
class Frame:
    """One batch as it stands in an answer.

    Attributes:
        answer: All of the answer.
        begin: Where the batch begins in it.
        end: Where it ends.
        base_offset: The first eight bytes: a batch's first offset, a legacy wrapper's last.
        next_base: The base offset of the batch behind it; None when this one is the last.
    """

    answer: bytes
    begin: int
    end: int
    base_offset: int
    next_base: int | None

    @property
    def content(self) -> memoryview:
        """All of the batch's bytes."""
        return memoryview(self.answer)[self.begin : self.end]

    @cached_property
    def header(self) -> Any:
        """The batch as kafka-python's class for its format, or the `DamagedBatchError` it is."""
        try:
            return _checked(self)
        except DamagedBatchError as error:
            return error
        except UNREADABLE as error:
            return DamagedBatchError(str(error) or error.__class__.__name__)

    @property
    def last_offset(self) -> int:
        """The last offset that the batch covers; a guess where it is damaged."""
        if isinstance(self.header, DefaultRecordBatch):
            return int(self.header.last_offset)
        return _likely_last(self)

    @property
    def codec_name(self) -> str:
        """How the batch says it is compressed, for people."""
        content = self.content
        at = _LEGACY_ATTRIBUTES_AT
        if len(content) > _ATTRIBUTES_AT and content[_MAGIC_AT] >= NEWEST_FORMAT:
            at = _ATTRIBUTES_AT
        number = content[at] & DefaultRecordBatch.CODEC_MASK if len(content) > at else Codec.NONE
        return Codec(number).name.lower() if number <= max(Codec) else f"codec {number}"


def frames(answer: bytes) -> Iterator[Frame]:
    """Yield the whole batches; the last one may be cut off and then comes with the next answer."""
    at = 0
    while at + _FRAME.size <= len(answer):
        base, length = _FRAME.unpack_from(answer, at)
        end = at + _FRAME.size + length
        # A length that makes no sense leaves no way to tell where the next batch begins.
        if end - at < _SMALLEST_FRAME:
            yield Frame(answer, at, len(answer), base, None)
            return
        if end > len(answer):
            return
        following = len(answer) - end >= _FRAME.size
        next_base = _FRAME.unpack_from(answer, end)[0] if following else None
        yield Frame(answer, at, end, base, next_base)
        at = end


def _checked(frame: Frame) -> Any:
    content = frame.content
    if _FRAME.size + _FRAME.unpack_from(content)[1] != len(content):
        raise DamagedBatchError("its length makes no sense")
    magic = content[_MAGIC_AT]
    if magic > NEWEST_FORMAT:
        raise DamagedBatchError(f"its format {magic} is unknown")
    newest = magic == NEWEST_FORMAT
    batch = DefaultRecordBatch(content) if newest else LegacyRecordBatch(content, magic)
    if not batch.validate_crc():
        raise DamagedBatchError("its checksum is wrong")
    if newest and batch.last_offset_delta < 0:
        raise DamagedBatchError("its last offset lies before its first")
    return batch


def _likely_last(frame: Frame) -> int:
    """The last offset of a batch whose own word cannot be taken for it.

    Believing too little is harmless: the rest of the batch becomes a fault of its own.
    """
    content = frame.content
    if len(content) <= _MAGIC_AT or content[_MAGIC_AT] < NEWEST_FORMAT:
        return frame.base_offset
    if frame.next_base is not None and frame.next_base > frame.base_offset:
        return frame.next_base - 1
    header = DefaultRecordBatch.HEADER_STRUCT
    if len(content) < header.size:
        return frame.base_offset
    fields = header.unpack_from(content)
    delta, count = fields[_LAST_DELTA], fields[_COUNT]
    return frame.base_offset + (int(delta) if 0 <= delta == count - 1 else 0)
