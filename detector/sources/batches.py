"""Kafka's record batches, format 2: from the plain bytes of one batch to records.

The layout is that of Kafka's documentation, "Record Batch" and "Record": every record is a length
and then varints (zigzag) with the bytes of key, value and headers between them.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from detector.events.bits import pointer
from detector.events.reasons import Reason
from detector.events.record import Fault, Partition, Record
from detector.events.records import Columns, Records
from detector.kit.compiled import compiled

# So few at a time that a batch of millions of empty records stays small in memory.
_AT_ONCE = 4096
# A row's columns; behind a key, a value and headers stands their end or their number.
_DELTA, _TIME, _KEY, _VALUE, _HEADERS, _COLUMNS = 0, 1, 2, 4, 6, 8
_DAMAGED = -1


class DamagedBatchError(Exception):
    """A batch that cannot be parsed; the message says why."""


@dataclass(frozen=True, slots=True)
class BatchHeader:
    """What a batch says once for all of its records.

    Attributes:
        partition: Where it stands.
        base_offset: What records' offsets count from.
        last_offset_delta: The largest that a record may add.
        records: How many there are.
        first_timestamp: What records' times count from, milliseconds.
        append_time: The time of all records, when the broker sets it; else None.
    """

    partition: Partition
    base_offset: int
    last_offset_delta: int
    records: int
    first_timestamp: int
    append_time: int | None


def records_of(header: BatchHeader, plain: bytes, begin: int, end: int) -> Iterator[Records]:
    """Yield the records that stand in `plain` from `begin` to `end`, some thousands at a time.

    Raises:
        DamagedBatchError: where the bytes stop being the records that the header announces.
    """
    data = np.frombuffer(plain, np.uint8, end)
    rows = np.empty((min(max(header.records, 0), _AT_ONCE), _COLUMNS), np.int64)
    at, last, left = begin, -1, header.records
    while left > 0:
        count, at = _walk(data, at, rows[:left], last, header.last_offset_delta)
        yield _made(header, plain, rows[:count])
        if at == _DAMAGED:
            raise DamagedBatchError(f"record {header.records - left + count} cannot be parsed")
        left -= count
        last = rows[count - 1, 0]
    if at != end:
        raise DamagedBatchError(f"{end - at} bytes follow the last record")


def _made(header: BatchHeader, plain: bytes, rows: NDArray[np.int64]) -> Records:
    """The records of these rows; those with headers are made."""
    count = len(rows)
    if header.append_time is None:
        # Beyond 64 bits they wrap, as for Kafka's own clients.
        times = rows[:, _TIME] + np.int64(header.first_timestamp)
    else:
        times = np.full(count, header.append_time, dtype=np.int64)
    columns = Columns(
        offsets=rows[:, _DELTA] + header.base_offset,
        times=times,
        keys=rows[:, _KEY : _KEY + 2].copy(),
        values=rows[:, _VALUE : _VALUE + 2].copy(),
        memory=np.zeros(count, dtype=np.int64),
        odd=rows[:, _HEADERS + 1] > 0,
        made=np.full(count, None, dtype=np.object_),
    )
    records = Records(header.partition, columns, (plain,))
    odd = np.flatnonzero(columns.odd)
    columns.odd[odd] = False
    for i, record in zip(odd.tolist(), records.take(odd), strict=True):
        columns.made[i] = _with_headers(record, plain, *rows[i, _HEADERS:].tolist())
    columns.odd[odd] = True
    return records


def _with_headers(record: Record, plain: bytes, at: int, count: int) -> Record:
    headers: list[tuple[str, bytes]] = []
    fault = None
    try:
        for _ in range(count):
            size, at = _varint(plain, at)
            name = plain[at : at + size].decode()
            length, at = _varint(plain, at + size)
            length = max(length, 0)
            headers.append((name, plain[at : at + length]))
            at += length
    except UnicodeDecodeError as error:
        size = len(record.value or b"")
        fault = Fault(Reason.NOT_UTF8, f"the name of header {len(headers)}: {error}", size)
    return msgspec.structs.replace(record, headers=tuple(headers), fault=fault)


def _varint(data: bytes, at: int) -> tuple[int, int]:
    """A varint that `_walk` has found sound, and where it ends."""
    value = shift = 0
    while data[at] & 0x80:
        value |= (data[at] & 0x7F) << shift
        shift += 7
        at += 1
    value |= data[at] << shift
    return (value >> 1) ^ -(value & 1), at + 1


@compiled
def _number(data: Any, at: int, end: int) -> Any:
    """The varint at `at` and where it ends; -1 for the latter when it is none.

    `data` is a pointer to bytes, of which those before `end` may be read.
    """
    # Most are short: a difference, a null, the length of a key.
    if at < end and data[at] < 0x80:
        return np.int64(data[at] >> 1) ^ -np.int64(data[at] & 1), at + 1
    value = np.uint64(0)
    for shift in range(0, 64, 7):
        if at >= end:
            break
        byte = np.uint64(data[at])
        at += 1
        value |= (byte & np.uint64(0x7F)) << np.uint64(shift)
        if byte < np.uint64(0x80):
            # Shifted first, both halves fit a signed integer.
            signed: Any = np.int64(value >> np.uint64(1)) ^ -np.int64(value & np.uint64(1))
            return signed, at
    return 0, -1


@compiled
def _field(data: Any, at: int, end: int) -> Any:
    """Where the bytes behind the length at `at` begin and end; an end of -1 is null, -2 damage."""
    size, at = _number(data, at, end)
    if at < 0 or size < -1 or size > end - at:
        return 0, -2
    if size < 0:
        return at, -1
    return at, at + size


@compiled
def _walk(
    array: NDArray[np.uint8], at: int, rows: NDArray[np.int64], last: int, largest: int
) -> tuple[int, int]:
    """Fill `rows` with records from `at` on; offsets must rise from `last` up to `largest`.

    A row is (offset delta, time delta, key, its end, value, its end, headers, how many), all but
    the deltas and the number being places in `array`, an end of -1 standing for null.

    Returns how many rows are filled and where the next record begins, -1 when the record behind
    the filled ones is damaged.
    """
    data, whole = pointer(array), len(array)
    for i in range(len(rows)):
        size, at = _number(data, at, whole)
        if at < 0 or size < 1 or size > whole - at:
            return i, -1
        end = at + size
        time_delta, at = _number(data, at + 1, end)
        if at < 0:
            return i, -1
        delta, at = _number(data, at, end)
        if at < 0 or delta <= last or delta > largest:
            return i, -1
        key, key_end = _field(data, at, end)
        if key_end < -1:
            return i, -1
        value, value_end = _field(data, max(key, key_end), end)
        if value_end < -1:
            return i, -1
        headers, at = _number(data, max(value, value_end), end)
        if at < 0 or headers < 0:
            return i, -1
        first_header = at
        for _ in range(headers):
            start, stop = _field(data, at, end)
            if stop < 0:
                return i, -1
            start, stop = _field(data, stop, end)
            if stop < -1:
                return i, -1
            at = max(start, stop)
        if at != end:
            return i, -1
        rows[i, 0], rows[i, 1] = delta, time_delta
        rows[i, 2], rows[i, 3] = key, key_end
        rows[i, 4], rows[i, 5] = value, value_end
        rows[i, 6], rows[i, 7] = first_header, headers
        last = delta
    return len(rows), at
