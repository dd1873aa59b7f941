"""What the loop asks of a partition's work, and what a batch of records leads to."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from detector.events.record import DeadLetter, Partition, Record
from detector.kit.errors import ConflictError, RecoverableError
from detector.pipeline.detect import Detections, FrozenReference
from detector.pipeline.partitions import Adoption, NewSnapshot, Ownership, SnapshotInfo
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
    def next_offset(self) -> int | None:
        """Where reading goes on; None when every record was stored before and only seen again."""
        ...

    @property
    def replayed(self) -> int:
        """How many records were seen again to bring the state up to where it was."""
        ...

    @property
    def events(self) -> int:
        """How many records were valid events."""
        ...

    @property
    def rejected(self) -> Mapping[str, int]:
        """How many records became dead letters, by reason."""
        ...

    @property
    def repeated(self) -> int:
        """How many records said that they are copies of others that came before."""
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

    @property
    def unmatched(self) -> int:
        """Inputs of which their model's reference names no field."""
        ...

    def apply(self, transaction: Transaction) -> None:
        """Write every effect, the position last."""
        ...


class Work(Protocol):
    """One owned partition: its detection, from the claim to the loss."""

    @property
    def ownership(self) -> Ownership:
        """The claim, as it was when the work began."""
        ...

    @property
    def start(self) -> int | None:
        """Where reading begins: at the restored snapshot; None for the partition's beginning."""
        ...

    def process(self, records: Sequence[Record]) -> Outcome:
        """Take in records that follow on what came before."""
        ...

    def refresh(self, transaction: Transaction) -> None:
        """Look for references that have been activated since, and judge by them from now on."""
        ...

    def snapshot(self) -> NewSnapshot | None:
        """The state as it stands, while nothing new is taken in; None before there is any."""
        ...

    def saved(self, info: SnapshotInfo) -> None:
        """Note that the latest snapshot is stored."""
        ...

    def clients(self) -> int:
        """How many clients are held in state."""
        ...


class Processor(Protocol):
    """Makes the work of partitions."""

    def open(self, transaction: Transaction, partition: Partition) -> Work:
        """Claim a partition and take it up where it was left."""
        ...


@dataclass(frozen=True, slots=True)
class BatchOutcome:
    """The `Outcome` of `PartitionWork`.

    Attributes:
        ownership: Under which everything is written.
        before: A snapshot of the state before the first record ever; None later.
        adoptions: References that were adopted before this batch and are not yet noted.
    """

    ownership: Ownership
    next_offset: int | None
    replayed: int
    events: int
    rejected: Mapping[str, int]
    repeated: int
    unknown_fields: int
    last_event_ms: int | None
    detections: Detections
    dead_letters: Sequence[DeadLetter]
    before: NewSnapshot | None
    adoptions: Sequence[Adoption]
    triage: Triaging
    at: datetime

    @property
    def drifts(self) -> int:
        """How often detection found that a world had moved."""
        return self.detections.drifts

    @property
    def unmatched(self) -> int:
        """Inputs that detection could not read."""
        return self.detections.unmatched

    def apply(self, transaction: Transaction) -> None:
        """Write incidents, profiles, frozen references, dead letters, and last the position."""
        if self.next_offset is None:
            return
        if self.detections.findings:
            self.triage.apply(transaction, self.detections.findings)
        if self.detections.profiles:
            transaction.clients.put(self.detections.profiles)
        for frozen in self.detections.frozen:
            self._freeze(transaction, frozen)
        if self.dead_letters:
            transaction.dead_letters.add(self.dead_letters, self.at)
        if self.before is not None and not transaction.snapshots.kept(self.ownership.partition):
            transaction.snapshots.save(self.ownership, self.before)
        for adoption in self.adoptions:
            transaction.snapshots.adopt(self.ownership, adoption)
        transaction.partitions.advance(
            self.ownership, self.next_offset, self.events, sum(self.rejected.values())
        )

    def _freeze(self, transaction: Transaction, frozen: FrozenReference) -> None:
        """Store what was learnt; where another partition was first, that one stays in force.

        Raises `RecoverableError` where somebody else stores one at this moment: they are first.
        """
        known = transaction.references.list(frozen.model)
        first = not any(info.status is ReferenceStatus.ACTIVE for info in known)
        try:
            transaction.references.add(_reference_info(frozen, self.at, first), frozen.body)
        except ConflictError as error:
            raise RecoverableError(str(error)) from error


def _reference_info(frozen: FrozenReference, at: datetime, active: bool) -> ReferenceInfo:
    return ReferenceInfo(
        model=frozen.model,
        version=0,
        status=ReferenceStatus.ACTIVE if active else ReferenceStatus.INACTIVE,
        created_at=at,
        events=frozen.events,
        clients=frozen.clients,
        origin="learned",
        digest=frozen.digest,
        summary=frozen.summary,
    )
