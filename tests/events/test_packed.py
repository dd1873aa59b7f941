"""MessagePack records: the same events as in JSON, and rows of float32 on their way to cells."""

import json
from array import array
from datetime import UTC, datetime
from typing import Any

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from detector.events.assemble import assemble
from detector.events.batch import ColumnTable, EventBatch
from detector.events.decode import Decoded, Decoder
from detector.events.model import ModelKey, PredictionEvent
from detector.events.record import Position, Record
from tests.events.corpus.kinds import EVENT, Headers, headers, text, without
from tests.events.corpus.packed import MEDIA, deep, encode, float32, packed

finite32 = st.floats(width=32, allow_nan=False, allow_infinity=False)


def decoded(*bodies: bytes, headers: Headers = ()) -> Decoded:
    records = [
        Record(Position("log", 0, at), body, headers=headers) for at, body in enumerate(bodies)
    ]
    return Decoder().decode_all(records)


def event(body: bytes, headers: Headers = ()) -> PredictionEvent:
    (located,) = decoded(body, headers=headers).events
    return located.event


def plain(given: PredictionEvent) -> Any:
    """The event as JSON values, rows as lists."""
    return msgspec.to_builtins(given, enc_hook=list, builtin_types=())


def columns(*bodies: bytes) -> EventBatch:
    batch = decoded(*bodies)
    assert not batch.dead
    return assemble(ModelKey("", "m"), batch.events, ColumnTable())


WHOLE: dict[str, Any] = {
    **EVENT,
    "tenant_id": "t",
    "user_agent": "Grüße 😀" * 40,
    "input": {"features": [1, "a", None, 2.5]},
    "output": {"label": -7, "scores": {"yes": 0.25, "no": 0.75}, "value": 3},
    "status": 503,
    "latency_ms": 1.5,
    "sampling_rate": 0.5,
}


@pytest.mark.parametrize(
    "source",
    [
        EVENT,
        WHOLE,
        {**WHOLE, "input": {"fields": {"age": 41, "job": "nurse", "ok": True, "none": None}}},
        {**WHOLE, "input": {"embedding": [1, 0.5]}, "output": {"scores": [0.5, 0.5]}},
        {**WHOLE, "input": {"fingerprint": ["ab", "0"]}, "time": 1_772_366_400_000},
        {**WHOLE, "input": None, "output": None},
    ],
)
def test_the_same_fields_make_the_same_event(source: dict[str, Any]) -> None:
    assert plain(event(encode(source))) == plain(event(json.dumps(source).encode()))


def test_a_key_of_the_sender_is_not_in_the_path() -> None:
    in_fields = packed(input={"fields": {"secret": "\0"}})
    in_unknown = packed(extra={"k" * 900_000: [1, {"label": "\0"}]})
    paths = [letter.path for letter in decoded(in_fields, in_unknown).dead]
    assert paths == ["$.input.fields[...]", "$[...][...][1].label"]


def test_a_timestamp_is_a_time() -> None:
    assert event(packed(time=datetime(2026, 3, 1, 12, tzinfo=UTC))).time_ms == event(text()).time_ms


@pytest.mark.parametrize("name", ["features", "embedding"])
@given(st.lists(finite32, min_size=1, max_size=40))
@settings(deadline=None)  # the first one loads kernels
def test_bytes_are_a_row_of_float32(name: str, values: list[float]) -> None:
    row = packed(input={name: float32(*values)}, output={"scores": float32(0.25, 0.75)})
    found = event(row)
    assert found.output is not None
    assert found.output.scores == [0.25, 0.75]
    assert getattr(found.input, name) == array("f", values)
    listed = packed(input={name: values}, output={"scores": [0.25, 0.75]})
    left, right = columns(row, row), columns(listed, listed)
    assert left.cells.tobytes() == right.cells.tobytes()
    assert left.scores.tobytes() == right.scores.tobytes()
    assert columns(row, listed).cells.tobytes() == right.cells.tobytes()


def test_rows_beside_other_shapes_keep_their_values() -> None:
    row, longer = packed(input={"features": float32(0.1, 2)}), text(input={"features": [1, 2, 3]})
    cells = columns(row, longer, text(input={"fields": {"0": 5}})).cells
    assert cells[0, :2].tolist() == [float(np.float32(0.1)), 2.0]


def test_unknown_fields_are_left_out_and_counted() -> None:
    body = packed(trace={"a": [1, b"\0\0\xc0\x7f"]}, input={"features": float32(1), "dtype": "f4"})
    result = decoded(body, packed(trace=1), packed())
    assert len(result.events) == 3
    assert result.unknown_fields == {"$.trace": 2, "$.input.dtype": 1}


def test_json_and_messagepack_stand_side_by_side() -> None:
    events = decoded(text(), packed(), text(), packed()).events
    assert [plain(item.event) for item in events] == [plain(event(text()))] * 4
    assert [item.position.offset for item in events] == [0, 1, 2, 3]


def test_nesting_up_to_the_limit_passes() -> None:
    assert event(packed(extra=deep(31))).event_id == "e1"


def test_zeros_among_the_floats_are_no_characters() -> None:
    assert event(packed(input={"features": float32(0, 0)}, latency_ms=0.0)).latency_ms == 0.0


@pytest.mark.parametrize("media", [MEDIA, "Application/MsgPack; x=y", "application/x-msgpack"])
def test_binary_cloudevents_may_carry_messagepack(media: str) -> None:
    announced = headers(content__type=media)
    assert plain(event(packed(), announced)) == plain(event(text()))
    bare = encode(without(EVENT, "event_id", "time"))
    timed = headers(content__type=media, ce_time="2026-03-01T13:00:00+01:00")
    assert plain(event(bare, timed)) == {**plain(event(text())), "event_id": "ce-1"}


def test_without_a_content_type_the_first_byte_says_it() -> None:
    assert plain(event(packed(), headers(drop=("content-type",)))) == plain(event(text()))
