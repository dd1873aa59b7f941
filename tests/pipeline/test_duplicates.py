"""Copies that say where they come from are taken once, whatever else their headers hold."""

import random
from collections.abc import Sequence

import msgspec
import pytest

from detector.events.place import REPLAY_HEADER, SOURCE_HEADER, parse_place, place_text
from detector.events.record import Position, Record
from detector.pipeline.duplicates import SourcePositions


def record(offset: int, *headers: tuple[str, bytes]) -> Record:
    return Record(Position("keyed", 0, offset), b"{}", headers=headers)


def copied(offset: int, place: str) -> Record:
    return record(offset, ("other", b"1"), (SOURCE_HEADER, place.encode()))


def replayed(offset: int, place: str, source: str = "raw/0/1") -> Record:
    return record(offset, (SOURCE_HEADER, source.encode()), (REPLAY_HEADER, place.encode()))


def offsets(records: Sequence[Record]) -> list[int]:
    return [each.position.offset for each in records]


def test_what_lies_at_or_below_the_highest_of_its_source_partition_is_a_repeat() -> None:
    places = ["raw/0/3", "raw/1/0", "raw/0/7", "raw/0/3", "raw/1/0", "raw/0/8", "new/0/3"]
    records = [copied(number, place) for number, place in enumerate(places)]
    seen = SourcePositions()
    assert offsets(seen.fresh(records)) == [0, 1, 2, 5, 6]
    assert seen.fresh(records) == []


def test_records_without_such_headers_all_pass() -> None:
    records = [record(1), record(2), record(2, ("id", b"1")), record(2, ("id", b"1"))]
    assert SourcePositions().fresh(records) == records
    assert SourcePositions().fresh([]) == []


@pytest.mark.parametrize(
    "value",
    [
        b"", b"raw", b"raw/0", b"raw/0/", b"/0/1", b"raw/0/-1", b"raw/0/01", b"raw/00/1",
        b"raw/0/1 ", b" raw/0/1", b"raw/0/1\n", b"raw/0/1e3", b"raw/0/\xd9\xa1", b"r w/0/1",
        b"a/b/0/1", b"raw/2147483648/1", b"raw/0/9223372036854775808",
        b"raw/0/99999999999999999999",
        b"x" * 250 + b"/0/1", b"raw/0/1\x00", b"\xff/0/1",
    ],
)  # fmt: skip
def test_a_header_that_nobody_of_ours_wrote_drops_no_record(value: bytes) -> None:
    for header in (SOURCE_HEADER, REPLAY_HEADER):
        same = [record(number, (header, value)) for number in range(3)]
        assert SourcePositions().fresh(same) == same


def test_two_headers_of_the_name_are_no_word_at_all() -> None:
    twice = record(0, (SOURCE_HEADER, b"raw/0/5"), (SOURCE_HEADER, b"raw/0/6"))
    assert SourcePositions().fresh([twice, twice]) == [twice, twice]


def test_a_replay_is_taken_once_though_its_source_has_gone_by() -> None:
    seen = SourcePositions()
    records = [copied(0, "raw/0/9"), replayed(1, "keyed/0/4"), replayed(2, "keyed/0/4")]
    assert offsets(seen.fresh([*records, replayed(3, "keyed/0/2")])) == [0, 1, 3]


def test_a_saved_state_goes_on_as_if_nothing_had_been() -> None:
    chance = random.Random(5)
    records = []
    for number in range(3000):
        place = f"raw/{chance.randrange(5)}/{max(0, number // 3 - chance.randrange(9))}"
        records.append((copied if chance.random() < 0.9 else replayed)(number, place))
    whole = SourcePositions(4, 50)
    expected = whole.fresh(records)
    parts: list[Record] = []
    seen = SourcePositions(4, 50)
    for begin in range(0, 3000, 250):
        parts += seen.fresh(records[begin : begin + 250])
        restored = SourcePositions(4, 50)
        restored.restore(seen.save())
        seen = restored
    assert parts == expected
    assert seen.save() == whole.save()


def test_what_is_kept_is_bounded() -> None:
    seen = SourcePositions()
    records = [copied(n, f"{'t' * 200}{n}/0/{n}") for n in range(3000)]
    records += [replayed(n, f"keyed/0/{n}") for n in range(9000)]
    assert len(seen.fresh(records)) == 12_000
    assert len(msgspec.msgpack.encode(seen.save())) < 400_000


def test_places_are_read_as_they_are_written() -> None:
    for position in (Position("a", 0, 0), Position("/logs/x:y 1.jsonl", 0, 2**63 - 1)):
        assert parse_place(place_text(position)) == position
    assert parse_place("/logs/a.jsonl:0:12") == Position("/logs/a.jsonl", 0, 12)
    for text in ("", "a", "a/1", "a/1:2", "a/0/-1", "a/0/1.5", f"a/{2**31}/0", f"a/0/{2**63}"):
        assert parse_place(text) is None
