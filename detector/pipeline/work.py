"""One owned partition at work: decoding, detection and triage joined, and its state kept.

State is brought back by loading a snapshot and reading the log again from there. What was read
again is taken in but has no effects a second time: those of all records before the stored position
are in the database already. A reference that was activated in the meantime is adopted again at the
very record at which it was before, so that the state comes out the same.
"""

import logging
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from detector.events.decode import Decoder
from detector.events.model import ModelKey
from detector.events.record import Partition, Record
from detector.events.records import Records
from detector.kit.clock import Clock
from detector.kit.metrics import StreamMetrics
from detector.pipeline.detect import Detection
from detector.pipeline.duplicates import SavedCopies
from detector.pipeline.intake import Intake, Taken
from detector.pipeline.keys import KeyWatch
from detector.pipeline.partitions import Adoption, NewSnapshot, Ownership, SnapshotInfo
from detector.pipeline.ports import Transaction
from detector.pipeline.process import BatchOutcome, Triaging
from detector.pipeline.saved import (
    STATE_VERSION,
    SavedState,
    SavedStateError,
    layout,
    seal,
    unseal_header,
    unseal_parts,
)
from detector.pipeline.shelf import ReferenceShelf, active
from detector.reference.picture import Reference

log = logging.getLogger(__name__)

CHAIN_SHARE = 1.0
"""A snapshot is whole once those since the last whole one have grown to this share of it."""


@dataclass(frozen=True, slots=True)
class Parts:
    """What the work of every partition is made of.

    Attributes:
        decoder: From bytes to events.
        new_detection: Makes the detection of one partition, blank.
        triage: From findings to incidents.
        clock: What time it is.
        metrics: Where lost state is counted.
        keys: Who measures whether the topic is keyed by client, if anyone.
    """

    decoder: Decoder
    new_detection: Callable[[], Detection]
    triage: Triaging
    clock: Clock
    metrics: StreamMetrics
    keys: KeyWatch | None = None


class PartitionProcessor:
    """The `Processor` that the product runs."""

    def __init__(self, parts: Parts, anew: bool = False) -> None:
        """With `anew` every partition is read from its beginning, whatever was read of it."""
        self._parts = parts
        self._anew = anew
        self._shelf = ReferenceShelf()

    def open(self, transaction: Transaction, partition: Partition) -> "PartitionWork":
        """Take up a partition: its newest usable snapshot, or blank where there is none."""
        ownership = transaction.partitions.claim(partition)
        if self._anew:
            ownership = transaction.partitions.rewind(ownership)
            transaction.snapshots.clear(partition)
        work = self._restored(transaction, ownership)
        if work is not None:
            return work
        work = PartitionWork(self._parts, self._shelf, ownership, self._parts.new_detection())
        work.begin(transaction)
        return work

    def _restored(self, transaction: Transaction, ownership: Ownership) -> "PartitionWork | None":
        """Return the work restored; None for a partition never read or with nothing usable."""
        partition, stored = ownership.partition, ownership.next_offset
        if stored is None:
            return None
        kept = transaction.snapshots.kept(partition)
        for number, info in enumerate(kept):
            detection = self._parts.new_detection()
            try:
                header = unseal_header(transaction.snapshots.header(partition, info.generation))
                parts = unseal_parts(transaction.snapshots.parts(partition, info))
                detection.restore(header, parts, self._finder(transaction))
            except SavedStateError as error:
                log.error("%s/%d: snapshot %d: %s", *partition, info.generation, error)
                continue
            again = transaction.snapshots.adoptions(partition, info.offset)
            references = {a: self._finder(transaction)(a.model, a.digest) for a in again}
            work = PartitionWork(self._parts, self._shelf, ownership, detection)
            # What changes from an older one on must not rest on the newer one that is of no use.
            work.resume(info.offset, info if number == 0 else None, references, header.copies)
            return work
        if kept:
            self._parts.metrics.states_lost.inc()
            log.error(
                "%s/%d: no snapshot can be used; its clients are learnt anew from %d on",
                *partition, stored,
            )  # fmt: skip
        return None

    def _finder(self, transaction: Transaction) -> Callable[[ModelKey, str], Reference | None]:
        return lambda model, digest: self._shelf.find(transaction.references, model, digest)


