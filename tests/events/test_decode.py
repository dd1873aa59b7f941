"""What the decoder accepts, and what it makes of it."""

import json
from typing import Any

import msgspec
import pytest

from detector.events.decode import MAX_PATH, Decoder
from detector.events.limits import Limits
from detector.events.model import ClientKey, Input, ModelKey, Output, PredictionEvent
from detector.events.reasons import Reason
from detector.events.record import Fault, Position, Record
from detector.events.unknown import MAX_NAMES, OTHER
from detector.kit.errors import ConfigurationError, DecodeError
from tests.events.corpus.kinds import EVENT, text

NOON = 1_772_366_400_000
FIELDS = msgspec.structs.fields(PredictionEvent)


def record(body: bytes | None, offset: int = 0) -> Record:
    return Record(Position("log", 0, offset), body)


def decode(body: bytes, **limits: int) -> PredictionEvent:
    return Decoder(Limits(**limits)).decode(record(body))


def refused(body: bytes, **limits: int) -> tuple[str, str]:
    with pytest.raises(DecodeError) as caught:
        decode(body, **limits)
    return caught.value.reason, caught.value.path


def test_what_a_source_could_not_hand_over_is_a_dead_letter_with_its_reason() -> None:
    fault = Fault(Reason.DAMAGED_BATCH, "its checksum is wrong", 70_000)
    [letter] = (
        Decoder(Limits(kept_bytes=4))
        .decode_all([Record(Position("log", 0, 9), b"\0" * 60, fault=fault)])
        .dead
    )
    assert (letter.reason, letter.path, letter.detail) == ("damaged_batch", "$", fault.detail)
    assert (letter.position.offset, letter.body, letter.size) == (9, b"\0" * 4, 70_000)


def test_a_minimal_event_has_the_documented_defaults() -> None:
    event = decode(text())
    assert event == PredictionEvent(event_id="e1", time_ms=NOON, client_id="c", model_id="m")
    assert (event.status, event.sampling_rate, event.identity_source) == (200, 1.0, "principal")
    assert event.client == ClientKey("", "m", "c")
    assert event.model == ModelKey("", "m")


def test_every_field_arrives() -> None:
    whole = {
        **EVENT,
        "model_version": "3",
        "identity_source": "ip",
        "tenant_id": "t",
        "session_id": "s",
        "source_ip": "203.0.113.9",
        "user_agent": "curl",
        "input": {"fields": {"age": 41, "job": "nurse", "ok": True, "none": None}},
        "output": {"label": 1, "scores": {"0": 0.2, "1": 0.8}, "value": 3},
        "status": 201,
        "latency_ms": 1.5,
        "request_bytes": 80,
        "sampling_rate": 1,
    }
    given = Input(fields={"age": 41.0, "job": "nurse", "ok": True, "none": None})
    event = decode(json.dumps(whole).encode())
    assert event.input == given
    assert event.output == Output(label=1, scores={"0": 0.2, "1": 0.8}, value=3.0)
    rest = {**whole, "time": NOON, "input": given, "output": event.output}
    assert {field.encode_name: getattr(event, field.name) for field in FIELDS} == rest


@pytest.mark.parametrize(
    ("time", "expected"),
    [
        ("2026-03-01T12:00:00Z", NOON),
        ("2026-03-01t12:00:00z", NOON),
        ("2026-03-01 12:00:00Z", NOON),
        ("2026-03-01T14:30:00+02:30", NOON),
        ("2026-02-28T23:00:00-13:00", NOON),
        ("2026-03-01T12:00:00.25Z", NOON + 250),
        ("2026-03-01T12:00:00.123999Z", NOON + 123),
        ("2026-03-01T12:00:00.1239Z", NOON + 123),
        (NOON, NOON),
        (946_684_800_000, 946_684_800_000),
        (4_102_444_799_999, 4_102_444_799_999),
    ],
)
def test_times_become_milliseconds_of_utc(time: Any, expected: int) -> None:
    event = decode(text(time=time))
    assert event.time_ms == expected
    assert type(event.time_ms) is int


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (b'{"features": [1, "a", null, 2.5]}', Input(features=[1.0, "a", None, 2.5])),
        (b'{"features": [9223372036854775808]}', Input(features=[9223372036854775808.0])),
        (b'{"features": [1e-999, -0.0]}', Input(features=[0.0, -0.0])),
        (b'{"embedding": [1]}', Input(embedding=[1.0])),
        (b'{"fingerprint": "AbC9"}', Input(fingerprint="AbC9")),
        (b'{"fingerprint": ["ab", "0"]}', Input(fingerprint=["ab", "0"])),
        (b'{"features": [1], "fields": null}', Input(features=[1.0])),
        (b"{}", Input()),
        (b"null", None),
    ],
)
def test_inputs(given: bytes, expected: Input | None) -> None:
    assert decode(text(input=given)).input == expected


def test_an_escaped_backslash_before_u0000_is_no_nul() -> None:
    assert decode(text(client_id=rb'"a\\u0000"')).client_id == r"a\u0000"


def test_a_key_of_the_sender_is_not_in_the_path() -> None:
    body = text(input=rb'{"fields": {"secret": "\u0000"}}')
    assert refused(body) == (Reason.NUL_CHARACTER, "$.input.fields[...]")
    body = text(extra=rb'{"%s": [1, {"label": "\u0000"}]}' % (b"k" * 900_000))
    assert refused(body) == (Reason.NUL_CHARACTER, "$[...][...][1].label")


