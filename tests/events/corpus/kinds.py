"""Every kind of bad record, with the reason and the path that its dead letter must carry."""

import base64
import json
from collections.abc import Iterator
from typing import Any, NamedTuple

from detector.events.reasons import Reason

Headers = tuple[tuple[str, bytes], ...]

EVENT: dict[str, Any] = {
    "event_id": "e1",
    "time": "2026-03-01T12:00:00Z",
    "client_id": "c",
    "model_id": "m",
}
ENVELOPE: dict[str, Any] = {
    "specversion": "1.0",
    "id": "ce-1",
    "source": "/gw",
    "type": "prediction",
}
HEADERS: dict[str, str] = {
    "ce_specversion": "1.0",
    "ce_id": "ce-1",
    "ce_source": "/gw",
    "ce_type": "prediction",
    "content-type": "application/json",
}


class Kind(NamedTuple):
    """One kind of bad record."""

    name: str
    value: bytes | None
    reason: Reason
    path: str
    headers: Headers = ()
    timestamp_ms: int | None = None


def text(**changes: Any) -> bytes:
    """A plain event with changes; a value of bytes is put in as raw JSON text."""
    raw = {f"\ue000{name}": value for name, value in changes.items() if isinstance(value, bytes)}
    plain = {name: value for name, value in changes.items() if not isinstance(value, bytes)}
    body = json.dumps({**EVENT, **plain, **dict.fromkeys(raw, 0)}, ensure_ascii=False).encode()
    for name, value in raw.items():
        key = json.dumps(name, ensure_ascii=False).encode()
        body = body.replace(key + b": 0", b'"' + name[1:].encode() + b'": ' + value)
    return body


def without(source: dict[str, Any], *names: str) -> dict[str, Any]:
    """The mapping without those keys."""
    return {name: value for name, value in source.items() if name not in names}


def structured(data: Any = EVENT, drop: tuple[str, ...] = (), **changes: Any) -> bytes:
    """A structured CloudEvent."""
    return json.dumps(without({**ENVELOPE, "data": data, **changes}, *drop)).encode()


def headers(drop: tuple[str, ...] = (), **changes: str) -> Headers:
    """The headers of a binary CloudEvent."""
    named = {**HEADERS, **{name.replace("__", "-"): value for name, value in changes.items()}}
    return tuple((name, value.encode()) for name, value in without(named, *drop).items())


