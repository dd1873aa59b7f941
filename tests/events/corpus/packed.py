"""Every kind of bad MessagePack record, with the reason and the path of its dead letter."""

import struct
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import msgspec
import numpy as np

from detector.events.reasons import Reason
from tests.events.corpus.kinds import EVENT, Kind, headers, text, without

encode = msgspec.msgpack.encode
MEDIA = "application/msgpack"


def packed(**changes: Any) -> bytes:
    """A plain event with changes, as MessagePack."""
    return encode({**EVENT, **changes})


def float32(*values: float) -> bytes:
    """Little-endian float32."""
    return np.array(values, dtype="<f4").tobytes()


def deep(levels: int) -> Any:
    """Lists within lists."""
    return [deep(levels - 1)] if levels > 1 else []


def forms() -> Iterator[Kind]:
    """Bodies that are not sound MessagePack."""
    malformed = Reason.MALFORMED_MSGPACK
    yield Kind("packed: truncated", packed()[:-1], malformed, "$")
    yield Kind("packed: trailing", packed() + b"\0", malformed, "$")
    yield Kind("packed: two", packed() * 2, malformed, "$")
    yield Kind("packed: never used byte", b"\x81\xa1x\xc1", malformed, "$")
    yield Kind("packed: endless list", b"\x81\xa1x\xdd\xff\xff\xff\xff", malformed, "$")
    yield Kind("packed: endless map", b"\xdf\xff\xff\xff\xff", malformed, "$")
    yield Kind("packed: endless text", b"\x81\xdb\xff\xff\xff\xff", malformed, "$")
    yield Kind("packed: deep", packed(extra=deep(32)), Reason.TOO_DEEP, "$")
    yield Kind("packed: very deep", b"\x81\xa1x" + b"\x91" * 500_000, Reason.TOO_DEEP, "$")
    yield Kind("packed: oversized", packed(extra=b"x" * (1 << 20)), Reason.TOO_LARGE, "$")
    yield Kind("packed: integer key", encode({**EVENT, 1: 1}), Reason.WRONG_TYPE, "$")
    inner = packed(extra={1: 1})
    yield Kind("packed: integer key, unknown field", inner, Reason.WRONG_TYPE, "$")
    latin = packed().replace(b"\xa1c", b"\xa1\xe9")
    yield Kind("packed: Latin-1", latin, Reason.NOT_UTF8, "$")
    unknown = packed(extra="c" * 3).replace(b"\xa3ccc", b"\xa3cc\xe9")
    yield Kind("packed: Latin-1 in an unknown field", unknown, Reason.NOT_UTF8, "$")
    nul = packed(client_id="a\0")
    yield Kind("packed: NUL", nul, Reason.NUL_CHARACTER, "$.client_id")
    nul = packed(extra=[1, "\0"])
    yield Kind("packed: NUL, unknown field", nul, Reason.NUL_CHARACTER, "$[...][1]")
    nul = packed(input={"fields": {"\0": 1}})
    yield Kind("packed: NUL in a key", nul, Reason.NUL_CHARACTER, "$.input.fields")


def fields() -> Iterator[Kind]:
    """Events whose fields break a rule."""
    for name in EVENT:
        missing = encode(without(EVENT, name))
        yield Kind(f"packed: no {name}", missing, Reason.MISSING_FIELD, f"$.{name}")
    yield Kind("packed: status", packed(status=99), Reason.OUT_OF_RANGE, "$.status")
    yield Kind("packed: bytes as id", packed(client_id=b"c"), Reason.WRONG_TYPE, "$.client_id")
    stamp = packed(time=msgspec.msgpack.Ext(-1, b"\xff" * 12))
    yield Kind("packed: timestamp", stamp, Reason.INVALID_TIME, "$.time")
    old = packed(time=datetime(1999, 1, 1, tzinfo=UTC))
    yield Kind("packed: year 1999", old, Reason.TIME_OUT_OF_RANGE, "$.time")
    late, path = packed(), "$.time"
    yield Kind("packed: future", late, Reason.TIME_IN_FUTURE, path, (), 1_700_000_000_000)
    for name in ("latency_ms", "request_bytes"):
        infinite = packed(**{name: float("inf")})
        yield Kind(f"packed: infinite {name}", infinite, Reason.NOT_FINITE, f"$.{name}")
    single = packed(extra=1.5).replace(encode(1.5), b"\xca" + struct.pack(">f", float("nan")))
    yield Kind("packed: NaN, unknown field", single, Reason.NOT_FINITE, "$[...]")
    for name in ("features", "embedding"):
        yield from rows("input", name, 4096, Reason.TOO_MANY_FIELDS)
    yield from rows("output", "scores", 4096, Reason.TOO_MANY_CLASSES)
    two = packed(input={"features": float32(1), "embedding": [1.0]})
    yield Kind("packed: two forms", two, Reason.AMBIGUOUS_INPUT, "$.input")


def rows(part: str, name: str, most: int, too_many: Reason) -> Iterator[Kind]:
    """Rows of float32 that break a rule."""
    path, nan = f"$.{part}.{name}", float("nan")
    for what, row, reason, place in (
        ("odd bytes", b"12345", Reason.WRONG_TYPE, path),
        ("no bytes", b"", Reason.EMPTY_VALUE, path),
        ("NaN", float32(0.5, nan), Reason.NOT_FINITE, f"{path}[1]"),
        ("infinite", float32(1, 2, -np.inf), Reason.NOT_FINITE, f"{path}[2]"),
        ("NaN in a list", [0.5, nan], Reason.NOT_FINITE, f"{path}[1]"),
        ("boolean", [True], Reason.WRONG_TYPE, f"{path}[0]"),
        ("too many", float32(*[0.0] * (most + 1)), too_many, path),
        ("too many in a list", [0] * (most + 1), too_many, path),
    ):
        yield Kind(f"packed: {name}: {what}", packed(**{part: {name: row}}), reason, place)


def envelopes() -> Iterator[Kind]:
    """Binary CloudEvents with MessagePack that break a rule."""
    announced = headers(content__type=MEDIA)
    malformed = Reason.MALFORMED_MSGPACK
    yield Kind("packed binary: JSON", text(), malformed, "$", announced)
    yield Kind("packed binary: nothing", b"", Reason.EMPTY_RECORD, "$", announced)
    yield Kind("packed binary: list", encode([1]), Reason.WRONG_TYPE, "$", announced)
    yield Kind("packed binary: JSON announced", packed(), Reason.NOT_UTF8, "$", headers())
    anonymous = encode(without(EVENT, "client_id"))
    yield Kind("packed binary: id", anonymous, Reason.MISSING_FIELD, "$.client_id", announced)


PACKED_KINDS = (*forms(), *fields(), *envelopes())
