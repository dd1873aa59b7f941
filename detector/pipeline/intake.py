"""Taking records in: repeats dropped, decoded, refused where there is no room, and detected."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from detector.events.decode import Decoder
from detector.events.located import LocatedEvent
from detector.events.model import ModelKey
from detector.events.reasons import Reason
from detector.events.record import DeadLetter, Record
from detector.kit.errors import DecodeError
from detector.pipeline.detect import Detection, Detections
from detector.pipeline.duplicates import SourcePositions


@dataclass(frozen=True, slots=True)
class Taken:
    """What records of one partition came to.

    Attributes:
        detections: What the events showed.
        events: The usable ones, in order.
        dead: Records that cannot be used, in order.
        repeated: How many records were copies of others that came before.
        unknown_fields: How often an event held a field that nobody knows.
    """

    detections: Detections = field(default_factory=Detections)
    events: Sequence[LocatedEvent] = ()
    dead: Sequence[DeadLetter] = ()
    repeated: int = 0
    unknown_fields: int = 0


class Intake:
    """One partition's records on their way into detection."""

    def __init__(self, decoder: Decoder, detection: Detection) -> None:
        self._decoder = decoder
        self._detection = detection
        self.copies = SourcePositions()

    def take(self, records: Sequence[Record]) -> Taken:
        """Update detection with the records, in order."""
        fresh = self.copies.fresh(records)
        decoded = self._decoder.decode_all(fresh)
        events, refused = self._admitted(decoded.events, fresh)
        return Taken(
            detections=self._detection.process(events) if events else Detections(),
            events=events,
            dead=sorted([*decoded.dead, *refused], key=lambda letter: letter.position),
            repeated=len(records) - len(fresh),
            unknown_fields=sum(decoded.unknown_fields.values()),
        )

    def _admitted(
        self, events: list[LocatedEvent], records: Sequence[Record]
    ) -> tuple[list[LocatedEvent], list[DeadLetter]]:
        """Refuse the events of models for which there is no room."""
        models = {(item.event.tenant_id, item.event.model_id) for item in events}
        known = self._detection.digests().keys()
        if all(ModelKey(*model) in known for model in models):
            return events, []
        taken, refused = [], []
        origin = {record.position: record for record in records}
        for item in events:
            if self._detection.admit(item.event.model):
                taken.append(item)
            else:
                error = _no_room(item.event.model)
                refused.append(self._decoder.dead_letter(origin[item.position], error))
        return taken, refused


def _no_room(model: ModelKey) -> DecodeError:
    detail = f"there is no room for one more model, such as {model.model_id!r}"
    return DecodeError(Reason.TOO_MANY_MODELS, "$.model_id", detail)
