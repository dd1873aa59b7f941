"""CloudEvents 1.0 envelopes: JSON structured mode, and the binary mode of the Kafka binding.

Follows the CloudEvents specification 1.0.2, its JSON event format and its Kafka protocol binding.
"""

import base64
from collections.abc import Sequence
from typing import Annotated, NamedTuple

import msgspec

from detector.events import packed
from detector.events.reasons import Reason
from detector.events.sanitise import PARSE_ERRORS, check_nul, check_text, refusal, utf8
from detector.kit.errors import DecodeError

_PREFIX = "ce_"
_CONTENT_TYPE = "content-type"
_STRUCTURED = "application/cloudevents+json"

Attribute = Annotated[str, msgspec.Meta(min_length=1)]


class CloudEvent(NamedTuple):
    """What an envelope says about the prediction event within.

    Attributes:
        data: The prediction event's JSON text, or MessagePack.
        root: JSON path of `data` in the record.
        event_id: The CloudEvent's id, which stands in for a missing `event_id`.
        time: The CloudEvent's time, which stands in for a missing `time`.
        packed: Whether `data` is MessagePack.
    """

    data: bytes
    root: str
    event_id: str
    time: str | None
    packed: bool = False

    def completed(self) -> bytes:
        """Return `data`, an object, with the envelope's id and time as defaults.

        In JSON they are put first, and the last of two equal keys is the one that counts.
        """
        defaults = {"event_id": self.event_id, "time": self.time}
        present = {name: value for name, value in defaults.items() if value is not None}
        if self.packed:
            return packed.completed(self.data, present)
        rest = self.data.lstrip()[1:].lstrip()
        comma = b"" if rest.startswith(b"}") else b","
        return msgspec.json.encode(present)[:-1] + comma + rest


class _Envelope(msgspec.Struct, gc=False):
    specversion: str | None = None
    id: Attribute | None = None
    source: Attribute | None = None
    type: Attribute | None = None
    time: str | None = None
    datacontenttype: str | None = None
    data: msgspec.Raw = msgspec.Raw()
    data_base64: str | None = None


_decode_envelope = msgspec.json.Decoder(_Envelope).decode


def announces(headers: Sequence[tuple[str, bytes]]) -> bool:
    """Return whether any header may matter to `from_headers`."""
    return any(name.lower().startswith((_PREFIX, "con")) for name, _ in headers)


def from_headers(
    headers: Sequence[tuple[str, bytes]], body: bytes, max_depth: int
) -> CloudEvent | None:
    """Return the CloudEvent that the headers announce, or None when they announce none.

    Raises `DecodeError`; paths of headers read `header:ce_id`.
    """
    known = {
        name.lower(): value for name, value in headers if name.lower().startswith((_PREFIX, "con"))
    }
    content_type = _media_type(_header(known, _CONTENT_TYPE))
    if content_type == _STRUCTURED:
        return structured(body, max_depth, certain=True)
    if content_type is not None and content_type.startswith("application/cloudevents"):
        raise _unsupported(f"header:{_CONTENT_TYPE}", content_type)
    if f"{_PREFIX}specversion" not in known:
        return None
    return _binary(known, body, content_type)


def structured(body: bytes, max_depth: int, *, certain: bool = False) -> CloudEvent | None:
    """Return the CloudEvent that `body` is, or None when it has no `specversion` at the top.

    With `certain`, a missing `specversion` is an error too. Raises `DecodeError`.
    """
    check_text(body, max_depth)
    try:
        envelope = _decode_envelope(body)
    except PARSE_ERRORS as error:
        raise refusal(body, error) from error
    if envelope.specversion is None and not certain:
        return None
    check_nul(body)
    _require(envelope, "$.")
    _require_json(_media_type(envelope.datacontenttype), "$.datacontenttype")
    data, root = _data(envelope)
    return CloudEvent(data, root, str(envelope.id), envelope.time)


def _binary(headers: dict[str, bytes], body: bytes, content_type: str | None) -> CloudEvent:
    envelope = _Envelope(
        specversion=_header(headers, "ce_specversion"),
        id=_header(headers, "ce_id"),
        source=_header(headers, "ce_source"),
        type=_header(headers, "ce_type"),
        time=_header(headers, "ce_time"),
    )
    _require(envelope, f"header:{_PREFIX}")
    is_packed = content_type in packed.MEDIA_TYPES
    if not is_packed:
        _require_json(content_type, f"header:{_CONTENT_TYPE}")
        is_packed = content_type is None and packed.is_packed(body)
    return CloudEvent(body, "$", str(envelope.id), envelope.time, is_packed)


def _header(headers: dict[str, bytes], name: str) -> str | None:
    value = headers.get(name)
    if value is None:
        return None
    text = utf8(value, f"header:{name}")
    if "\0" in text:
        raise DecodeError(Reason.NUL_CHARACTER, f"header:{name}", "contains the character U+0000")
    return text


def _require(envelope: _Envelope, prefix: str) -> None:
    for name in ("specversion", "id", "source", "type"):
        if not getattr(envelope, name):
            detail = f"a CloudEvent needs the attribute `{name}`"
            raise DecodeError(Reason.MISSING_ATTRIBUTE, prefix + name, detail)
    if envelope.specversion != "1.0":
        detail = f"CloudEvents {envelope.specversion!r:.40} is not read, only 1.0"
        raise DecodeError(Reason.UNSUPPORTED_SPECVERSION, f"{prefix}specversion", detail)


def _media_type(value: str | None) -> str | None:
    return None if value is None else value.partition(";")[0].strip().lower()


def _require_json(media_type: str | None, path: str) -> None:
    if media_type is None or media_type.endswith(("/json", "+json")):
        return
    raise _unsupported(path, media_type)


def _unsupported(path: str, media_type: str) -> DecodeError:
    return DecodeError(Reason.UNSUPPORTED_CONTENT_TYPE, path, f"cannot read {media_type!r:.80}")


def _data(envelope: _Envelope) -> tuple[bytes, str]:
    data, encoded = bytes(envelope.data), envelope.data_base64
    has_data = data not in (b"", b"null")
    if has_data and encoded is not None:
        raise DecodeError(Reason.AMBIGUOUS_DATA, "$", "has both `data` and `data_base64`")
    if has_data:
        return data, "$.data"
    if encoded is None:
        raise DecodeError(Reason.MISSING_DATA, "$.data", "the CloudEvent carries no data")
    try:
        return base64.b64decode(encoded, validate=True), "$.data_base64"
    except ValueError as error:
        raise DecodeError(Reason.INVALID_BASE64, "$.data_base64", str(error)) from error
