"""From records to effects: decoding, detection and triage joined into one step of the stream."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from detector.events.decode import Decoder
from detector.events.record import DeadLetter, Record
from detector.kit.clock import Clock
from detector.pipeline.detect import Detection, Detections, FrozenReference
from detector.pipeline.ports import ReferenceInfo, ReferenceStatus, Transaction
from detector.scoring.finding import Finding


class Triaging(Protocol):
    """Turns findings into incidents within a transaction."""

    def apply(self, transaction: Transaction, findings: Sequence[Finding]) -> object:
        """Open or extend incidents; findings that were applied before change nothing."""
        ...


class Outcome(Protocol):
    """What a batch of records leads to; applying it again, after a doubtful commit, is safe."""

    @property
    def events(self) -> int:
        """How many records were valid events."""
        ...

    @property
    def rejected(self) -> Mapping[str, int]:
        """How many records became dead letters, by reason."""
        ...

    @property
    def unknown_fields(self) -> int:
        """How often an event held a field that nobody knows; such fields are ignored."""
        ...

    @property
    def last_event_ms(self) -> int | None:
        """Time of the batch's latest event, UTC milliseconds."""
        ...

    @property
    def drifts(self) -> int:
        """How often a model's clients as a whole were found to look otherwise than before."""
        ...

    def apply(self, transaction: Transaction) -> None:
        """Write every effect."""
        ...


class Processor(Protocol):
    """One step of the stream, without the database."""

    def process(self, records: Sequence[Record]) -> Outcome:
        """Take in a batch of one partition; its effects are the outcome's to write."""
        ...

    def clients(self) -> int:
        """How many clients are held in state."""
        ...


@dataclass(frozen=True, slots=True)
class BatchOutcome:
    """The `Outcome` of `RecordProcessor`."""

    events: int
    rejected: Mapping[str, int]
    unknown_fields: int
    last_event_ms: int | None
    detections: Detections
    dead_letters: Sequence[DeadLetter]
    triage: Triaging
    at: datetime

    @property
    def drifts(self) -> int:
        """How often detection found that a world had moved."""
        return self.detections.drifts

    def apply(self, transaction: Transaction) -> None:
        """Write incidents, profiles, frozen references and dead letters."""
        if self.detections.findings:
            self.triage.apply(transaction, self.detections.findings)
        if self.detections.profiles:
            transaction.clients.put(self.detections.profiles)
        for frozen in self.detections.frozen:
            transaction.references.add(_reference_info(frozen, self.at), frozen.body)
        if self.dead_letters:
            transaction.dead_letters.add(self.dead_letters)


class RecordProcessor:
    """The `Processor` that the product runs: decode, detect, and leave triage to the outcome."""

    def __init__(
        self, decoder: Decoder, detection: Detection, triage: Triaging, clock: Clock
    ) -> None:
        self._decoder = decoder
        self._detection = detection
        self._triage = triage
        self._clock = clock

    def process(self, records: Sequence[Record]) -> BatchOutcome:
        """Decode the records and update every client's picture with them."""
        decoded = self._decoder.decode_all(records)
        events = decoded.events
        return BatchOutcome(
            events=len(events),
            rejected=Counter(str(letter.reason) for letter in decoded.dead),
            unknown_fields=sum(decoded.unknown_fields.values()),
            last_event_ms=max((located.event.time_ms for located in events), default=None),
            detections=self._detection.process(events) if events else Detections(),
            dead_letters=decoded.dead,
            triage=self._triage,
            at=self._clock.now(),
        )

    def clients(self) -> int:
        """How many clients detection holds in state."""
        return self._detection.clients()


def _reference_info(frozen: FrozenReference, at: datetime) -> ReferenceInfo:
    return ReferenceInfo(
        model=frozen.model,
        version=0,
        status=ReferenceStatus.ACTIVE,
        created_at=at,
        events=frozen.events,
        clients=frozen.clients,
        origin="learned",
        digest=frozen.digest,
        summary=frozen.summary,
    )
