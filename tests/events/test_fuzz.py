"""Whatever the bytes, the decoder makes an event or a dead letter."""

import json
from contextlib import suppress

from hypothesis import example, given, settings
from hypothesis import strategies as st

from detector.events.decode import Decoder
from detector.events.located import LocatedEvent
from detector.events.reasons import Reason
from detector.events.record import Position, Record
from detector.events.sanitise import depth
from detector.kit.errors import DecodeError
from tests.events.corpus.kinds import EVENT, KINDS
from tests.events.fuzz import Inputs, fuzz

SEEDS = [kind.value for kind in KINDS if kind.value and len(kind.value) < 2000]
RICH = {
    **EVENT,
    "input": {"features": [1, "a", None, 2.5]},
    "output": {"label": 1, "scores": [0.2, 0.8]},
    "status": 200,
    "sampling_rate": 0.5,
}
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4)
    ),
    max_leaves=12,
)
HEADERS = st.lists(
    st.tuples(
        st.sampled_from(["ce_specversion", "ce_id", "ce_source", "ce_type", "content-type"]),
        st.binary(max_size=6)
        | st.sampled_from([b"1.0", b"application/json", b"application/cloudevents+json"]),
    ),
    max_size=6,
).map(tuple)


def holds(body: bytes | None, headers: tuple[tuple[str, bytes], ...] = ()) -> None:
    decoded = Decoder().decode_all([Record(Position("log", 0, 0), body, headers=headers)])
    assert len(decoded.events) + len(decoded.dead) == 1
    for letter in decoded.dead:
        assert letter.reason in set(Reason)
        assert letter.path.startswith(("$", "header:"))
        assert letter.detail
    for _, event in decoded.events:
        assert type(event.time_ms) is int
        json.dumps([event.client, event.event_id], ensure_ascii=False).encode()


@settings(deadline=None)
@given(st.binary(max_size=200), HEADERS)
def test_random_bytes(body: bytes, headers: tuple[tuple[str, bytes], ...]) -> None:
    holds(body, headers)


@settings(max_examples=300, deadline=None)
@given(st.sampled_from([*SEEDS, json.dumps(RICH).encode()]), st.data())
def test_mutated_records(seed: bytes, data: st.DataObject) -> None:
    start = data.draw(st.integers(0, len(seed)))
    end = data.draw(st.integers(start, min(len(seed), start + 8)))
    splice = st.binary(max_size=6) | st.sampled_from(
        [b"\\", b'"', b"[", b"{", b"\\u0000", b"1e999"]
    )
    holds(seed[:start] + data.draw(splice) + seed[end:])


@settings(max_examples=300, deadline=None)
@given(
    st.fixed_dictionaries({}, optional=dict.fromkeys([*RICH, "specversion", "data", "id"], JSON)),
    st.booleans(),
)
@example({"time": "0001-01-01T00:00:00+23:59"}, False)
@example({"time": "9999-12-31T23:59:59-23:59"}, False)
def test_any_json_in_any_field(changes: dict[str, object], ascii_only: bool) -> None:
    with suppress(UnicodeEncodeError):
        holds(json.dumps({**RICH, **changes}, ensure_ascii=ascii_only).encode())


@settings(deadline=None)
@given(JSON)
def test_depth_is_the_deepest_nesting(value: object) -> None:
    def deepest(inner: object) -> int:
        if isinstance(inner, dict):
            return 1 + max(map(deepest, inner.values()), default=0)
        return 1 + max(map(deepest, inner), default=0) if isinstance(inner, list) else 0

    assert depth(json.dumps(value).encode()) == deepest(value)


def test_thousands_of_mutations_crash_nothing() -> None:
    figures = fuzz(20_000)
    assert (figures.inputs, figures.crashes) == (20_000, 0)
    assert figures.events + figures.dead.total() == 20_000
    assert figures.events > 2_000


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 2**32), st.integers(1, 300))
def test_records_at_once_are_as_records_one_by_one(seed: int, count: int) -> None:
    """The short ways of a batch end where the careful way of each record does."""
    source = Inputs(seed)
    records = [source.record(at) for at in range(count)]
    together, alone = Decoder().decode_all(records), Decoder()
    events, letters = [], []
    for record in records:
        try:
            events.append((record.position, alone.decode(record)))
        except DecodeError as error:
            letters.append((record.position, error.reason, error.path, error.detail))
    assert repr(list(together.events)) == repr([LocatedEvent(*pair) for pair in events])
    assert [(x.position, x.reason, x.path, x.detail) for x in together.dead] == letters
    assert together.unknown_fields == alone.decode_all([]).unknown_fields
