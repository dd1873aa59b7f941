"""Records as columns say the same as the records that they are made of."""

from collections.abc import Sequence

import numpy as np
import pytest

from detector.events.reasons import Reason
from detector.events.record import Fault, Partition, Position, Record
from detector.events.records import NULL, Columns, Records

LOG = Partition("log", 3)
BODIES: Sequence[bytes | None] = (b"one", b"", None, b"four4", b"x" * 300)
KEYS: Sequence[bytes | None] = (b"k", None, b"", b"key", None)
HEADED = Record(Position(*LOG, 14), b"four4", b"key", (("h", b"v"),), 1_003)


def plain(at: int) -> Record:
    """What record `at` of the columns is."""
    return Record(Position(*LOG, 2 * at + 8), BODIES[at], KEYS[at], (), 1_000 + at)


def columns() -> Records:
    """Records with gaps between their offsets; one of them has headers."""
    memory, spans = b"before", []
    for field in (*KEYS, *BODIES):
        begin = len(memory)
        memory += field or b""
        spans.append((begin, NULL if field is None else len(memory)))
    made = np.full(5, None, dtype=np.object_)
    made[3] = HEADED
    return Records(
        LOG,
        Columns(
            2 * np.arange(5) + 8, np.arange(5) + 1_000, np.array(spans[:5]), np.array(spans[5:]),
            np.zeros(5, np.int64), np.arange(5) == 3, made,
        ),
        (memory,),
    )  # fmt: skip


WHOLE = [plain(0), plain(1), plain(2), HEADED, plain(4)]


def texts(records: Records, longest: int = 1 << 20) -> list[bytes]:
    """The bodies as decoding gets them."""
    found = records.texts(longest, lambda record: not record.headers, padding=40)
    ends = np.cumsum(found.sizes + 1) - 1
    data = found.data.tobytes()
    assert len(data) == found.sizes.sum() + len(records) + 40
    assert all(data[end] == 0 for end in ends.tolist())
    assert not any(data[int(ends[-1]) if len(ends) else 0 :])
    return [data[end - size : end] for end, size in zip(ends, found.sizes, strict=True)]


def test_each_record_is_made_as_it_is() -> None:
    records = columns()
    assert list(records) == WHOLE
    assert [records[i] for i in range(-5, 5)] == WHOLE + WHOLE
    assert records == WHOLE
    with pytest.raises(IndexError):
        records[5]


def test_some_of_them_are_records_with_columns_too() -> None:
    records = columns()
    assert list(records[1:4]) == WHOLE[1:4]
    assert list(records[3:]) == WHOLE[3:]
    assert list(records[5:]) == []
    assert list(records.take(np.array([0, 3]))) == [WHOLE[0], WHOLE[3]]
    assert records[1:4].columns.offsets.tolist() == [10, 12, 14]


def test_made_records_have_the_same_columns() -> None:
    made, records = Records.of(WHOLE), columns()
    assert list(made) == WHOLE
    assert made.columns.offsets.tolist() == records.columns.offsets.tolist()
    assert made.columns.times.tolist() == records.columns.times.tolist()
    assert texts(made) == texts(records)
    assert Records.of(records) is records
    assert list(Records.of(())) == []


def test_a_record_without_a_time_has_none() -> None:
    record = Record(Position("file", 0, 0), b"x")
    records = Records.of([record])
    assert records.columns.times.tolist() == [-1]
    assert records[0].timestamp_ms is None


def test_pieces_are_joined_whatever_memory_they_are_in() -> None:
    fault = Record(Position(*LOG, 99), b"", fault=Fault(Reason.DAMAGED_BATCH, "damaged", 7))
    pieces = [columns()[:2], Records.of([fault]), columns()[2:], columns()[4:]]
    joined = Records.joined(pieces)
    assert list(joined) == [*WHOLE[:2], fault, *WHOLE[2:], WHOLE[4]]
    assert texts(joined) == [b"one", b"", b"", b"", b"", BODIES[4], BODIES[4]]
    assert list(Records.joined([pieces[1], pieces[0]])) == [fault, *WHOLE[:2]]


def test_texts_leave_out_what_is_too_long_or_not_wanted() -> None:
    assert texts(columns()) == [b"one", b"", b"", b"", BODIES[4]]
    assert texts(columns(), longest=3) == [b"one", b"", b"", b"", b""]
    assert texts(columns()[:0]) == []
