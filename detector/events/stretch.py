"""A stretch of decoded events whose columns are at hand, and which are made when asked for."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import overload

import msgspec
import numpy as np
from numpy.typing import NDArray

from detector.events.flat import FlatRows, read_flat
from detector.events.json_event import PADDING
from detector.events.limits import Limits
from detector.events.located import LocatedEvent
from detector.events.model import ModelKey, PredictionEvent
from detector.events.names import Names
from detector.events.records import Records, Texts

parse_event = msgspec.json.Decoder(PredictionEvent).decode
"""The strict parse of a plain event, which refuses unknown fields."""

Places = NDArray[np.intp]
_set = msgspec.structs.force_setattr


@dataclass(frozen=True)
class Origin:
    """What the events of a stretch come from.

    Attributes:
        records: (n,) the records.
        rows: Their columns.
        flat: (n,) whether the event is in the columns and not made yet.
        made: The other events by their record's number.
    """

    records: Records
    rows: FlatRows
    flat: NDArray[np.bool_]
    made: Mapping[int, LocatedEvent]

    @cached_property
    def models(self) -> list[ModelKey]:
        """Every run of flat records of one model has an entry."""
        firsts = np.flatnonzero(self.rows.taken & ~self.rows.same_model)
        tenants, models = self.texts(self.rows.tenant[firsts]), self.texts(self.rows.model[firsts])
        return list(map(ModelKey, tenants, models))

    def texts(self, spans: NDArray[np.int64]) -> Names:
        """The texts at (n, 2) spans of records taken, "" for a span that begins at -1."""
        return Names(self.rows.text, spans)

    @cached_property
    def runs(self) -> Places:
        """(n,) the entry of `models` that a flat record belongs to."""
        return np.cumsum(self.rows.taken & ~self.rows.same_model) - 1


class EventStretch(Sequence[LocatedEvent]):
    """Events in the order of the log."""

    def __init__(self, origin: Origin, places: Places) -> None:
        """Take the records at (n,) `places` of the origin, all of which are events."""
        self._origin = origin
        self._places = places

    @classmethod
    def of(cls, events: Sequence[LocatedEvent]) -> "EventStretch":
        """Return events that are made already as a stretch."""
        if isinstance(events, EventStretch):
            return events
        count = len(events)
        # Columns of nothing, beside which all events are made.
        texts = Texts(np.zeros(count + PADDING, np.uint8), np.zeros(count, np.int64))
        rows, nothing = read_flat(texts, Limits()), Records.of(())
        return cls(Origin(nothing, rows, rows.taken, dict(enumerate(events))), np.arange(count))

    def __len__(self) -> int:
        """Return the number of events."""
        return len(self._places)

    @overload
    def __getitem__(self, at: int) -> LocatedEvent: ...

    @overload
    def __getitem__(self, at: slice) -> "EventStretch": ...

    def __getitem__(self, at: int | slice) -> "LocatedEvent | EventStretch":
        """Return one event, or some of them as a stretch."""
        if isinstance(at, slice):
            return EventStretch(self._origin, self._places[at])
        place = int(self._places[at])
        made = self._origin.made.get(place)
        if made is not None:
            return made
        record = self._origin.records[place]
        event = parse_event(record.value or b"")
        # A datetime when the record has a text.
        _set(event, "time_ms", int(self.rows.time_ms[place]))
        return LocatedEvent(record.position, event)

    def __iter__(self) -> Iterator[LocatedEvent]:
        """Return the events one by one."""
        if len(self.made) == len(self._places):
            return iter(self.made_events)
        return (self[i] for i in range(len(self._places)))

    def __eq__(self, other: object) -> bool:
        """Return whether the other is a sequence of the same events."""
        return isinstance(other, Sequence) and list(self) == list(other)

    __hash__ = None  # type: ignore[assignment]

    def take(self, indices: Places) -> "EventStretch":
        """Return some events, in the order of the (k,) `indices`."""
        if len(indices) == len(self._places):
            return self
        return EventStretch(self._origin, self._places[indices])

    @property
    def rows(self) -> FlatRows:
        """Columns of more events than these; `places` says where these stand in them."""
        return self._origin.rows

    @property
    def places(self) -> Places:
        """(n,) the row of each event."""
        return self._places

    @cached_property
    def made(self) -> Places:
        """Which events are not in the columns."""
        return np.flatnonzero(~self._origin.flat[self._places])

    @cached_property
    def made_events(self) -> list[LocatedEvent]:
        """Those events."""
        made = self._origin.made
        return [made[place] for place in self._places[self.made].tolist()]

    @cached_property
    def widths(self) -> Places:
        """(n,) how many cells each event has in the columns; 0 without an input."""
        return np.diff(self.rows.starts)[self._places]

    def block(self, indices: Places, width: int) -> NDArray[np.float64]:
        """Return the (k, width) cells of the (k,) events, all of that width."""
        starts = self.rows.starts[self._places[indices]]
        if len(starts) and starts[-1] - starts[0] == width * (len(starts) - 1):
            return self.rows.cells[starts[0] : starts[-1] + width].reshape(-1, width)
        return np.asarray(self.rows.cells[starts[:, np.newaxis] + np.arange(width)])

    @cached_property
    def offsets(self) -> NDArray[np.int64]:
        """(n,) offsets in the log."""
        records = self._origin.records
        if not records:
            return np.array([made.position.offset for made in self.made_events], dtype=np.int64)
        return records.columns.offsets[self._places]

    @cached_property
    def time_ms(self) -> NDArray[np.int64]:
        """(n,) event times, UTC milliseconds."""
        times = self.rows.time_ms[self._places]
        times[self.made] = [made.event.time_ms for made in self.made_events]
        return times

    @cached_property
    def has_input(self) -> NDArray[np.bool_]:
        """(n,) whether the event carries an input."""
        given = self.rows.has_input[self._places]
        given[self.made] = [made.event.input is not None for made in self.made_events]
        return given

    @cached_property
    def clients(self) -> Names:
        """(n,) client ids."""
        made = Names.of([made.event.client_id for made in self.made_events])
        if len(made) == len(self._places):
            return made
        spans = self.rows.client[self._places]
        # Columns say nothing of an event that is not in them.
        spans[self.made] = -1
        clients = self._origin.texts(spans)
        return clients.replaced(self.made, made) if len(made) else clients

    @cached_property
    def by_model(self) -> dict[ModelKey, Places]:
        """The indices of each model's events; models in the order of their first."""
        count, models = len(self._places), self._origin.models
        if count and not len(self.made) and len(models) == 1:
            return {models[0]: np.arange(count)}
        keys: list[ModelKey] = [
            models[run] if run >= 0 else ModelKey("", "")
            for run in self._origin.runs[self._places].tolist()
        ]
        for i, made in zip(self.made.tolist(), self.made_events, strict=True):
            keys[i] = made.event.model
        groups: dict[ModelKey, list[int]] = {}
        for i, key in enumerate(keys):
            groups.setdefault(key, []).append(i)
        return {key: np.array(indices) for key, indices in groups.items()}