def texts() -> Iterator[Kind]:
    """Records that are not sound JSON text."""
    yield Kind("tombstone", None, Reason.TOMBSTONE, "$")
    yield Kind("no bytes", b"", Reason.EMPTY_RECORD, "$")
    yield Kind("white space", b" \r\n\t", Reason.EMPTY_RECORD, "$")
    yield Kind("oversized", b'"' + b"x" * (1 << 20) + b'"', Reason.TOO_LARGE, "$")
    yield Kind("oversized brackets", b"[" * (2 << 20), Reason.TOO_LARGE, "$")
    yield Kind("deep array", b"[" * 33 + b"]" * 33, Reason.TOO_DEEP, "$")
    yield Kind("very deep array", b"[" * 500_000 + b"]" * 500_000, Reason.TOO_DEEP, "$")
    yield Kind("very deep object", b'{"a":' * 100_000 + b"}" * 100_000, Reason.TOO_DEEP, "$")
    deep = b"[" * 40 + b"]" * 40
    yield Kind("deep unknown field", text(extra=deep), Reason.TOO_DEEP, "$")
    yield Kind("deep known field", text(input=deep), Reason.TOO_DEEP, "$")
    yield Kind("UTF-8 byte order mark", b"\xef\xbb\xbf" + text(), Reason.BYTE_ORDER_MARK, "$")
    utf16 = text().decode().encode("utf-16")
    yield Kind("UTF-16", utf16, Reason.BYTE_ORDER_MARK, "$")
    yield Kind("UTF-16 without mark", utf16[2:], Reason.MALFORMED_JSON, "$")
    yield Kind("Latin-1 in an id", text(client_id=b'"\xe9"'), Reason.NOT_UTF8, "$")
    yield Kind("Latin-1 in an unknown field", text(extra=b'"\xe9"'), Reason.NOT_UTF8, "$")
    yield Kind("overlong UTF-8", text(client_id=b'"\xc0\x80"'), Reason.NOT_UTF8, "$")
    yield Kind("surrogate in UTF-8", text(client_id=b'"\xed\xa0\x80"'), Reason.NOT_UTF8, "$")
    yield Kind("truncated", text()[:-1], Reason.MALFORMED_JSON, "$")
    yield Kind("truncated string", text()[:-3], Reason.MALFORMED_JSON, "$")
    yield Kind("trailing text", text() + b" x", Reason.MALFORMED_JSON, "$")
    yield Kind("two documents", text() + text(), Reason.MALFORMED_JSON, "$")
    yield Kind("trailing comma", text()[:-1] + b",}", Reason.MALFORMED_JSON, "$")
    yield Kind("single quotes", text().replace(b'"', b"'"), Reason.MALFORMED_JSON, "$")
    yield Kind("comment", b"/* x */" + text(), Reason.MALFORMED_JSON, "$")
    yield Kind("leading zero", text(status=b"0200"), Reason.MALFORMED_JSON, "$")
    yield Kind("raw control character", text(client_id=b'"a\nb"'), Reason.MALFORMED_JSON, "$")
    yield Kind("raw NUL", text(client_id=b'"a\0b"'), Reason.MALFORMED_JSON, "$")
    yield Kind("bad escape", text(client_id=rb'"\q"'), Reason.MALFORMED_JSON, "$")
    yield Kind("Avro", b"\0\0\0\0\x05\x0cclient", Reason.MALFORMED_JSON, "$")
    yield Kind("gzip", b"\x1f\x8b\x08\0\0\0\0\0", Reason.NOT_UTF8, "$")
    yield Kind("not an object", b"[1]", Reason.WRONG_TYPE, "$")
    yield Kind("null", b"null", Reason.WRONG_TYPE, "$")
    high, low = rb'"\ud800"', rb'"\udc00 tail"'
    yield Kind("high surrogate", text(client_id=high), Reason.LONE_SURROGATE, "$")
    yield Kind("low surrogate", text(client_id=low), Reason.LONE_SURROGATE, "$")
    yield Kind("surrogate in an unknown field", text(extra=high), Reason.LONE_SURROGATE, "$")
    key = rb'{"fields": {"\ud800x": 1}}'
    yield Kind("surrogate in a key", text(input=key), Reason.LONE_SURROGATE, "$")
    yield Kind("NUL in an id", text(client_id=rb'"a\u0000b"'), Reason.NUL_CHARACTER, "$.client_id")
    nul = rb'{"features": [1, "\\\u0000"]}'
    yield Kind("NUL in a feature", text(input=nul), Reason.NUL_CHARACTER, "$.input.features[1]")
    nul = rb'{"fields": {"\u0000": 1}}'
    yield Kind("NUL in a key", text(input=nul), Reason.NUL_CHARACTER, "$.input.fields")
    yield Kind("NUL, unknown field", text(extra=rb'"\u0000"'), Reason.NUL_CHARACTER, "$[...]")
    for constant in (b"NaN", b"Infinity", b"-Infinity"):
        scores = b'{"scores": [' + constant + b"]}"
        yield Kind(f"{constant.decode()} score", text(output=scores), Reason.NOT_FINITE, "$")


