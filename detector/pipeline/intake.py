"""Taking records in: repeats dropped, decoded, refused where there is no room, and detected."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from detector.events.decode import Decoder
from detector.events.located import LocatedEvent
from detector.events.model import ModelKey
from detector.events.reasons import Reason
from detector.events.record import DeadLetter
from detector.events.records import Records
from detector.events.stretch import EventStretch
from detector.kit.errors import DecodeError
from detector.pipeline.detect import Detection, Detections
from detector.pipeline.duplicates import SourcePositions


@dataclass(frozen=True, slots=True)
class Taken:
    """What records of one partition came to.

    Attributes:
        detections: What the events showed.
        events: The usable ones, in order.
        last_ms: Time of the latest of them, UTC milliseconds.
        dead: Records that cannot be used, in order.
        repeated: How many records were copies of others that came before.
        unknown_fields: How often an event held a field that nobody knows.
    """

    detections: Detections = field(default_factory=Detections)
    events: Sequence[LocatedEvent] = ()
    last_ms: int | None = None
    dead: Sequence[DeadLetter] = ()
    repeated: int = 0
    unknown_fields: int = 0


class Intake:
    """One partition's records on their way into detection."""

    def __init__(self, decoder: Decoder, detection: Detection) -> None:
        self._decoder = decoder
        self._detection = detection
        self.copies = SourcePositions()

    def take(self, records: Records) -> Taken:
        """Update detection with the records, in order."""
        fresh = self.copies.fresh(records)
        decoded = self._decoder.decode_all(fresh)
        events, refused = self._admitted(EventStretch.of(decoded.events), fresh)
        return Taken(
            detections=self._detection.process(events) if events else Detections(),
            events=events,
            last_ms=int(events.time_ms.max()) if events else None,
            dead=sorted([*decoded.dead, *refused], key=lambda letter: letter.position),
            repeated=len(records) - len(fresh),
            unknown_fields=sum(decoded.unknown_fields.values()),
        )

    def _admitted(
        self, events: EventStretch, records: Records
    ) -> tuple[EventStretch, list[DeadLetter]]:
        """Refuse the events of models for which there is no room."""
        groups = events.by_model
        refused = {model: at for model, at in groups.items() if not self._detection.admit(model)}
        if not refused:
            return events, []
        origin = {record.position: record for record in records}
        letters = [
            self._decoder.dead_letter(origin[events[i].position], _no_room(model))
            for model, indices in refused.items()
            for i in indices.tolist()
        ]
        left = np.delete(np.arange(len(events)), np.concatenate(list(refused.values())))
        return events.take(left), letters


def _no_room(model: ModelKey) -> DecodeError:
    detail = f"there is no room for one more model, such as {model.model_id!r}"
    return DecodeError(Reason.TOO_MANY_MODELS, "$.model_id", detail)
