"""Kafka's record batches, format 2: from the plain bytes of batches to records.

The layout is that of Kafka's documentation, "Record Batch" and "Record": every record is a length
and then varints (zigzag) with the bytes of key, value and headers between them.
"""

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

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
_OFFSET, _TIME, _KEY, _VALUE, _HEADERS, _COLUMNS = 0, 1, 2, 4, 6, 8
# How far reading has come: the batch, the place in it, records of it, the last one's delta.
_BATCH, _AT, _READ, _LAST, _PROGRESS = range(5)
_FULL, _DONE, _DAMAGED, _TRAILED = range(4)
_64_BITS = (1 << 64) - 1


class Batch(NamedTuple):
    """Where a batch's records stand, and what its header says once for all of them.

    Attributes:
        begin: Where its first record begins.
        end: Where its last one ends.
        records: How many there are.
        base_offset: What their offsets count from.
        last_offset_delta: The largest that a record may add.
        timestamp: What their times count from, milliseconds; where the broker set the time, the
            time of all.
        appended: Whether it did.
    """

    begin: int
    end: int
    records: int
    base_offset: int
    last_offset_delta: int
    timestamp: int
    appended: bool


class Damage(NamedTuple):
    """The bytes of a batch stop being the records that its header announces.

    Attributes:
        batch: Its number among those that were read.
        why: What is wrong, for people.
    """

    batch: int
    why: str


def records_of(
    partition: Partition, plain: bytes, batches: Sequence[Batch]
) -> Iterator[Records | Damage]:
    """Yield the records of batches that stand in `plain`, some thousands at a time.

    Of a damaged batch the records before the damage are yielded, then the damage.
    """
    data = np.frombuffer(plain, np.uint8)
    table = np.array(batches, dtype=np.int64).reshape(-1, len(Batch._fields))
    announced = int(table[:, Batch._fields.index("records")].clip(0, _AT_ONCE).sum())
    progress = np.zeros(_PROGRESS, dtype=np.int64)
    state = _begin(progress, table, 0)
    while state != _DONE:
        rows = np.empty((min(announced, _AT_ONCE), _COLUMNS), np.int64)
        count, state = _walk(data, table, progress, rows)
        if count:
            yield _made(partition, plain, rows[:count])
        if state in (_DAMAGED, _TRAILED):
            number, at, read, _ = progress.tolist()
            trail = f"{batches[number].end - at} bytes follow the last record"
            yield Damage(number, trail if state == _TRAILED else f"record {read} cannot be parsed")
            state = _begin(progress, table, number + 1)


def _made(partition: Partition, plain: bytes, rows: NDArray[np.int64]) -> Records:
    """The records of these rows; those with headers are made."""
    count = len(rows)
    columns = Columns(
        offsets=rows[:, _OFFSET].copy(),
        times=rows[:, _TIME].copy(),
        keys=rows[:, _KEY : _KEY + 2].copy(),
        values=rows[:, _VALUE : _VALUE + 2].copy(),
        memory=np.zeros(count, dtype=np.int64),
        odd=rows[:, _HEADERS + 1] > 0,
        made=np.full(count, None, dtype=np.object_),
    )
    records = Records(partition, columns, (plain,))
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
    """What 64 bits hold of a varint that `_walk` has found sound, and where it ends."""
    value = shift = 0
    while data[at] & 0x80:
        value |= (data[at] & 0x7F) << shift
        shift += 7
        at += 1
    value = (value | data[at] << shift) & _64_BITS
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
def _begin(progress: NDArray[np.int64], table: NDArray[np.int64], number: int) -> int:
    """Go to the beginning of a batch; `_DONE` when there is none."""
    if number == len(table):
        return _DONE
    progress[_BATCH], progress[_AT] = number, table[number, 0]
    progress[_READ], progress[_LAST] = 0, -1
    return _FULL


@compiled
def _walk(
    array: NDArray[np.uint8],
    table: NDArray[np.int64],
    progress: NDArray[np.int64],
    rows: NDArray[np.int64],
) -> tuple[int, int]:
    """Fill `rows` with records from where `progress` stands, which is moved on.

    A row is (offset, time, key, its end, value, its end, headers, how many), all but the first two
    and the number being places in `array`, an end of -1 standing for null; a row of `table` is a
    `Batch`. Offsets must rise within a batch.

    Returns how many rows are filled, and whether they are full, all is read, or the batch that was
    reached is damaged or has bytes behind its last record.
    """
    data, filled = pointer(array), 0
    while True:
        _, end, records, base, largest, timestamp, appended = table[progress[_BATCH]]
        at, last = progress[_AT], progress[_LAST]
        while progress[_READ] < records:
            if filled == len(rows):
                return filled, _FULL
            row = rows[filled]
            at = _record(data, at, end, row)
            if at < 0 or row[_OFFSET] <= last or row[_OFFSET] > largest:
                return filled, _DAMAGED
            last = row[_OFFSET]
            row[_OFFSET] += base
            # Beyond 64 bits they wrap, as for Kafka's own clients.
            row[_TIME] = timestamp if appended else row[_TIME] + timestamp
            filled += 1
            progress[_READ] += 1
            progress[_AT], progress[_LAST] = at, last
        if at != end:
            return filled, _TRAILED
        if _begin(progress, table, progress[_BATCH] + 1) == _DONE:
            return filled, _DONE


@compiled
def _record(data: Any, at: int, whole: int, row: NDArray[np.int64]) -> int:
    """Read the record at `at` into a row, offset and time as differences; -1 when it is damaged.

    Returns where the next one begins.
    """
    size, at = _number(data, at, whole)
    if at < 0 or size < 1 or size > whole - at:
        return -1
    end = at + size
    row[1], at = _number(data, at + 1, end)
    if at < 0:
        return -1
    row[0], at = _number(data, at, end)
    if at < 0:
        return -1
    key, key_end = _field(data, at, end)
    if key_end < -1:
        return -1
    value, value_end = _field(data, max(key, key_end), end)
    if value_end < -1:
        return -1
    headers, at = _number(data, max(value, value_end), end)
    if at < 0 or headers < 0:
        return -1
    row[2], row[3] = key, key_end
    row[4], row[5] = value, value_end
    row[6], row[7] = at, headers
    for _ in range(headers):
        start, stop = _field(data, at, end)
        if stop < 0:
            return -1
        start, stop = _field(data, stop, end)
        if stop < -1:
            return -1
        at = max(start, stop)
    return at if at == end else -1