def fields() -> Iterator[Kind]:
    """Events whose fields break a rule."""
    for name in EVENT:
        missing = json.dumps(without(EVENT, name)).encode()
        yield Kind(f"no {name}", missing, Reason.MISSING_FIELD, f"$.{name}")
        yield Kind(f"null {name}", text(**{name: None}), Reason.WRONG_TYPE, f"$.{name}")
        yield Kind(f"boolean {name}", text(**{name: True}), Reason.WRONG_TYPE, f"$.{name}")
    for name, longest in (("event_id", 128), ("client_id", 256), ("model_id", 256)):
        yield Kind(f"empty {name}", text(**{name: ""}), Reason.EMPTY_VALUE, f"$.{name}")
        yield Kind(f"number {name}", text(**{name: 7}), Reason.WRONG_TYPE, f"$.{name}")
        long = "x" * (longest + 1)
        yield Kind(f"long {name}", text(**{name: long}), Reason.TOO_LONG, f"$.{name}")
    for name in ("model_version", "tenant_id", "session_id", "source_ip"):
        yield Kind(f"long {name}", text(**{name: "x" * 257}), Reason.TOO_LONG, f"$.{name}")
        yield Kind(f"number {name}", text(**{name: 7}), Reason.WRONG_TYPE, f"$.{name}")
    yield Kind("long agent", text(user_agent="x" * 1025), Reason.TOO_LONG, "$.user_agent")
    source = "$.identity_source"
    yield Kind("odd identity", text(identity_source="guess"), Reason.UNKNOWN_VALUE, source)
    yield Kind("number identity", text(identity_source=1), Reason.WRONG_TYPE, source)
    yield from times()
    yield from numbers()


def times() -> Iterator[Kind]:
    """Times that are none."""
    for name, time, reason in (
        ("naive", "2026-03-01T12:00:00", Reason.NAIVE_TIME),
        ("word", "yesterday", Reason.INVALID_TIME),
        ("empty", "", Reason.INVALID_TIME),
        ("date only", "2026-03-01", Reason.INVALID_TIME),
        ("month 13", "2026-13-01T00:00:00Z", Reason.INVALID_TIME),
        ("29 February of a common year", "2026-02-29T00:00:00Z", Reason.INVALID_TIME),
        ("five-digit year", "12026-03-01T00:00:00Z", Reason.INVALID_TIME),
        ("digits in a string", "1772366400000", Reason.INVALID_TIME),
        ("year 1999", "1999-12-31T23:59:59Z", Reason.TIME_OUT_OF_RANGE),
        ("year 2100", "2100-01-01T00:00:00Z", Reason.TIME_OUT_OF_RANGE),
        ("year 1 east of UTC", "0001-01-01T00:00:00+14:00", Reason.TIME_OUT_OF_RANGE),
        ("year 9999 west of UTC", "9999-12-31T23:59:59-12:00", Reason.TIME_OUT_OF_RANGE),
        ("seconds", 1_772_366_400, Reason.TIME_OUT_OF_RANGE),
        ("microseconds", 1_772_366_400_000_000, Reason.TIME_OUT_OF_RANGE),
        ("negative", -1, Reason.TIME_OUT_OF_RANGE),
        ("beyond 64 bits", 2**64, Reason.TIME_OUT_OF_RANGE),
        ("float seconds", 1_772_366_400.5, Reason.WRONG_TYPE),
        ("list", [2026], Reason.WRONG_TYPE),
    ):
        yield Kind(f"time: {name}", text(time=time), reason, "$.time")
    forged, before = text(time="2099-01-01T00:00:00Z"), 1_772_366_400_000
    yield Kind("time: 2099", forged, Reason.TIME_IN_FUTURE, "$.time", (), before)
    digits = b"9" * 5000
    yield Kind("time: 5,000 digits", text(time=digits), Reason.OUT_OF_RANGE, "$.time")


def numbers() -> Iterator[Kind]:
    """Numbers, inputs and outputs that break a rule."""
    for name, value, reason in (
        ("status", 99, Reason.OUT_OF_RANGE),
        ("status", 600, Reason.OUT_OF_RANGE),
        ("status", "200", Reason.WRONG_TYPE),
        ("status", 200.5, Reason.WRONG_TYPE),
        ("status", True, Reason.WRONG_TYPE),
        ("sampling_rate", 0, Reason.OUT_OF_RANGE),
        ("sampling_rate", 1.01, Reason.OUT_OF_RANGE),
        ("sampling_rate", -0.5, Reason.OUT_OF_RANGE),
        ("sampling_rate", None, Reason.WRONG_TYPE),
        ("latency_ms", -1, Reason.OUT_OF_RANGE),
        ("latency_ms", "3", Reason.WRONG_TYPE),
        ("latency_ms", b"1e999", Reason.NOT_FINITE),
        ("latency_ms", b"-1e999", Reason.NOT_FINITE),
        ("request_bytes", False, Reason.WRONG_TYPE),
        ("request_bytes", b"9" * 4000, Reason.NOT_FINITE),
        ("input", [1, 2], Reason.WRONG_TYPE),
        ("output", "yes", Reason.WRONG_TYPE),
    ):
        label = value[:8] if isinstance(value, bytes) else value
        yield Kind(f"{name} {label!r}", text(**{name: value}), reason, f"$.{name}")
    for name, given, reason, path in INPUTS:
        yield Kind(f"input: {name}", text(input=given), reason, f"$.input{path}")
    for name, given, reason, path in OUTPUTS:
        yield Kind(f"output: {name}", text(output=given), reason, f"$.output{path}")