def test_a_dead_letter_s_path_is_bounded() -> None:
    error = DecodeError(Reason.WRONG_TYPE, "$" + "[...]" * 1000, "")
    assert len(Decoder().dead_letter(record(b"{}"), error).path) == MAX_PATH


def test_a_surrogate_pair_is_a_character() -> None:
    assert decode(text(client_id=rb'"\ud83d\ude00"')).client_id == "😀"


def test_of_two_equal_keys_the_last_counts() -> None:
    assert decode(text()[:-1] + b', "client_id": "last"}').client_id == "last"
    assert decode(text(extra=1)[:-1] + b', "client_id": "last"}').client_id == "last"


def test_crafted_keys_stay_strings() -> None:
    names = [str(at * (2**61 - 1)) for at in range(4000)]
    event = decode(text(input={"fields": dict.fromkeys(names, 1)}))
    assert event.input is not None
    assert event.input.fields == dict.fromkeys(names, 1.0)


def test_nesting_up_to_the_limit_passes_and_brackets_in_strings_do_not_count() -> None:
    assert decode(text(extra=b"[" * 31 + b"]" * 31)).event_id == "e1"
    assert refused(text(extra=b"[" * 32 + b"]" * 32)) == (Reason.TOO_DEEP, "$")
    assert decode(text(extra='[{"\\' * 100)).event_id == "e1"
    assert decode(text(client_id="[{" * 100)).client_id == "[{" * 100


def test_limits_are_settings() -> None:
    body = text(input={"features": [1, 2, 3]}, output={"scores": [0.5, 0.5]})
    assert refused(body, max_bytes=len(body) - 1) == (Reason.TOO_LARGE, "$")
    assert decode(body, max_bytes=len(body), max_fields=3, max_classes=2).event_id == "e1"
    fields, classes = Reason.TOO_MANY_FIELDS, Reason.TOO_MANY_CLASSES
    assert refused(body, max_fields=2) == (fields, "$.input.features")
    assert refused(body, max_classes=1) == (classes, "$.output.scores")
    assert refused(body, earliest_ms=NOON + 1) == (Reason.TIME_OUT_OF_RANGE, "$.time")
    assert refused(body, latest_ms=NOON) == (Reason.TIME_OUT_OF_RANGE, "$.time")


@pytest.mark.parametrize(
    "limits",
    [
        {"max_bytes": 0},
        {"max_depth": 3},
        {"max_depth": 257},
        {"max_fields": 0},
        {"max_classes": 0},
        {"kept_bytes": -1},
        {"future_ms": -1},
        {"earliest_ms": 5_000_000_000_000},
    ],
)
def test_senseless_limits_are_refused(limits: dict[str, int]) -> None:
    with pytest.raises(ConfigurationError):
        Limits(**limits)


def times_in_future(
    stamp: int | None, now: int | None = None, time: int = NOON
) -> list[tuple[str, str]]:
    decoder = Decoder(now_ms=None if now is None else lambda: now)
    one = Record(Position("log", 0, 0), text(time=time), timestamp_ms=stamp)
    return [(letter.reason, letter.path) for letter in decoder.decode_all([one]).dead]


def test_a_time_may_lie_an_hour_beyond_the_record_s_own_and_beyond_now() -> None:
    edge, future = NOON - 3_600_000, [(Reason.TIME_IN_FUTURE, "$.time")]
    assert times_in_future(edge) == times_in_future(None, edge) == []
    assert times_in_future(edge - 1) == times_in_future(None, edge - 1) == future
    assert times_in_future(edge - 1, NOON) == times_in_future(NOON, edge - 1) == future


def test_without_timestamp_and_clock_nothing_is_in_the_future() -> None:
    assert times_in_future(None, time=4_102_444_799_999) == []
    assert times_in_future(-1) == []  # what Kafka says when the producer gave none


def test_the_clock_is_asked_once_a_batch() -> None:
    asked = iter([NOON])
    decoder = Decoder(now_ms=lambda: next(asked))
    assert len(decoder.decode_all([record(text(), at) for at in range(3)]).events) == 3


def test_unknown_fields_are_ignored_and_counted_once_a_record() -> None:
    body = text(trace=1, input={"features": [1], "dtype": "f8"}, output={"label": 1, "logits": []})
    decoder = Decoder()
    decoded = decoder.decode_all([record(body, 0), record(text(trace=2), 1), record(text(), 2)])
    assert len(decoded.events) == 3
    assert decoded.events[0].event.input == Input(features=[1.0])
    expected = {"$.trace": 2, "$.input.dtype": 1, "$.output.logits": 1}
    assert decoded.unknown_fields == expected
    assert decoder.decode_all([record(text())]).unknown_fields == {}


def test_unknown_names_are_bounded() -> None:
    body = text(**{f"x{at:03}" + "y" * 200: 0 for at in range(200)})
    counts = Decoder().decode_all([record(body)]).unknown_fields
    assert len(counts) == MAX_NAMES + 1
    assert counts[OTHER] == 200 - MAX_NAMES
    assert max(map(len, counts)) <= 66


def test_a_dead_letter_keeps_a_bounded_body_and_the_full_size() -> None:
    body = text(client_id="x" * 100_000)
    (letter,) = Decoder(Limits(kept_bytes=10)).decode_all([record(body, 7)]).dead
    assert letter.body == body[:10]
    assert letter.size == len(body)
    assert letter.position == Position("log", 0, 7)


def test_the_detail_is_for_a_person_and_bounded() -> None:
    for kind in (text(status="x"), text(identity_source="y" * 5000), b"[" * 900_000):
        (letter,) = Decoder().decode_all([record(kind)]).dead
        assert 0 < len(letter.detail) <= 300
