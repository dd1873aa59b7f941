"""Prediction events in MessagePack: the same fields as in JSON, rows of float32 as they are.

`input.features`, `input.embedding` and `output.scores` may be a `bin` of little-endian float32.
Inputs stay 4 bytes a value, as `array("f")`, until they become cells.
"""

import sys
from array import array
from collections.abc import Iterable, Sequence
from math import isfinite
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from detector.events import scan
from detector.events.model import Id, Input, Output, PredictionEvent
from detector.events.reasons import Reason
from detector.events.sanitise import PARSE_ERRORS, child, invalid, utf8_error
from detector.events.unknown import UnknownFields
from detector.kit.errors import DecodeError

FIRST_BYTES = frozenset((*range(0x80, 0x90), 0xDE, 0xDF))
"""How a MessagePack map begins; JSON text never does."""

MEDIA_TYPES = ("application/msgpack", "application/x-msgpack", "application/vnd.msgpack")

FLOAT_BYTES = 4
_BIG_ENDIAN = sys.byteorder == "big"

_set = msgspec.structs.force_setattr
_Bytes = Annotated[bytes, Meta(min_length=1)]


class _Input(Input, frozen=True, gc=False, forbid_unknown_fields=True):
    features: Annotated[Sequence[float | str | None], Meta(min_length=1)] | _Bytes | None = None
    embedding: Annotated[Sequence[float], Meta(min_length=1)] | _Bytes | None = None


class _Output(Output, frozen=True, gc=False, forbid_unknown_fields=True):
    scores: (
        Annotated[list[float], Meta(min_length=1)]
        | Annotated[dict[Id, float], Meta(min_length=1)]
        | _Bytes
        | None
    ) = None  # type: ignore[assignment]  # bytes until `_unpack`


class _Event(PredictionEvent, frozen=True, gc=False, kw_only=True, forbid_unknown_fields=True):
    input: _Input | None = None
    output: _Output | None = None


_parse = msgspec.msgpack.Decoder(_Event).decode
_fields = msgspec.msgpack.Decoder(dict[str, msgspec.Raw]).decode


def is_packed(body: bytes) -> bool:
    """Whether a plain record's body is MessagePack rather than JSON."""
    return bool(body) and body[0] in FIRST_BYTES


def parse_clean(body: bytes) -> PredictionEvent:
    """Return the event of a body that `scan` calls clean; raises `PARSE_ERRORS`, `DecodeError`."""
    event = _parse(body)
    _unpack(event, "$")
    return event


def parse_carefully(
    body: bytes, max_depth: int, unknown: UnknownFields, root: str
) -> PredictionEvent:
    """Return the event of any body, counting unknown fields; raises `DecodeError`."""
    if not body:
        raise DecodeError(Reason.EMPTY_RECORD, root, "no bytes")
    _check_form(scan.scan([body], max_depth)[0], max_depth, root)
    try:
        event = _known_fields(body, unknown)
        # Keys are texts by now, so that no crafted ones make building this slow.
        whole = msgspec.msgpack.decode(body)
    except PARSE_ERRORS as error:
        raise _refusal(error, root) from error
    _check_values(whole, root)
    _unpack(event, root)
    _check_rows(event, root)
    return event


def completed(body: bytes, defaults: dict[str, str]) -> bytes:
    """Return a map, known to be one, with defaults for fields that it lacks."""
    return msgspec.msgpack.encode({**defaults, **_fields(body)})


def _known_fields(body: bytes, unknown: UnknownFields) -> _Event:
    try:
        return _parse(body)
    except msgspec.ValidationError as error:
        if "unknown field" not in str(error):
            raise
    return _parse(unknown.strip_packed(body))


def _check_form(code: int, max_depth: int, root: str) -> None:
    if code == scan.MALFORMED:
        raise DecodeError(Reason.MALFORMED_MSGPACK, root, "not one MessagePack value")
    if code == scan.TOO_DEEP:
        raise DecodeError(Reason.TOO_DEEP, root, f"nests deeper than {max_depth} levels")
    if code == scan.ODD_KEY:
        raise DecodeError(Reason.WRONG_TYPE, root, "a map has a key that is no string")


def _refusal(error: Exception, root: str) -> DecodeError:
    if isinstance(error, msgspec.ValidationError):
        return invalid(str(error), root)
    if isinstance(error, UnicodeDecodeError):
        return utf8_error(error, root)
    return DecodeError(Reason.MALFORMED_MSGPACK, root, str(error))


def _check_values(value: object, path: str) -> None:
    """Refuse U+0000 and numbers that are not finite; recursion is bounded by the scan."""
    if isinstance(value, str) and "\0" in value:
        raise DecodeError(Reason.NUL_CHARACTER, path, "contains the character U+0000")
    if isinstance(value, float) and not isfinite(value):
        raise DecodeError(Reason.NOT_FINITE, path, f"{value} is no number")
    inner: Iterable[tuple[str, object]] = ()
    if isinstance(value, dict):
        if any("\0" in key for key in value):
            raise DecodeError(Reason.NUL_CHARACTER, path, "a key contains the character U+0000")
        inner = ((child(path, key), item) for key, item in value.items())
    elif isinstance(value, list):
        inner = ((f"{path}[{at}]", item) for at, item in enumerate(value))
    for place, item in inner:
        _check_values(item, place)


def _unpack(event: PredictionEvent, root: str) -> None:
    """Turn bytes into floats: rows of an input into an array, scores into a list."""
    given: Any = event.input
    if given is not None:
        row = given.features
        if row.__class__ is bytes:
            _set(given, "features", _floats(row, root, "input.features"))
        row = given.embedding
        if row.__class__ is bytes:
            _set(given, "embedding", _floats(row, root, "input.embedding"))
    answer: Any = event.output
    if answer is not None:
        row = answer.scores
        if row.__class__ is bytes:
            _set(answer, "scores", _floats(row, root, "output.scores").tolist())


def _floats(raw: bytes, root: str, name: str) -> "array[float]":
    if len(raw) % FLOAT_BYTES:
        detail = f"{len(raw)} bytes are no whole number of float32"
        raise DecodeError(Reason.WRONG_TYPE, f"{root}.{name}", detail)
    values = array("f", raw)
    if _BIG_ENDIAN:
        values.byteswap()
    return values


def _check_rows(event: PredictionEvent, root: str) -> None:
    """Refuse a float32 that is not finite, naming its place."""
    given, answer = event.input or Input(), event.output or Output()
    rows: tuple[tuple[str, object], ...] = (
        ("input.features", given.features), ("input.embedding", given.embedding),
        ("output.scores", answer.scores),
    )  # fmt: skip
    for name, row in rows:
        if isinstance(row, Sequence):
            _check_values(list(row), f"{root}.{name}")
