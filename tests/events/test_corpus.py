"""The malformed corpus: every kind becomes a dead letter of its own, its neighbours events."""

from collections import Counter

import pytest

from detector.events.decode import Decoder
from detector.events.limits import Limits
from detector.events.reasons import Reason
from detector.events.record import Position, Record
from tests.events.corpus import kinds
from tests.events.corpus.kinds import Kind, text
from tests.events.corpus.packed import PACKED_KINDS

KINDS = (*kinds.KINDS, *PACKED_KINDS)


def record(offset: int, kind: Kind) -> Record:
    return Record(
        Position("log", 0, offset), kind.value, headers=kind.headers, timestamp_ms=kind.timestamp_ms
    )


def neighbour(offset: int) -> Record:
    return Record(Position("log", 0, offset), text(event_id=f"good-{offset}"))


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_a_bad_record_is_named_and_its_neighbours_pass(kind: Kind) -> None:
    decoded = Decoder().decode_all([neighbour(0), record(1, kind), neighbour(2)])
    assert [event.event.event_id for event in decoded.events] == ["good-0", "good-2"]
    (letter,) = decoded.dead
    assert (letter.reason, letter.path) == (kind.reason, kind.path)
    assert letter.position.offset == 1
    assert letter.detail
    assert letter.size == len(kind.value or b"")
    assert letter.body == (kind.value or b"")[: Limits().kept_bytes]


def test_the_whole_corpus_at_once_is_counted_by_reason() -> None:
    decoder = Decoder()
    records = []
    for offset, kind in enumerate(KINDS):
        records += [record(2 * offset, kind), neighbour(2 * offset + 1)]
    decoded = decoder.decode_all(records)
    assert Counter(letter.reason for letter in decoded.dead) == Counter(k.reason for k in KINDS)
    assert len(decoded.events) == len(KINDS)


def test_the_corpus_covers_every_reason_with_distinct_kinds() -> None:
    # What a source finds, and whether there is room for a model, is not the decoder's to say.
    others = {Reason.DECOMPRESSION_BOMB, Reason.DAMAGED_BATCH, Reason.TOO_MANY_MODELS}
    assert {kind.reason for kind in KINDS} == set(Reason) - others
    assert len({kind.name for kind in KINDS}) == len(KINDS) >= 60
