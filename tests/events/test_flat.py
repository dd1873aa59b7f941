"""Plain JSON events read straight into columns: which are taken, and that the decoder agrees."""

import json
from collections.abc import Mapping
from datetime import datetime, timedelta, timezone
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from detector.events.batch import MAX_CLASSES
from detector.events.flat import read_flat
from detector.events.limits import Limits
from tests.bench.traffic import bodies
from tests.events.flat_oracle import ANY_TIME, agree, text_of, texts_of
from tests.events.fuzz_flat import SEEDS, mutated

EVENT: Mapping[str, Any] = {
    "event_id": "e-1", "time": 1_772_366_400_000, "client_id": "c-1", "model_id": "m-1",
}  # fmt: skip
FULL: Mapping[str, Any] = {
    **EVENT,
    "model_version": "3",
    "identity_source": "api_key",
    "tenant_id": "t",
    "session_id": "s",
    "source_ip": "203.0.113.9",
    "user_agent": "curl/8 (x; y) {[,:]}",
    "input": {"features": [1, -2.5, 3e-3]},
    "output": {"label": "yes", "scores": [0.25, 0.75], "value": -1.5},
    "status": 429,
    "latency_ms": 12.5,
    "request_bytes": 800,
    "sampling_rate": 0.25,
}

OFFSETS = st.integers(-1439, 1439).map(lambda minutes: timezone(timedelta(minutes=minutes)))


def body(**changes: Any) -> bytes:
    return json.dumps({**EVENT, **changes}).encode()


def taken(*texts: bytes, limits: Limits | None = None) -> list[bool]:
    return [bool(flag) for flag in agree(texts, limits).taken]


def test_ordinary_traffic_is_taken() -> None:
    assert agree(list(bodies(500, 50, attackers=5, seed=1))).taken.all()


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {**FULL},
        {"input": None, "output": None, "session_id": None, "latency_ms": None},
        {"input": {"features": [1, 2], "fields": None, "embedding": None, "fingerprint": None}},
        {"input": {"features": [1, None, "red", ""]}},
        {"input": {"features": [None]}},
        {"input": {"features": [1e300, -1e300, 0.0, -0.0]}},
        {"output": {"label": None, "scores": None, "value": None}},
        {"output": {"label": ""}},
        {"output": {"label": -1}},
        {"output": {"label": 2**31 + 5}},
        {"output": {"label": "x" * 256}},
        {"output": {"scores": [0.25]}},
        {"output": {"scores": [0.5]}},
        {"output": {"scores": [-1e300]}},
        {"output": {"scores": [0.25], "label": 1}},
        {"output": {"label": "no", "scores": [0.75]}},
        {"output": {"scores": [1, 3, 2, 3]}},
        {"output": {"scores": [-1e300, -1e301]}},
        {"output": {"scores": [0.01] * MAX_CLASSES + [0.9]}},
        {"client_id": "x" * 256, "model_id": "y" * 256, "tenant_id": "", "user_agent": "z" * 1024},
        {"status": 100, "sampling_rate": 1, "request_bytes": 0, "latency_ms": 0.0},
        {"time": 0},
        {"time": -5},
        {"time": "2026-03-01T12:00:00Z"},
        {"time": "2026-03-01T12:00:00.987654+05:30"},
        {"time": "1969-12-31T23:59:59.9999-00:00"},
        {"time": "2024-02-29T23:59:59.5-23:59"},
        {"time": "1000-01-01T00:00:00+23:59"},
        {"time": "9899-12-31T23:59:59-23:59"},
    ],
    ids=json.dumps,
)
def test_these_are_taken_as_the_decoder_has_them(changes: Mapping[str, Any]) -> None:
    assert taken(body(**changes)) == [True]


@pytest.mark.parametrize(
    "layout",
    [
        {"separators": (",", ":")},
        {"indent": 2},
        {"indent": "\t"},
        {"sort_keys": True},
        {"separators": (" ,\r\n", "\t: ")},
    ],
    ids=str,
)
def test_order_and_white_space_do_not_matter(layout: Mapping[str, Any]) -> None:
    rows = agree([b" \t\r\n" + json.dumps(FULL, **layout).encode() + b"\n \t\r"])
    assert rows.taken.all()
    assert text_of(rows, rows.tenant[0]) == "t"


