"""Dead letters in memory."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime

from detector.events.place import parse_place, place_text
from detector.events.record import DeadLetter, Position
from detector.kit.errors import ConfigurationError
from detector.pipeline.dead_letters import DeadLetterQuery, Settlement, State, StoredDeadLetter
from detector.pipeline.ports import Page
from detector.storage.cursor import require_limit
from tests.fakes.tables import Tables


class FakeDeadLetters:
    def __init__(self, tables: Tables) -> None:
        self._tables = tables

    def add(self, letters: Sequence[DeadLetter], received_at: datetime) -> None:
        for letter in letters:
            known = self._tables.dead_letters.get(letter.position)
            if known is None or _differ(known.letter, letter):
                stored = StoredDeadLetter(letter, received_at)
                self._tables.dead_letters[letter.position] = stored

    def get(self, position: Position) -> StoredDeadLetter | None:
        return self._tables.dead_letters.get(position)

    def list(self, query: DeadLetterQuery) -> Page[StoredDeadLetter]:
        require_limit(query.limit)
        found = sorted(self._chosen(query), key=_when_and_where, reverse=query.newest_first)
        if query.after is not None:
            position = parse_place(query.after)
            stored = None if position is None else self.get(position)
            if stored is None:
                raise ConfigurationError(f"after: {query.after} is not a dead letter's place")
            here, newest = _when_and_where(stored), query.newest_first
            found = [
                each
                for each in found
                if (_when_and_where(each) < here if newest else _when_and_where(each) > here)
            ]
        items = tuple(found[: query.limit])
        more = len(found) > len(items)
        return Page(items, place_text(items[-1].letter.position) if more else None)

    def counts(self, query: DeadLetterQuery | None = None) -> Mapping[str, int]:
        chosen = self._chosen(query or DeadLetterQuery(state=State.ALL))
        return Counter(stored.letter.reason for stored in chosen)

    def settle(self, position: Position, settlement: Settlement) -> bool:
        stored = self.get(position)
        if stored is None or stored.settlement is not None:
            return False
        self._tables.dead_letters[position] = replace(stored, settlement=settlement)
        return True

    def _chosen(self, query: DeadLetterQuery) -> Sequence[StoredDeadLetter]:
        return [
            stored
            for position, stored in self._tables.dead_letters.items()
            if query.reason in (None, stored.letter.reason)
            and query.topic in (None, position.topic)
            and query.partition in (None, position.partition)
            and (query.since is None or stored.received_at >= query.since)
            and (query.until is None or stored.received_at <= query.until)
            and (query.state is not State.OPEN or stored.settlement is None)
            and (query.state is not State.SETTLED or stored.settlement is not None)
        ]


def _differ(one: DeadLetter, other: DeadLetter) -> bool:
    times = one.timestamp_ms, other.timestamp_ms
    moved = None not in times and times[0] != times[1]
    return moved or (one.body, one.size) != (other.body, other.size)


def _when_and_where(stored: StoredDeadLetter) -> tuple[datetime, Position]:
    return stored.received_at, stored.letter.position
