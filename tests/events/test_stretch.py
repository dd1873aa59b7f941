"""Events that were read into columns are the events that were decoded one by one."""

from collections.abc import Sequence

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from detector.events.assemble import assemble
from detector.events.batch import ColumnTable, EventBatch
from detector.events.decode import Decoder
from detector.events.located import LocatedEvent
from detector.events.model import ModelKey
from detector.events.record import Position, Record
from detector.events.stretch import EventStretch

MODELS = ("", "a"), ("", "b"), ("t", "a")
INPUTS = (
    None, {"features": [1.5, 2]}, {"features": [3, None]}, {"features": [0.25]},
    {"features": [1, 2, 3]}, {"features": ["red", 4.5]}, {"embedding": [1.0, 2.0]},
    {"fields": {"0": 1.0, "colour": "red"}}, {"features": [1e300, -1e300]},
)  # fmt: skip
OUTPUTS = (
    None, {"label": "yes"}, {"label": 7}, {"scores": [0.25]}, {"scores": [0.75]},
    {"label": "yes", "scores": [0.5]}, {"label": "no", "scores": [1e200]}, {"scores": [0.1, 0.9]},
    {"scores": {"no": 0.3, "maybe": 0.7}}, {"label": "w", "scores": [0.2, 0.3, 0.5]},
)  # fmt: skip
TIMES = 1_767_225_600_000, "2026-01-01T00:00:00.25Z"
HEADERS = (), (("querywatch-source", b"raw/0/1"),), (("trace", b"1"),)
EVENTS = st.builds(
    lambda model, given, output, time, client, agent: {
        "tenant_id": model[0], "model_id": model[1], "input": given, "output": output,
        "time": time, "client_id": client, "user_agent": agent,
    },
    st.sampled_from(MODELS), st.sampled_from(INPUTS), st.sampled_from(OUTPUTS),
    st.sampled_from(TIMES), st.sampled_from(("ann", "bob", "zoë")),
    st.sampled_from((None, "curl", 'a "quoted" one', "ünïcode")),
)  # fmt: skip
LOGS = st.lists(st.tuples(EVENTS, st.sampled_from(HEADERS)), min_size=1, max_size=60)


def records(log: Sequence[tuple[dict[str, object], tuple[tuple[str, bytes], ...]]]) -> list[Record]:
    return [
        Record(
            Position("log", 0, 3 * n),
            msgspec.json.encode({"event_id": f"e{n}", **event}),
            headers=headers,
        )
        for n, (event, headers) in enumerate(log)
    ]


def one_by_one(log: Sequence[Record]) -> list[LocatedEvent]:
    decoder = Decoder()
    return [LocatedEvent(record.position, decoder.decode(record)) for record in log]


def same(one: EventBatch, other: EventBatch) -> None:
    assert list(one.located) == list(other.located)
    assert list(one.clients) == list(other.clients)
    assert one.names == other.names
    for name in ("offsets", "cells", "has_input", "labels", "scores", "margins", "time_ms"):
        np.testing.assert_array_equal(getattr(one, name), getattr(other, name), name)


@given(LOGS)
@settings(max_examples=150, deadline=None)
def test_columns_say_what_the_events_say(log: list[tuple[dict[str, object], tuple[()]]]) -> None:
    read = records(log)
    expected = one_by_one(read)
    stretch = Decoder().decode_all(read).events
    assert isinstance(stretch, EventStretch)
    assert list(stretch) == expected
    assert stretch == expected
    assert list(stretch.clients) == [event.client_id for _, event in expected]
    assert stretch.time_ms.tolist() == [event.time_ms for _, event in expected]
    assert stretch.has_input.tolist() == [event.input is not None for _, event in expected]
    groups = {key: at.tolist() for key, at in stretch.by_model.items()}
    assert list(groups) == list(dict.fromkeys(event.model for _, event in expected))
    for key, indices in groups.items():
        assert indices == [i for i, (_, event) in enumerate(expected) if event.model == key]


@given(LOGS, st.booleans())
@settings(max_examples=150, deadline=None)
def test_batches_are_the_same_by_either_way(
    log: list[tuple[dict[str, object], tuple[()]]], full: bool
) -> None:
    read = records(log)
    expected = one_by_one(read)
    stretch = EventStretch.of(Decoder().decode_all(read).events)

    def table() -> ColumnTable:
        return ColumnTable(("0", "colour", "1"), max_fields=3) if full else ColumnTable()

    for key, indices in stretch.by_model.items():
        of_columns, of_events = table(), table()
        for half in (indices[: len(indices) // 2], indices[len(indices) // 2 :]):
            if len(half):
                events = [expected[i] for i in half.tolist()]
                same(
                    assemble(key, stretch.take(half), of_columns), assemble(key, events, of_events)
                )
        assert of_columns.classes == of_events.classes


def ordinary(count: int) -> EventStretch:
    event = {"client_id": "ann", "model_id": "m", "input": {"features": [1.0]}}
    log = []
    for n in range(count):
        body = msgspec.json.encode({**event, "event_id": str(n), "time": 1_767_225_600_000 + n})
        log.append(Record(Position("log", 0, n), body))
    return EventStretch.of(Decoder().decode_all(log).events)


def test_ordinary_events_are_not_made_before_somebody_asks() -> None:
    stretch = ordinary(50)
    assert len(stretch.made) == 0
    assert stretch.by_model.keys() == {ModelKey("", "m")}
    assert stretch[7].event.event_id == "7"


def test_parts_of_a_stretch_are_stretches() -> None:
    stretch = ordinary(50)
    assert [event.event_id for _, event in stretch[10:30:5]] == ["10", "15", "20", "25"]
    part = stretch.take(np.array([3, 40]))
    assert part.offsets.tolist() == [3, 40]
    assert part[1:].time_ms.tolist() == [1_767_225_600_040]
    assert stretch.take(np.arange(50)) is stretch


def test_a_list_that_is_changed_afterwards_changes_no_event() -> None:
    log = [
        Record(
            Position("log", 0, n),
            b'{"event_id":"%d","time":1767225600000,"client_id":"c","model_id":"m"}' % n,
        )
        for n in range(20)
    ]
    events = Decoder().decode_all(log).events
    log.clear()
    assert [event.event_id for _, event in events] == [str(n) for n in range(20)]


def test_no_events_are_a_stretch_too() -> None:
    stretch = EventStretch.of([])
    assert len(stretch) == 0
    assert not stretch.by_model
    assert list(stretch.clients) == []


@pytest.mark.parametrize("at", [20, -21])
def test_an_event_that_is_not_there_is_an_index_error(at: int) -> None:
    with pytest.raises(IndexError):
        ordinary(20)[at]


def test_columns_are_not_asked_about_events_that_are_not_in_them() -> None:
    names = ["ann", "zoë", "bob", "ann", "zoë"] * 5
    log = records([({"model_id": "a", "time": TIMES[0], "client_id": name}, ()) for name in names])
    stretch = EventStretch.of(Decoder().decode_all(log).events)
    assert 0 < len(stretch.made) < len(stretch)
    # What they hold there is whatever memory held before.
    for column in (stretch.rows.client, stretch.rows.model, stretch.rows.tenant):
        column[stretch.made] = (1 << 40, 1 << 50)
    assert list(stretch.clients) == names
    assert [len(places) for places in stretch.by_model.values()] == [len(names)]
