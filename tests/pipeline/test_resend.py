"""Dead letters are sent before they are settled, so that none is lost and repeats show."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta

import pytest

from detector.events.decode import Decoder
from detector.events.place import REPLAY_HEADER, SOURCE_HEADER
from detector.events.record import Position, Record
from detector.kit.errors import RecoverableError
from detector.pipeline.copies import Copy, rekeyed, replayed
from detector.pipeline.dead_letters import DeadLetterQuery, StoredDeadLetter
from detector.pipeline.duplicates import SourcePositions
from detector.pipeline.resend import CUT, Clerk
from tests.fakes.clock import SetClock
from tests.fakes.store import FakeStore
from tests.storage.shapes import NOW

EVENT = b'{"event_id":"e","time":1767225600000,"client_id":"ana","model_id":"churn"%s}'
PLACE = Position("t", 0, 7)


class ListTarget:
    """Keeps what is written; `failure`, if set, is raised instead."""

    def __init__(self, store: FakeStore) -> None:
        self.store = store
        self.copies: list[Copy] = []
        self.failure: Exception | None = None
        self.crash_after = False

    def write(self, copies: Sequence[Copy]) -> Sequence[str]:
        if self.failure is not None:
            raise self.failure
        self.copies += copies
        if self.crash_after:
            self.store.failure = RecoverableError("gone")
        return [f"t/0/{n}" for n in range(len(copies))]


class Log:
    where = "the log"

    def __init__(self, records: Sequence[Record] = ()) -> None:
        self._records = {record.position: record for record in records}

    def fetch(self, position: Position) -> Record | None:
        return self._records.get(position)


def keep(store: FakeStore, body: bytes, size: int | None = None) -> StoredDeadLetter:
    [letter] = Decoder().decode_all([Record(PLACE, b"[")]).dead
    letter = type(letter)(PLACE, "x", "$", "", body, len(body) if size is None else size)
    with store.transaction() as transaction:
        transaction.dead_letters.add([letter], NOW)
    return StoredDeadLetter(letter, NOW)


def open_letters(store: FakeStore) -> int:
    with store.transaction() as transaction:
        return len(transaction.dead_letters.list(DeadLetterQuery()).items)


def clerk(store: FakeStore, log: Log | None = None) -> Clerk:
    return Clerk(store, Decoder(), log or Log(), SetClock(NOW))


def test_what_the_log_does_not_confirm_stays_open() -> None:
    store = FakeStore()
    target = ListTarget(store)
    target.failure = RecoverableError("no broker")
    mine = clerk(store)
    checked = mine.check(keep(store, EVENT % b""))
    with pytest.raises(RecoverableError):
        mine.send([checked], target, "ana")
    assert open_letters(store) == 1


def test_a_crash_before_settling_sends_twice_and_the_reader_takes_it_once() -> None:
    store = FakeStore()
    target = ListTarget(store)
    target.crash_after = True
    mine = clerk(store)
    checked = mine.check(keep(store, EVENT % b""))
    with pytest.raises(RecoverableError):
        mine.send([checked], target, "ana")
    assert open_letters(store) == 1
    target.crash_after = False
    assert mine.send([checked], target, "ana") == 1
    assert open_letters(store) == 0
    records = [
        Record(Position("t", 0, 8 + n), copy.value, copy.key, copy.headers)
        for n, copy in enumerate(target.copies)
    ]
    assert SourcePositions().fresh(records) == records[:1]


def test_two_people_settle_a_letter_once() -> None:
    store = FakeStore()
    stored = keep(store, EVENT % b"")
    mine = clerk(store)
    target = ListTarget(store)
    assert mine.send([mine.check(stored)], target, "ana") == 1
    assert mine.send([mine.check(stored)], target, "bo") == 0
    assert mine.drop([stored], "bo", "late") == 0


def test_what_was_cut_is_taken_from_the_log_unless_another_record_stands_there() -> None:
    whole = EVENT % (b',"session_id":"' + b"s" * 200 + b'"')
    headers = (("id", b"1"),)
    there = Log([Record(PLACE, whole, b"k", headers)])
    store = FakeStore()
    stored = keep(store, whole[:50], len(whole))
    found = clerk(store, there).check(stored)
    assert found.record == Record(PLACE, whole, b"k", headers)
    anew = Log([Record(PLACE, b"x" + whole[1:], b"k")])
    assert clerk(store, anew).check(stored).problem == f"{CUT} the log"
    assert clerk(store).check(stored).problem == f"{CUT} the log"


def test_what_was_kept_without_its_headers_is_not_sent_as_if_it_had_none() -> None:
    store = FakeStore()
    stored = keep(store, EVENT % b"")
    bare = replace(stored, letter=replace(stored.letter, headers=None))
    assert clerk(store).check(bare).problem == f"{CUT} the log"


def test_letters_that_come_back_are_not_sent_again_by_the_same_command() -> None:
    store = FakeStore()
    mine = clerk(store)
    stored = keep(store, EVENT % b"")
    seen = 0
    for page in mine.pages(DeadLetterQuery()):
        seen += len(page)
        back = replace(stored.letter, position=Position("t", 0, 100 + seen))
        with store.transaction() as transaction:
            transaction.dead_letters.add([back] * 60, NOW + timedelta(seconds=seen))
    assert seen == 1
    assert list(mine.pages(DeadLetterQuery(topic="none"))) == []


def test_copies_carry_one_word_of_where_they_come_from() -> None:
    headers = ((SOURCE_HEADER, b"a/0/1"), ("id", b"1"), (REPLAY_HEADER, b"a/0/2"))
    record = Record(Position("b", 0, 3), EVENT % b',"tenant_id":"acme"', b"k", headers, -1)
    copy = rekeyed(record, Decoder().decode(record))
    assert copy == Copy(b"acme/ana", record.value, (("id", b"1"), (SOURCE_HEADER, b"b/0/3")), None)
    assert rekeyed(record, None).key == b"k"
    assert rekeyed(Record(Position("b", 0, 3), None), None).key == b"b/0/3"


def test_a_replay_of_what_was_rekeyed_without_a_client_goes_to_its_client() -> None:
    raw = Record(Position("a", 0, 1), EVENT % b"", None)
    copy = rekeyed(raw, None)
    event = Decoder().decode(raw)
    dead = Record(Position("b", 2, 3), copy.value, copy.key, copy.headers)
    assert replayed(dead, event).key == b"ana"
    assert replayed(Record(Position("b", 2, 3), raw.value, b"acme"), event).key == b"acme"