@pytest.mark.parametrize(
    "text",
    [
        b"", b"\0", b"null", b"[]", b"{}", b"\x85", b"x" * 50,
        *(body(**{name: None}) for name in ("event_id", "time", "client_id", "model_id")),
        *(body(**{name: None}) for name in ("tenant_id", "status", "sampling_rate")),
        *(body(**{name: ""}) for name in ("event_id", "client_id", "model_id")),
        body(event_id="x" * 129), body(client_id="x" * 257), body(user_agent="x" * 1025),
        body(client_id="\u00e9"), json.dumps({**EVENT, "client_id": "\u00e9"}).encode(),
        body(client_id="a\nb"), body(client_id='a"b'), body(client_id="a\0b"),
        body(identity_source="guess"), body(identity_source="principa"), body(identity_source=""),
        body(status=99), body(status=600), body(status=200.0), body(latency_ms=-1),
        body(sampling_rate=0), body(sampling_rate=1.5), body(request_bytes=True),
        body(time=1.5), body(time=10**18), body(time=True), body(time=""), body(time="noon"),
        *(body(time=f"2026-{rest}") for rest in (
            "02-29T12:00:00Z", "00-10T12:00:00Z", "13-10T12:00:00Z", "03-00T12:00:00Z",
            "03-32T12:00:00Z", "03-01T24:00:00Z", "03-01T12:60:00Z", "03-01T12:00:60Z",
            "03-01T12:00:00", "03-01T12:00Z", "03-01T12:00:00.Z", "03-01T12:00:00.1234567Z",
            "03-01T12:00:00+24:00", "03-01T12:00:00+05:60", "03-01T12:00:00+0530",
            "03-01T12:00:00ZZ", "03-01T12:00:00,5Z", "03-01 12:00:00Z", "3-01T12:00:00Z",
        )),
        body(extra=1), body(input={}), body(input={"fields": {"a": 1}}), body(input=[]),
        body(input={"features": []}), body(input={"features": [True]}),
        body(input={"features": [[1]]}), body(input={"features": None}),
        body(input={"features": [1], "embedding": [1]}), body(input={"features": [1], "x": 1}),
        body(input={"features": [2**53 + 2]}), body(input={"features": [float("nan")]}),
        body(output={}), body(output={"label": 1.5}), body(output={"label": 2**63}),
        body(output={"label": "x" * 257}), body(output={"scores": []}),
        body(output={"scores": [None]}), body(output={"scores": ["a"]}), body(output={"scores": 1}),
        body(output={"value": "1"}), body(output={"features": [1]}), body(features=[1], label=1),
        body()[:-1] + b',"time":1772366400000}', body()[:-1] + b",}", body()[:-1] + b"}}",
        body()[:-1], body() + b"x", body() + b"\0", b"\0" + body(), body().replace(b",", b""),
        body().replace(b":", b"", 1), body().replace(b"{", b"{,"), body() + body(),
    ],
)  # fmt: skip
def test_everything_else_is_left_to_the_decoder(text: bytes) -> None:
    assert taken(body(), text, body()) == [True, False, True]


def test_a_record_does_not_run_on_into_the_next() -> None:
    whole = body(**FULL)
    for cut in range(1, len(whole)):
        assert taken(whole[:cut], whole[cut:], whole) == [False, False, True]


def test_what_exceeds_a_limit_is_left_to_the_decoder() -> None:
    wide = body(input={"features": [1, 2, 3]}, output={"scores": [1, 2, 3]})
    assert taken(wide, limits=Limits(max_fields=3, max_classes=3, **ANY_TIME)) == [True]
    assert taken(wide, limits=Limits(max_fields=2, **ANY_TIME)) == [False]
    assert taken(wide, limits=Limits(max_classes=2, **ANY_TIME)) == [False]
    assert taken(wide, limits=Limits(max_bytes=len(wide), **ANY_TIME)) == [True]
    assert taken(wide, body(), limits=Limits(max_bytes=len(wide) - 1, **ANY_TIME)) == [False, True]


def test_a_limit_of_one_class_allows_a_lone_score() -> None:
    limits = Limits(max_classes=1, max_fields=1, **ANY_TIME)
    assert taken(body(output={"scores": [0.75]}), limits=limits) == [True]


def test_records_may_be_of_any_width() -> None:
    texts = [
        body(), body(input={"features": [True]}), body(input={"features": [1, 2]}),
        body(input={"features": [1]}), body(), body(input={"features": [1, 2, 3]}),
        body(input={"features": [None, "a"]}),
    ]  # fmt: skip
    rows = agree(texts)
    assert rows.taken.tolist() == [True, False, True, True, True, True, True]
    assert np.diff(rows.starts).tolist() == [0, 0, 2, 1, 0, 3, 2]


def test_what_is_not_taken_has_no_texts() -> None:
    # Memory that held something else before.
    junk = [np.full((3, 64, 2), 2**40, dtype=np.int64) for _ in range(50)]
    del junk
    rows = agree([b"{"] * 64)
    for spans in (rows.tenant, rows.model, rows.client):
        assert not spans.any()


def test_neighbours_of_one_model_are_known_by_the_last_record_taken() -> None:
    rows = agree(
        [
            body(), body(client_id="other"), b"broken", body(tenant_id=""), body(tenant_id="t"),
            body(tenant_id="t"), body(tenant_id="u"), body(model_id="m-2"), body(model_id="m-22"),
        ]
    )  # fmt: skip
    assert rows.same_model.tolist() == [False, True, False, True, False, True] + [False] * 3


def test_no_records_make_no_rows() -> None:
    assert len(agree([]).taken) == 0


def test_how_records_are_cut_into_calls_changes_nothing() -> None:
    texts = [body(**FULL), body(client_id="c-2", input={"features": [7, 8, 9]}), *SEEDS]
    whole = read_flat(texts_of(texts, Limits()), Limits())
    for at in np.flatnonzero(whole.taken).tolist():
        alone = read_flat(texts_of(texts[at : at + 1], Limits()), Limits())
        assert alone.taken.all()
        assert text_of(alone, alone.client[0]) == text_of(whole, whole.client[at])
        assert alone.labels[0] == whole.labels[at]


@settings(deadline=None)
@given(st.datetimes(datetime(1000, 1, 2), datetime(9899, 12, 30), timezones=OFFSETS))
def test_times_as_python_writes_them_are_taken(time: datetime) -> None:
    assert taken(body(time=time.isoformat())) == [True]


@settings(deadline=None, max_examples=300)
@given(st.integers(min_value=0), st.lists(st.sampled_from(range(len(SEEDS))), min_size=1))
@example(0, [0])
def test_whatever_the_bytes_the_decoder_agrees(seed: int, picked: list[int]) -> None:
    agree([mutated(SEEDS[at], seed + number) for number, at in enumerate(picked)])
