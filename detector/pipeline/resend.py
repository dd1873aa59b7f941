"""Settling dead letters: decode them again, send what now decodes, drop what nobody needs."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

import msgspec

from detector.events.decode import Decoder
from detector.events.model import PredictionEvent
from detector.events.place import place_text
from detector.events.record import DeadLetter, Position, Record
from detector.kit.clock import Clock
from detector.kit.errors import DecodeError
from detector.pipeline.copies import Target, replayed
from detector.pipeline.dead_letters import DeadLetterQuery, Fate, Settlement, StoredDeadLetter
from detector.pipeline.ports import Store

PAGE = 50
"""Dead letters handled at a time; each may be as large as a record."""

CUT = "not all of it was kept, and it was not found in"


class Originals(Protocol):
    """Where records that became dead letters may still stand."""

    @property
    def where(self) -> str:
        """What is looked through, for people."""
        ...

    def fetch(self, position: Position) -> Record | None:
        """Return the record of that position, or None when it is not there."""
        ...


@dataclass(frozen=True, slots=True)
class Checked:
    """A dead letter held against the present decoder.

    Attributes:
        stored: The dead letter.
        record: What would be sent; None when it cannot be had.
        event: What it decodes to; None when it does not.
        problem: Why it stays; empty when it can be sent.
    """

    stored: StoredDeadLetter
    record: Record | None
    event: PredictionEvent | None
    problem: str


class Clerk:
    """Checks dead letters and settles them, for one person."""

    def __init__(self, store: Store, decoder: Decoder, originals: Originals, clock: Clock) -> None:
        self._store = store
        self._decoder = decoder
        self._originals = originals
        self._clock = clock

    def pages(self, query: DeadLetterQuery) -> Iterator[Sequence[StoredDeadLetter]]:
        """Yield what the filters let through, oldest first, so that clients keep their order.

        What is stored after the first page is left out: what was sent may come back as a dead
        letter, and would be sent again and again.
        """
        with self._store.transaction() as transaction:
            newest = transaction.dead_letters.list(replace(query, newest_first=True, limit=1))
        if not newest.items:
            return
        until = newest.items[0].received_at
        query = replace(query, newest_first=False, limit=PAGE, until=until)
        while True:
            with self._store.transaction() as transaction:
                page = transaction.dead_letters.list(query)
            yield page.items
            if page.next_cursor is None:
                return
            query = replace(query, after=page.next_cursor)

    def check(self, stored: StoredDeadLetter, *, line: bool = False) -> Checked:
        """Decode it as it would be sent; as a line of a log file if `line`."""
        record = self._original(stored.letter)
        if record is None:
            return Checked(stored, None, None, f"{CUT} {self._originals.where}")
        try:
            record = _as_line(record) if line else record
            return Checked(stored, record, self._decoder.decode(record), "")
        except DecodeError as error:
            return Checked(stored, record, None, str(error))

    def _original(self, letter: DeadLetter) -> Record | None:
        """What was kept whole is the original; else the log is asked."""
        kept = letter.record()
        if kept is not None:
            return kept
        found = self._originals.fetch(letter.position)
        # In a topic that was made anew, another record has the same place.
        if found is not None and _is_same(found, letter):
            return found
        return None

    def send(self, checked: Sequence[Checked], target: Target, by: str) -> int:
        """Write what decodes and then settle it; returns how many this call settled.

        A crash between the two leaves them open, and they may be sent twice: the header that they
        carry lets the reader take them once.
        """
        ready = [(c.stored, c.record, c.event) for c in checked if not c.problem]
        copies = [replayed(record, event) for _, record, event in ready if record and event]
        if not copies:
            return 0
        places = target.write(copies)
        settled = 0
        with self._store.transaction() as transaction:
            for (stored, _, _), place in zip(ready, places, strict=True):
                settlement = Settlement(Fate.REPLAYED, self._clock.now(), by, place)
                settled += transaction.dead_letters.settle(stored.letter.position, settlement)
        return settled

    def drop(self, letters: Sequence[StoredDeadLetter], by: str, because: str) -> int:
        """Settle without sending; returns how many were still open. The rows stay."""
        settlement = Settlement(Fate.DROPPED, self._clock.now(), by, because)
        with self._store.transaction() as transaction:
            return sum(
                transaction.dead_letters.settle(stored.letter.position, settlement)
                for stored in letters
            )


def _is_same(record: Record, letter: DeadLetter) -> bool:
    body = record.value or b""
    size = len(body) if record.fault is None else record.fault.size
    return size == letter.size and body.startswith(letter.body)


def _as_line(record: Record) -> Record:
    """The record as a log file can hold it: one line of JSON without key and headers."""
    body = record.value or b""
    try:
        if b"\n" in body or b"\r" in body:
            body = msgspec.json.format(body, indent=-1)
        msgspec.json.decode(body)
    except msgspec.DecodeError as error:
        place = place_text(record.position)
        raise DecodeError("malformed_json", "$", f"{place} is no line of JSON: {error}") from error
    return Record(record.position, body, timestamp_ms=record.timestamp_ms)
