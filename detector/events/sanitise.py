"""Rules on a record's text that hold whatever its fields mean, and the naming of parse errors.

Nothing here runs for a clean plain record: the strict decoder proves that one shallow, and valid
UTF-8 wherever it was read. These are the second look at everything else.
"""

import json
import re
from collections.abc import Iterable
from itertools import accumulate
from typing import NoReturn

import msgspec

from detector.events.model import Input, Output, PredictionEvent
from detector.events.reasons import Reason
from detector.kit.errors import DecodeError

PARSE_ERRORS = (msgspec.MsgspecError, ValueError, RecursionError)
"""Everything that msgspec raises over hostile text."""

# What a path may name: attributes of an envelope, and fields of the event.
_NAMES = frozenset(
    ("specversion", "id", "source", "type", "time", "datacontenttype", "data", "data_base64")
).union(*(struct.__struct_encode_fields__ for struct in (PredictionEvent, Input, Output)))
_DETAIL = 200  # longest detail; some sentences quote the record
_BOMS = (b"\xef\xbb\xbf", b"\xff\xfe", b"\xfe\xff")
_STRING = re.compile(rb'"[^"\\]*(?:\\.[^"\\]*)*"?', re.DOTALL)
_NOT_BRACKET = bytes(set(range(256)) - set(b"[]{}"))
_STEP = {ord("["): 1, ord("{"): 1, ord("]"): -1, ord("}"): -1}
_NUL_ESCAPE = re.compile(rb"(?<!\\)(?:\\\\)*\\u0000")
_PLACE = re.compile(r" - at (`key` in )?`\$([^`]*)`\Z")
_MISSING = re.compile(r"Object missing required field `([^`]*)`")

# msgspec names no error kinds, only sentences; the first pattern found decides.
_KINDS = (
    (re.compile("missing required field"), Reason.MISSING_FIELD),
    (re.compile("Number out of range"), Reason.NOT_FINITE),
    (re.compile("Integer value out of range"), Reason.OUT_OF_RANGE),
    (re.compile("of length >="), Reason.EMPTY_VALUE),
    (re.compile("of length <="), Reason.TOO_LONG),
    (re.compile("matching regex"), Reason.NOT_HEXADECIMAL),
    (re.compile("timezone component"), Reason.NAIVE_TIME),
    (re.compile("RFC3339|MessagePack timestamp"), Reason.INVALID_TIME),
    (re.compile("Invalid enum value"), Reason.UNKNOWN_VALUE),
    (re.compile(r"Expected `\w+` [<>]"), Reason.OUT_OF_RANGE),
)


def check_text(body: bytes, max_depth: int, root: str = "$") -> None:
    """Raise `DecodeError` for a byte order mark, text that is not UTF-8, or deep nesting."""
    if not body.strip():
        raise DecodeError(Reason.EMPTY_RECORD, root, "nothing but white space")
    if body.startswith(_BOMS):
        raise DecodeError(Reason.BYTE_ORDER_MARK, root, "starts with a byte order mark")
    if not body.isascii():
        utf8(body, root)
    if body.count(b"[") + body.count(b"{") > max_depth and depth(body) > max_depth:
        raise DecodeError(Reason.TOO_DEEP, root, f"nests deeper than {max_depth} levels")


def check_nul(body: bytes, root: str = "$") -> None:
    """Raise `DecodeError` when a string or key of the valid JSON `body` holds U+0000."""
    if b"\\u0000" in body and _NUL_ESCAPE.search(body) is not None:
        path = _nul_path(json.loads(body.decode(), parse_int=float), root) or root
        raise DecodeError(Reason.NUL_CHARACTER, path, "contains the character U+0000")


def child(path: str, key: str) -> str:
    """Return the path of an object's value; a sender's own key, of any length, is `[...]`."""
    return f"{path}.{key}" if key in _NAMES else f"{path}[...]"


def depth(body: bytes) -> int:
    """Deepest nesting of brackets outside strings, in one pass and without recursion."""
    brackets = _STRING.sub(b"", body).translate(None, _NOT_BRACKET)
    return max(accumulate(map(_STEP.__getitem__, brackets)), default=0)


def utf8(data: bytes, path: str) -> str:
    """Decode, or raise `DecodeError` naming the first bad byte."""
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        raise utf8_error(error, path) from error


def utf8_error(error: UnicodeDecodeError, path: str) -> DecodeError:
    """Name the first bad byte of a text."""
    return DecodeError(Reason.NOT_UTF8, path, f"byte {error.start} is not UTF-8")


def refusal(body: bytes, error: Exception, root: str = "$") -> DecodeError:
    """Name what msgspec found wrong with a `body` that passed `check_text`."""
    if isinstance(error, msgspec.ValidationError):
        return invalid(str(error), root)
    if not isinstance(error, msgspec.DecodeError):
        return DecodeError(Reason.MALFORMED_JSON, root, str(error))
    return DecodeError(_malformed(body), root, str(error))


def invalid(message: str, root: str) -> DecodeError:
    """Name what a `msgspec.ValidationError` complains of."""
    place = _PLACE.search(message)
    path = root + (place[2] if place else "")
    what = message[: place.start()] if place else message
    if place and place[1]:
        what += " as key"
    if missing := _MISSING.match(what):
        path = f"{path}.{missing[1]}"
    reason = next((kind for text, kind in _KINDS if text.search(what)), Reason.WRONG_TYPE)
    return DecodeError(reason, path, f"{what:.{_DETAIL}}")


class _NotFiniteError(Exception):
    """The parser met NaN or Infinity."""


def _refuse_constant(name: str) -> NoReturn:
    raise _NotFiniteError(name)


def _malformed(body: bytes) -> Reason:
    """Ask the lenient standard parser what the strict one choked on."""
    try:
        value = json.loads(body.decode(), parse_int=float, parse_constant=_refuse_constant)
    except _NotFiniteError:
        return Reason.NOT_FINITE
    except ValueError:
        return Reason.MALFORMED_JSON
    try:
        json.dumps(value, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        return Reason.LONE_SURROGATE
    return Reason.MALFORMED_JSON


def _nul_path(value: object, path: str) -> str | None:
    """First place of U+0000; recursion is bounded by `Limits.max_depth`."""
    if isinstance(value, str):
        return path if "\0" in value else None
    items: Iterable[tuple[str, object]] = ()
    if isinstance(value, dict):
        if any("\0" in key for key in value):
            return path
        items = ((child(path, key), inner) for key, inner in value.items())
    elif isinstance(value, list):
        items = ((f"{path}[{at}]", inner) for at, inner in enumerate(value))
    return next((found for at, inner in items if (found := _nul_path(inner, at))), None)
