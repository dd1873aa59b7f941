"""CloudEvents 1.0: both modes yield the event that stands within."""

import base64
import json

import msgspec

from detector.events.decode import Decoder
from detector.events.model import PredictionEvent
from detector.events.record import Position, Record
from tests.events.corpus.kinds import EVENT, Headers, headers, structured, text, without


def decode(body: bytes, headers: Headers = ()) -> PredictionEvent:
    return Decoder().decode(Record(Position("log", 0, 0), body, headers=headers))


PLAIN = decode(text())


def test_structured_data_is_the_event() -> None:
    assert decode(structured()) == PLAIN
    typed = (("Content-Type", b"Application/CloudEvents+JSON; charset=utf-8"),)
    assert decode(structured(), typed) == PLAIN
    assert decode(structured(datacontenttype="application/vnd.x+json", subject="s")) == PLAIN
    assert decode(structured(data_base64=None)) == PLAIN


def test_structured_base64_is_the_event() -> None:
    encoded = base64.b64encode(text()).decode()
    assert decode(structured(drop=("data",), data_base64=encoded)) == PLAIN
    assert decode(structured(None, data_base64=encoded)) == PLAIN


def test_binary_headers_announce_the_event() -> None:
    assert decode(text(), headers()) == PLAIN
    assert decode(text(), headers(drop=("content-type",))) == PLAIN
    assert decode(text(), headers(content__type="application/json; charset=utf-8")) == PLAIN


def test_other_headers_do_not_make_a_cloudevent() -> None:
    assert decode(text(), (("traceparent", b"\xff"), ("content-type", b"text/plain"))) == PLAIN


def test_id_and_time_of_the_envelope_stand_in_for_missing_ones() -> None:
    bare = without(EVENT, "event_id", "time")
    time = "2026-03-01T13:00:00+01:00"
    expected = PredictionEvent(event_id="ce-1", time_ms=PLAIN.time_ms, client_id="c", model_id="m")
    assert decode(structured(bare, time=time)) == expected
    assert decode(json.dumps(bare).encode(), headers(ce_time=time)) == expected
    unknown = {**bare, "trace": 1}
    assert decode(structured(unknown, time=time)) == expected


def test_unknown_fields_are_counted_once_where_the_envelope_completes_the_event() -> None:
    bare = {**without(EVENT, "event_id", "time"), "colour": 1}
    time = "2026-03-01T13:00:00+01:00"
    json_body = json.dumps(bare).encode()
    packed = headers(ce_time=time, content__type="application/msgpack")
    records = [
        Record(Position("log", 0, 0), structured(bare, time=time)),
        Record(Position("log", 0, 1), json_body, headers=headers(ce_time=time)),
        Record(Position("log", 0, 2), msgspec.msgpack.encode(bare), headers=packed),
        Record(Position("log", 0, 3), text(colour=1)),
    ]
    decoded = Decoder().decode_all(records)
    assert len(decoded.events) == 4
    assert decoded.unknown_fields == {"$.colour": 4}


def test_the_event_s_own_id_and_time_come_first() -> None:
    assert decode(structured(time="2027-01-01T00:00:00Z")) == PLAIN
    only_id = without(EVENT, "time")
    event = decode(structured(only_id, time="2027-01-01T00:00:00Z"))
    assert event.event_id == "e1"
    assert event.time_ms == 1_798_761_600_000


def test_unknown_fields_within_are_counted_and_extensions_are_not() -> None:
    body = structured({**EVENT, "trace": 1}, partitionkey="c")
    decoded = Decoder().decode_all([Record(Position("log", 0, 0), body)])
    assert decoded.unknown_fields == {"$.trace": 1}


def test_specversion_elsewhere_does_not_make_a_cloudevent() -> None:
    event = decode(text(input={"fields": {"specversion": "1.0"}}, extra="specversion"))
    assert event.input is not None
    assert event.input.fields == {"specversion": "1.0"}