class PartitionWork:
    """The `Work` of one partition under one ownership."""

    def __init__(
        self, parts: Parts, shelf: ReferenceShelf, ownership: Ownership, detection: Detection
    ) -> None:
        self._parts = parts
        self._shelf = shelf
        self.ownership = ownership
        self._detection = detection
        self._intake = Intake(parts.decoder, detection)
        self._stored = ownership.next_offset
        self._next = ownership.next_offset
        self._again: dict[Adoption, Reference | None] = {}
        self._pending: list[Adoption] = []
        self._latest: SnapshotInfo | None = None
        self._before: bytes | None = None
        self.start = ownership.next_offset

    def begin(self, transaction: Transaction) -> None:
        """Begin blank, with the references now in force."""
        tuple(self._adopt_active(transaction))
        self._before = self._header()

    def resume(
        self, offset: int, latest: SnapshotInfo | None, again: dict[Adoption, Reference | None],
        copies: SavedCopies,
    ) -> None:  # fmt: skip
        """Go on from a snapshot.

        Args:
            offset: The state holds all records before it.
            latest: What the next snapshot may rest on, None where it must be whole.
            again: The adoptions since, with their references.
            copies: What had been seen of records that were written again.
        """
        self._intake.copies.restore(copies)
        self._latest, self._again = latest, again
        self._next = self.start = offset

    def process(self, records: Sequence[Record]) -> BatchOutcome:
        """Take in records that follow on what came before; those that came already are passed."""
        fresh = Records.of(records)
        if self._next is not None:
            fresh = fresh[_before(fresh, self._next) :]
        count = 0
        if self._stored is not None:
            count = _before(fresh, self._stored)
            self._replay(fresh[:count])
        return self._outcome(fresh[count:], count)

    def _replay(self, records: Records) -> None:
        begin = 0
        for adoption in sorted(self._again):
            end = max(_before(records, adoption.offset), begin)
            if end == len(records):
                break
            self._take(records[begin:end])
            self._adopt_again(adoption)
            begin = end
        self._take(records[begin:])

    def _adopt_again(self, adoption: Adoption) -> None:
        reference = self._again.pop(adoption)
        if reference is None:
            log.error(
                "the reference %s cannot be had: what was judged by it is lost", adoption.digest
            )
        elif self._detection.digests().get(adoption.model) != adoption.digest:
            self._detection.adopt(adoption.model, reference)

    def _take(self, records: Records) -> Taken:
        if not records:
            return Taken()
        taken = self._intake.take(records)
        self._next = records[-1].next_offset
        return taken

    def _outcome(self, records: Records, replayed: int) -> BatchOutcome:
        before, pending = self._unwritten(records)
        taken = self._take(records)
        if self._parts.keys is not None and records:
            self._parts.keys.observe(records, taken.events)
        return BatchOutcome(
            ownership=self.ownership,
            next_offset=records[-1].next_offset if records else None,
            replayed=replayed,
            events=len(taken.events),
            rejected=Counter(str(letter.reason) for letter in taken.dead),
            repeated=taken.repeated,
            unknown_fields=taken.unknown_fields,
            last_event_ms=taken.last_ms,
            detections=taken.detections,
            dead_letters=taken.dead,
            before=before,
            adoptions=pending,
            triage=self._parts.triage,
            at=self._parts.clock.now(),
        )

    def _unwritten(self, records: Records) -> tuple[NewSnapshot | None, Sequence[Adoption]]:
        """Return what the first outcome that is written must write too, once."""
        if not records:
            return None, ()
        for adoption in sorted(self._again):
            self._adopt_again(adoption)
        before = None
        if self._before is not None:
            before = NewSnapshot(records[0].position.offset, True, self._before, ())
        pending = tuple(self._pending)
        self._before, self._pending = None, []
        return before, pending

    def refresh(self, transaction: Transaction) -> None:
        """Look for references that have been activated since, and judge by them from now on."""
        if self._next is None or (self._stored is not None and self._next < self._stored):
            return  # not before the state is where it was
        for model, digest in self._adopt_active(transaction):
            # Noted one by one: should the database fail now, this one is adopted already. Of two
            # with no record in between the second is what the model is judged by.
            earlier = [a for a in self._pending if (a.offset, a.model) != (self._next, model)]
            self._pending = [*earlier, Adoption(self._next, model, digest)]

    def _adopt_active(self, transaction: Transaction) -> Iterator[tuple[ModelKey, str]]:
        """Judge by the references in force; yields those that are new."""
        digests = self._detection.digests()
        for info in active(transaction.references):
            if digests.get(info.model) == info.digest:
                continue
            reference = self._shelf.find(transaction.references, info.model, info.digest)
            if reference is not None:
                self._detection.adopt(info.model, reference)
                log.info("model %s: judged by reference %d", info.model.model_id, info.version)
                yield info.model, info.digest

    def snapshot(self, *, whole: bool = False) -> NewSnapshot | None:
        """The state as it stands, while nothing new is taken in; None before there is any.

        It says what changed since the latest one, unless that is much or `whole` is asked for.
        """
        if self._next is None or (self._stored is not None and self._next < self._stored):
            return None
        latest = self._latest
        if latest is None or latest.chain_size - latest.base_size > CHAIN_SHARE * latest.base_size:
            whole = True
        parts = (seal(part) for part in self._detection.save(every=whole))
        return NewSnapshot(self._next, whole, self._header(), parts)

    def saved(self, info: SnapshotInfo) -> None:
        """Note that the latest snapshot is stored."""
        self._latest = info
        self._detection.saved()

    def clients(self) -> int:
        """How many clients detection holds in state."""
        return self._detection.clients()

    def _header(self) -> bytes:
        return seal(
            SavedState(
                STATE_VERSION, layout(), *self._detection.headers(), self._intake.copies.save()
            )
        )


def _before(records: Records, offset: int) -> int:
    """Return how many of the records, in order, stand before an offset."""
    return int(np.searchsorted(records.columns.offsets, offset))
