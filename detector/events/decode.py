"""From log records to prediction events, or to dead letters that say what is wrong.

Ordinary plain records are read straight into columns, and their events are made when asked for. Of
the others, the clean plain one takes the short way: one strict parse, which refuses unknown fields.
What it lets through has the known shape only, so it is shallow, finite and valid UTF-8 already.
Everything else (unknown fields, envelopes, anything broken) goes the careful way.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from detector.events import packed
from detector.events.cloudevents import CloudEvent, announces, from_headers, structured
from detector.events.flat import read_flat
from detector.events.json_event import PADDING
from detector.events.limits import Limits
from detector.events.located import LocatedEvent
from detector.events.model import Input, Output, PredictionEvent
from detector.events.reasons import Reason
from detector.events.record import DeadLetter, Record
from detector.events.records import Records, time_of
from detector.events.sanitise import PARSE_ERRORS, check_nul, check_text, refusal
from detector.events.scan import CLEAN, scan
from detector.events.stretch import EventStretch, Origin, parse_event
from detector.events.unknown import UnknownFields
from detector.kit.errors import DecodeError

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)

_set = msgspec.structs.force_setattr
_tuple = tuple.__new__
_PACKED = packed.FIRST_BYTES

MAX_PATH = 256
"""Characters of its path that a dead letter keeps."""

FEWEST_FLAT = 16
"""Fewer records are not worth the way into columns."""


@dataclass(frozen=True, slots=True)
class Decoded:
    """What a batch of records came to.

    Attributes:
        events: The usable ones, in order.
        dead: The others, in order.
        unknown_fields: How many records had each unknown field, by JSON path.
    """

    events: Sequence[LocatedEvent]
    dead: list[DeadLetter]
    unknown_fields: Mapping[str, int]


class Decoder:
    """Decodes records one by one; serves one thread."""

    def __init__(
        self, limits: Limits | None = None, now_ms: Callable[[], int] | None = None
    ) -> None:
        """Take the bounds to hold records to, the defaults when None, and a clock if there is one.

        `now_ms` returns UTC milliseconds. Without it an event's time is held against its record's
        timestamp only, and against nothing where the record has none.
        """
        self._limits = limits or Limits()
        self._now_ms = now_ms
        self._unknown = UnknownFields()
        self._max_bytes = self._limits.max_bytes
        self._earliest, self._latest = self._limits.earliest_ms, self._limits.latest_ms
        self._few_values = min(self._limits.max_fields, self._limits.max_classes)
        # In JSON a value takes two bytes with its comma.
        self._few_bytes = 2 * self._few_values

    def decode(self, record: Record) -> PredictionEvent:
        """Return the event that the record holds; raises `DecodeError` and nothing else."""
        return self._decode(record, int(self._ceilings(np.array([time_of(record)]))[0]))

    def decode_all(self, records: Sequence[Record]) -> Decoded:
        """Decode every record, neighbours of a bad one too; raises nothing over content.

        The clock, if there is one, is asked once.
        """
        records = Records.of(records)
        longest = self._max_bytes if len(records) >= FEWEST_FLAT else 0
        rows = read_flat(records.texts(longest, _is_flat, PADDING), self._limits)
        ceilings = self._ceilings(records.columns.times)
        flat = rows.taken & (rows.time_ms >= self._earliest) & (rows.time_ms <= ceilings)
        made: dict[int, LocatedEvent] = {}
        dead: dict[int, DeadLetter] = {}
        clean: frozenset[int] | None = None
        others = np.flatnonzero(~flat)
        for at, record in zip(others.tolist(), records.take(others), strict=True):
            ceiling = int(ceilings[at])
            body = record.value
            try:
                if body and body[0] in _PACKED and self._is_bare(record, len(body)):
                    if clean is None:
                        clean = self._clean(others, records.take(others))
                    event = self._packed(body, ceiling, at in clean)
                else:
                    event = self._decode(record, ceiling)
            except DecodeError as error:
                dead[at] = self.dead_letter(record, error)
            else:
                # The named tuple's own constructor takes three times as long.
                made[at] = _tuple(LocatedEvent, (record.position, event))
        usable = np.ones(len(records), dtype=np.bool_)
        usable[list(dead)] = False
        events = EventStretch(Origin(records, rows, flat, made), np.flatnonzero(usable))
        return Decoded(events, list(dead.values()), self._unknown.drain())

    def _is_bare(self, record: Record, size: int) -> bool:
        """Return whether nothing but the body of a record has to be looked at."""
        return not record.headers and record.fault is None and size <= self._max_bytes

    def _ceilings(self, stamps: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return (n,) the latest time that an event may have whose record has each (n,) stamp."""
        horizon, future = self._horizon(), self._limits.future_ms
        bounded = (stamps >= 0) & (stamps < horizon - future)
        return np.where(bounded, stamps + future, horizon)

    def _clean(self, places: NDArray[np.intp], records: Iterable[Record]) -> frozenset[int]:
        """Return the places of plain MessagePack with nothing in it to look at again."""
        found = {
            at: body
            for at, record in zip(places.tolist(), records, strict=True)
            if (body := record.value) and body[0] in _PACKED and self._is_bare(record, len(body))
        }
        codes = scan(list(found.values()), self._limits.max_depth)
        return frozenset(at for at, code in zip(found, codes, strict=True) if code == CLEAN)

    def _plain(self, body: bytes, ceiling: int) -> PredictionEvent:
        try:
            event = parse_event(body)
        except PARSE_ERRORS:
            return self._carefully(body, ceiling)
        if b"\\" in body:
            check_nul(body)
        return self._settled(event, "$", ceiling, len(body) > self._few_bytes)

    def _packed(self, body: bytes, ceiling: int, clean: bool) -> PredictionEvent:
        if clean:
            try:
                event = packed.parse_clean(body)
            except PARSE_ERRORS:
                pass
            else:
                return self._settled(event, "$", ceiling, len(body) > self._few_values)
        return self._packed_carefully(body, "$", ceiling)

    def _horizon(self) -> int:
        """Return the latest time that is believed of any record, by the limits and the clock."""
        if self._now_ms is None:
            return self._latest - 1
        return min(self._now_ms() + self._limits.future_ms, self._latest - 1)

    def _decode(self, record: Record, ceiling: int) -> PredictionEvent:
        if record.fault is not None:
            raise DecodeError(record.fault.reason, "$", record.fault.detail)
        body = record.value
        if body is None:
            raise DecodeError(Reason.TOMBSTONE, "$", "the record has no body")
        if len(body) > self._max_bytes:
            detail = f"{len(body)} bytes are more than {self._max_bytes}"
            raise DecodeError(Reason.TOO_LARGE, "$", detail)
        if record.headers:
            envelope = from_headers(record.headers, body, self._limits.max_depth)
            if envelope is not None:
                return self._from_envelope(envelope, ceiling)
        if packed.is_packed(body):
            return self._packed(body, ceiling, clean=False)
        return self._plain(body, ceiling)

    def _packed_carefully(self, body: bytes, root: str, ceiling: int) -> PredictionEvent:
        event = packed.parse_carefully(body, self._limits.max_depth, self._unknown, root)
        return self._settled(event, root, ceiling, len(body) > self._few_values)

    def dead_letter(self, record: Record, error: DecodeError) -> DeadLetter:
        """Return what is kept of a record that cannot be used."""
        body = record.value or b""
        most = self._limits.kept_bytes
        beside = len(record.key or b"") + sum(len(n) + len(v) for n, v in record.headers)
        return DeadLetter(
            position=record.position,
            reason=error.reason,
            path=error.path[:MAX_PATH],
            detail=error.detail,
            body=body[:most],
            size=len(body) if record.fault is None else record.fault.size,
            key=record.key if beside <= most else None,
            headers=record.headers if beside <= most else None,
            timestamp_ms=record.timestamp_ms,
        )

    def _carefully(self, body: bytes, ceiling: int) -> PredictionEvent:
        """Look again at what the strict parse refused: an envelope, or unknown or bad fields."""
        if b'"specversion"' in body:
            envelope = structured(body, self._limits.max_depth)
            if envelope is not None:
                return self._from_envelope(envelope, ceiling)
        return self._parsed(body, "$", ceiling)

    def _from_envelope(self, envelope: CloudEvent, ceiling: int) -> PredictionEvent:
        parsed = self._packed_carefully if envelope.packed else self._parsed
        counts = self._unknown.counts()
        try:
            return parsed(envelope.data, envelope.root, ceiling)
        except DecodeError as error:
            defaults = (f"{envelope.root}.event_id", f"{envelope.root}.time")
            if error.reason != Reason.MISSING_FIELD or error.path not in defaults:
                raise
        self._unknown.restore(counts)
        return parsed(envelope.completed(), envelope.root, ceiling)

    def _parsed(self, body: bytes, root: str, ceiling: int) -> PredictionEvent:
        check_text(body, self._limits.max_depth, root)
        try:
            event = self._known_fields(body)
        except PARSE_ERRORS as error:
            raise refusal(body, error, root) from error
        check_nul(body, root)
        return self._settled(event, root, ceiling, len(body) > self._few_bytes)

    def _known_fields(self, body: bytes) -> PredictionEvent:
        try:
            return parse_event(body)
        except msgspec.ValidationError as error:
            if "unknown field" not in str(error):
                raise
        return parse_event(self._unknown.strip(body))

    def _settled(
        self, event: PredictionEvent, root: str, ceiling: int, many: bool
    ) -> PredictionEvent:
        """Turn the time into milliseconds and apply the rules that types cannot say.

        `many` says that the body is long enough to hold more values than are allowed.
        """
        time: Any = event.time_ms  # a datetime when the record has a string
        if time.__class__ is not int:
            time = _milliseconds(time, root)
            _set(event, "time_ms", time)
        if not self._earliest <= time <= ceiling:
            raise self._untimely(time, root, ceiling)
        given = event.input
        if given is not None and given.features is None:
            forms = (given.fields, given.embedding, given.fingerprint)
            ambiguous = forms.count(None) < len(forms) - 1
        else:
            ambiguous = given is not None and not (
                given.fields is None and given.embedding is None and given.fingerprint is None
            )
        if ambiguous:
            detail = "more than one of features, fields, embedding and fingerprint"
            raise DecodeError(Reason.AMBIGUOUS_INPUT, f"{root}.input", detail)
        if many:
            self._check_sizes(event, root)
        return event

    def _untimely(self, time: int, root: str, ceiling: int) -> DecodeError:
        if not self._earliest <= time < self._latest:
            detail = "the time is implausible; integers are milliseconds since 1970, UTC"
            return DecodeError(Reason.TIME_OUT_OF_RANGE, f"{root}.time", detail)
        detail = f"{time} lies in the future; the latest that is believed is {ceiling}"
        return DecodeError(Reason.TIME_IN_FUTURE, f"{root}.time", detail)

    def _check_sizes(self, event: PredictionEvent, root: str) -> None:
        given = event.input or Input()
        for name in ("features", "fields", "embedding", "fingerprint"):
            values = getattr(given, name)
            if not isinstance(values, str | None) and len(values) > self._limits.max_fields:
                detail = f"{len(values)} values are more than {self._limits.max_fields}"
                raise DecodeError(Reason.TOO_MANY_FIELDS, f"{root}.input.{name}", detail)
        scores = (event.output or Output()).scores or ()
        if len(scores) > self._limits.max_classes:
            detail = f"{len(scores)} scores are more than {self._limits.max_classes}"
            raise DecodeError(Reason.TOO_MANY_CLASSES, f"{root}.output.scores", detail)


def _is_flat(record: Record) -> bool:
    """Return whether the body may be a plain event."""
    return record.fault is None and not (record.headers and announces(record.headers))


def _milliseconds(time: datetime, root: str) -> int:
    try:
        return (time - _EPOCH) // _MILLISECOND
    except OverflowError as error:
        raise DecodeError(Reason.TIME_OUT_OF_RANGE, f"{root}.time", str(error)) from error
