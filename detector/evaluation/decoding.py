"""Simulated events through the product's own decoder, as a log would bring them."""

from collections.abc import Iterable

import msgspec

from detector.evaluation.streams import Event
from detector.events.decode import Decoder
from detector.events.located import LocatedEvent
from detector.events.record import Position, Record
from detector.kit.errors import QuerywatchError


class Log:
    """Turns events into located ones; positions go on from call to call."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._read = 0
        self._decoder = Decoder()
        self._encode = msgspec.json.Encoder().encode

    def read(self, events: Iterable[Event]) -> list[LocatedEvent]:
        """Return the events as decoded, those without an `event_id` with one.

        Raises:
            QuerywatchError: An event is not valid.
        """
        records = []
        for event in events:
            body = self._encode({"event_id": f"{self._name}-{self._read}", **event})
            records.append(Record(Position(self._name, 0, self._read), body))
            self._read += 1
        decoded = self._decoder.decode_all(records)
        if decoded.dead:
            letter = decoded.dead[0]
            raise QuerywatchError(f"a simulated event is not valid: {letter.path}: {letter.detail}")
        return list(decoded.events)