Rule = tuple[str, Any, Reason, str]

INPUTS: tuple[Rule, ...] = (
    ("no features", {"features": []}, Reason.EMPTY_VALUE, ".features"),
    ("no fields", {"fields": {}}, Reason.EMPTY_VALUE, ".fields"),
    ("no embedding", {"embedding": []}, Reason.EMPTY_VALUE, ".embedding"),
    ("no fingerprints", {"fingerprint": []}, Reason.EMPTY_VALUE, ".fingerprint"),
    ("empty fingerprint", {"fingerprint": ""}, Reason.EMPTY_VALUE, ".fingerprint"),
    ("two forms", {"features": [1], "embedding": [1]}, Reason.AMBIGUOUS_INPUT, ""),
    ("two other forms", {"fields": {"a": 1}, "fingerprint": "ab"}, Reason.AMBIGUOUS_INPUT, ""),
    ("boolean feature", {"features": [1, True]}, Reason.WRONG_TYPE, ".features[1]"),
    ("nested feature", {"features": [[1]]}, Reason.WRONG_TYPE, ".features[0]"),
    ("scalar features", {"features": 3}, Reason.WRONG_TYPE, ".features"),
    ("infinite feature", b'{"features": [1, 2, 1e999]}', Reason.NOT_FINITE, ".features[2]"),
    (
        "feature of 4,000 digits",
        b'{"features": [' + b"7" * 4000 + b"]}",
        Reason.NOT_FINITE,
        ".features[0]",
    ),
    ("nested field", {"fields": {"a": [1]}}, Reason.WRONG_TYPE, ".fields[...]"),
    ("list as fields", {"fields": [1]}, Reason.WRONG_TYPE, ".fields"),
    ("empty field name", {"fields": {"": 1}}, Reason.EMPTY_VALUE, ".fields"),
    ("long field name", {"fields": {"x" * 257: 1}}, Reason.TOO_LONG, ".fields"),
    ("text in embedding", {"embedding": [1, "2"]}, Reason.WRONG_TYPE, ".embedding[1]"),
    ("null in embedding", {"embedding": [None]}, Reason.WRONG_TYPE, ".embedding[0]"),
    ("no hexadecimal", {"fingerprint": "xyz"}, Reason.NOT_HEXADECIMAL, ".fingerprint"),
    ("newline after it", {"fingerprint": "ab\n"}, Reason.NOT_HEXADECIMAL, ".fingerprint"),
    ("one of two", {"fingerprint": ["ab", "q"]}, Reason.NOT_HEXADECIMAL, ".fingerprint[1]"),
    ("long fingerprint", {"fingerprint": "a" * 129}, Reason.TOO_LONG, ".fingerprint"),
    ("many features", {"features": [0] * 4097}, Reason.TOO_MANY_FIELDS, ".features"),
    (
        "many fields",
        {"fields": {str(at): 0 for at in range(4097)}},
        Reason.TOO_MANY_FIELDS,
        ".fields",
    ),
    ("long embedding", {"embedding": [0] * 4097}, Reason.TOO_MANY_FIELDS, ".embedding"),
    ("many fingerprints", {"fingerprint": ["a"] * 4097}, Reason.TOO_MANY_FIELDS, ".fingerprint"),
)

