"""What every `Store` must do about dead letters: kept once, listed in pages, settled once."""

from dataclasses import replace
from datetime import timedelta

import pytest

from detector.events.record import Position
from detector.kit.errors import ConfigurationError
from detector.pipeline.dead_letters import (
    DeadLetterQuery,
    Fate,
    Settlement,
    State,
    StoredDeadLetter,
)
from detector.pipeline.ports import Store
from tests.storage.shapes import ABROAD, AWKWARD, NOW, letter

SOON = NOW + timedelta(minutes=1)


class DeadLetterConformance:
    """The part of the suite that concerns dead letters."""

    def test_a_dead_letter_is_stored_once(self, store: Store) -> None:
        for _ in range(2):
            with store.transaction() as transaction:
                transaction.dead_letters.add([letter(1), letter(2), letter(2)], NOW)
                transaction.dead_letters.add([letter(3, "depth")], SOON)
                transaction.dead_letters.add([], NOW)
        with store.transaction() as transaction:
            assert dict(transaction.dead_letters.counts()) == {"missing_field": 2, "depth": 1}

    def test_a_dead_letter_comes_back_as_it_was_stored(self, store: Store) -> None:
        bare = replace(letter(2), body=b"", size=0, key=None, headers=None, timestamp_ms=None)
        with store.transaction() as transaction:
            transaction.dead_letters.add([letter(1), bare], ABROAD)
        with store.transaction() as transaction:
            found = [transaction.dead_letters.get(each.position) for each in (letter(1), bare)]
            assert transaction.dead_letters.get(letter(3).position) is None
            assert transaction.dead_letters.get(Position("nul\0", 0, 1)) is None
        assert found == [StoredDeadLetter(letter(1), NOW), StoredDeadLetter(bare, NOW)]

    def test_pages_hold_every_dead_letter_once_in_either_order(self, store: Store) -> None:
        for number in range(7):
            with store.transaction() as transaction:
                letters = [letter(number, partition=number % 2), letter(number, partition=2)]
                transaction.dead_letters.add(letters, NOW if number < 3 else SOON)
        for newest_first in (True, False):
            found: list[StoredDeadLetter] = []
            query = DeadLetterQuery(newest_first=newest_first, limit=3)
            while True:
                with store.transaction() as transaction:
                    page = transaction.dead_letters.list(query)
                found += page.items
                if page.next_cursor is None:
                    break
                query = replace(query, after=page.next_cursor)
            keys = [(each.received_at, each.letter.position) for each in found]
            assert keys == sorted(keys, reverse=newest_first)
            assert len(set(keys)) == 14

    @pytest.mark.parametrize("after", ["", "x", "predictions/0/99", "nul\0/0/1"])
    def test_dead_letters_after_none_are_refused(self, store: Store, after: str) -> None:
        query = DeadLetterQuery(after=after)
        with store.transaction() as transaction, pytest.raises(ConfigurationError, match="after"):
            transaction.dead_letters.list(query)

    def test_a_dead_letter_is_settled_once(self, store: Store) -> None:
        replayed = Settlement(Fate.REPLAYED, ABROAD, "ana", "predictions/0/9")
        dropped = Settlement(Fate.DROPPED, SOON, "bo", AWKWARD)
        with store.transaction() as transaction:
            transaction.dead_letters.add([letter(1), letter(2)], NOW)
            assert transaction.dead_letters.settle(letter(1).position, replayed)
            assert not transaction.dead_letters.settle(letter(1).position, dropped)
            assert not transaction.dead_letters.settle(letter(3).position, dropped)
        with store.transaction() as transaction:
            transaction.dead_letters.add([letter(1)], SOON)
            stored = transaction.dead_letters.get(letter(1).position)
        assert stored == StoredDeadLetter(letter(1), NOW, replace(replayed, at=NOW))

    def test_another_record_of_the_same_place_is_another_dead_letter(self, store: Store) -> None:
        dropped = Settlement(Fate.DROPPED, NOW, "ana", "noise")
        others = (
            replace(letter(1), body=b"other"), replace(letter(2), timestamp_ms=7),
            replace(letter(3), size=letter(3).size + 1),
        )  # fmt: skip
        with store.transaction() as transaction:
            transaction.dead_letters.add([letter(n) for n in (1, 2, 3)], NOW)
            for number in (1, 2, 3):
                assert transaction.dead_letters.settle(letter(number).position, dropped)
        with store.transaction() as transaction:
            transaction.dead_letters.add(others, SOON)
        with store.transaction() as transaction:
            found = [transaction.dead_letters.get(each.position) for each in others]
        assert found == [StoredDeadLetter(each, SOON) for each in others]

    def test_filters_choose_dead_letters(self, store: Store) -> None:
        dropped = Settlement(Fate.DROPPED, NOW, "ana", "noise")
        with store.transaction() as transaction:
            transaction.dead_letters.add([letter(1), letter(2, "depth", 1)], NOW)
            transaction.dead_letters.add([letter(3)], SOON)
            transaction.dead_letters.settle(letter(1).position, dropped)
        cases = [
            (DeadLetterQuery(), {2, 3}),
            (DeadLetterQuery(state=State.SETTLED), {1}),
            (DeadLetterQuery(state=State.ALL), {1, 2, 3}),
            (DeadLetterQuery(reason="depth"), {2}),
            (DeadLetterQuery(topic="predictions"), {2, 3}),
            (DeadLetterQuery(topic="other"), set()),
            (DeadLetterQuery(partition=1), {2}),
            (DeadLetterQuery(since=SOON), {3}),
            (DeadLetterQuery(reason="depth", since=SOON), set()),
            (DeadLetterQuery(until=NOW), {2}),
            (DeadLetterQuery(since=SOON, until=SOON), {3}),
        ]
        with store.transaction() as transaction:
            for query, expected in cases:
                found = transaction.dead_letters.list(query).items
                assert {each.letter.position.offset for each in found} == expected, query
                assert sum(transaction.dead_letters.counts(query).values()) == len(expected)