OUTPUTS: tuple[Rule, ...] = (
    ("float label", {"label": 1.5}, Reason.WRONG_TYPE, ".label"),
    ("boolean label", {"label": True}, Reason.WRONG_TYPE, ".label"),
    ("long label", {"label": "x" * 257}, Reason.TOO_LONG, ".label"),
    ("label beyond 64 bits", {"label": 2**63}, Reason.OUT_OF_RANGE, ".label"),
    ("label below 64 bits", {"label": -(2**63) - 1}, Reason.OUT_OF_RANGE, ".label"),
    ("label of 4,000 digits", b'{"label": ' + b"1" * 4000 + b"}", Reason.OUT_OF_RANGE, ".label"),
    ("label of 9,000 digits", b'{"label": ' + b"1" * 9000 + b"}", Reason.OUT_OF_RANGE, ".label"),
    ("no scores", {"scores": []}, Reason.EMPTY_VALUE, ".scores"),
    ("no named scores", {"scores": {}}, Reason.EMPTY_VALUE, ".scores"),
    ("text score", {"scores": [1, 0, 0, "1"]}, Reason.WRONG_TYPE, ".scores[3]"),
    ("boolean score", {"scores": [True]}, Reason.WRONG_TYPE, ".scores[0]"),
    ("null score", {"scores": {"a": None}}, Reason.WRONG_TYPE, ".scores[...]"),
    ("infinite score", b'{"scores": [0, 1e400]}', Reason.NOT_FINITE, ".scores[1]"),
    ("long class name", {"scores": {"x" * 257: 1}}, Reason.TOO_LONG, ".scores"),
    ("many scores", {"scores": [0] * 4097}, Reason.TOO_MANY_CLASSES, ".scores"),
    (
        "many named scores",
        {"scores": {str(at): 0 for at in range(4097)}},
        Reason.TOO_MANY_CLASSES,
        ".scores",
    ),
    ("text value", {"value": "3"}, Reason.WRONG_TYPE, ".value"),
    ("infinite value", b'{"value": -1e999}', Reason.NOT_FINITE, ".value"),
)


def structured_envelopes() -> Iterator[Kind]:
    """Structured CloudEvents that break a rule."""
    attribute = Reason.MISSING_ATTRIBUTE
    for name in ("id", "source", "type"):
        yield Kind(f"structured: no {name}", structured(drop=(name,)), attribute, f"$.{name}")
        null = structured(EVENT, (), **{name: None})
        yield Kind(f"structured: null {name}", null, attribute, f"$.{name}")
        empty = structured(EVENT, (), **{name: ""})
        yield Kind(f"structured: empty {name}", empty, Reason.EMPTY_VALUE, f"$.{name}")
    structured_type = (("content-type", b"application/cloudevents+json; charset=UTF-8"),)
    yield Kind("structured: no version", text(), attribute, "$.specversion", structured_type)
    version = Reason.UNSUPPORTED_SPECVERSION
    yield Kind("structured: 0.3", structured(specversion="0.3"), version, "$.specversion")
    number = structured(specversion=1.0)
    yield Kind("structured: version number", number, Reason.WRONG_TYPE, "$.specversion")
    avro = structured(datacontenttype="application/avro")
    yield Kind("structured: Avro", avro, Reason.UNSUPPORTED_CONTENT_TYPE, "$.datacontenttype")
    yield Kind("structured: no data", structured(drop=("data",)), Reason.MISSING_DATA, "$.data")
    yield Kind("structured: null data", structured(None), Reason.MISSING_DATA, "$.data")
    both = structured(data_base64="e30=")
    yield Kind("structured: both data", both, Reason.AMBIGUOUS_DATA, "$")
    for name, encoded in (("characters", "***"), ("padding", "e30"), ("letters", "é")):
        body = structured(drop=("data",), data_base64=encoded)
        yield Kind(f"base64: {name}", body, Reason.INVALID_BASE64, "$.data_base64")
    yield Kind("structured: text data", structured("{}"), Reason.WRONG_TYPE, "$.data")
    yield Kind("structured: list data", structured([EVENT]), Reason.WRONG_TYPE, "$.data")
    no_client = structured(without(EVENT, "client_id"))
    yield Kind("structured: no client", no_client, Reason.MISSING_FIELD, "$.data.client_id")
    no_time = structured(without(EVENT, "time"))
    yield Kind("structured: no time at all", no_time, Reason.MISSING_FIELD, "$.data.time")
    naive = structured(without(EVENT, "time"), time="2026-03-01T12:00:00")
    yield Kind("structured: naive time", naive, Reason.NAIVE_TIME, "$.data.time")
    score = structured({**EVENT, "output": {"scores": [1, "x"]}})
    yield Kind("structured: score", score, Reason.WRONG_TYPE, "$.data.output.scores[1]")
    deep = structured({**EVENT, "extra": json.loads("[" * 33 + "]" * 33)})
    yield Kind("structured: deep", deep, Reason.TOO_DEEP, "$")
    nul = structured({**EVENT, "client_id": "\0"})
    yield Kind("structured: NUL", nul, Reason.NUL_CHARACTER, "$.data.client_id")
    forged, before = structured({**EVENT, "time": 4_070_908_800_000}), 1_772_366_400_000
    path = "$.data.time"
    yield Kind("structured: 2099", forged, Reason.TIME_IN_FUTURE, path, (), before)
    yield Kind("structured: truncated", structured()[:-1], Reason.MALFORMED_JSON, "$")
    for name, inner, reason, path in (
        ("garbage", b"garbage", Reason.MALFORMED_JSON, ""),
        ("nothing", b"", Reason.EMPTY_RECORD, ""),
        ("Latin-1", text(client_id=b'"\xe9"'), Reason.NOT_UTF8, ""),
        ("deep", b"[" * 33 + b"]" * 33, Reason.TOO_DEEP, ""),
        ("status", text(status=1), Reason.OUT_OF_RANGE, ".status"),
        ("NUL", text(client_id=rb'"\u0000"'), Reason.NUL_CHARACTER, ".client_id"),
    ):
        body = structured(drop=("data",), data_base64=base64.b64encode(inner).decode())
        yield Kind(f"base64 of {name}", body, reason, f"$.data_base64{path}")
    empty = structured({})
    yield Kind("structured: empty event", empty, Reason.MISSING_FIELD, "$.data.time")


def binary_envelopes() -> Iterator[Kind]:
    """Binary CloudEvents that break a rule."""
    for name in ("ce_id", "ce_source", "ce_type"):
        path = f"header:{name}"
        dropped = headers(drop=(name,))
        yield Kind(f"binary: no {name}", text(), Reason.MISSING_ATTRIBUTE, path, dropped)
        empty = headers((), **{name: ""})
        yield Kind(f"binary: empty {name}", text(), Reason.MISSING_ATTRIBUTE, path, empty)
    version, path = Reason.UNSUPPORTED_SPECVERSION, "header:ce_specversion"
    yield Kind("binary: 0.3", text(), version, path, headers(ce_specversion="0.3"))
    latin = (*headers(drop=("ce_id",)), ("ce_id", b"\xe9"))
    yield Kind("binary: Latin-1", text(), Reason.NOT_UTF8, "header:ce_id", latin)
    nul = headers(ce_id="a\0")
    yield Kind("binary: NUL", text(), Reason.NUL_CHARACTER, "header:ce_id", nul)
    for media in ("application/avro", "application/cloudevents-batch+json", "text/plain"):
        kind = headers(content__type=media)
        reason = Reason.UNSUPPORTED_CONTENT_TYPE
        yield Kind(f"binary: {media}", text(), reason, "header:content-type", kind)
    yield Kind("binary: tombstone", None, Reason.TOMBSTONE, "$", headers())
    yield Kind("binary: nothing", b"", Reason.EMPTY_RECORD, "$", headers())
    yield Kind("binary: malformed", text()[:-1], Reason.MALFORMED_JSON, "$", headers())
    yield Kind("binary: status", text(status=1), Reason.OUT_OF_RANGE, "$.status", headers())
    long = json.dumps(without(EVENT, "event_id")).encode()
    wide = headers(ce_id="x" * 129)
    yield Kind("binary: long id as default", long, Reason.TOO_LONG, "$.event_id", wide)
    word = headers(ce_time="noon")
    no_time = json.dumps(without(EVENT, "time")).encode()
    yield Kind("binary: time", no_time, Reason.INVALID_TIME, "$.time", word)


KINDS = (*texts(), *fields(), *structured_envelopes(), *binary_envelopes())
