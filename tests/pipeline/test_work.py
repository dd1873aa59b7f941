"""A partition's work after any interruption ends where an uninterrupted run ends."""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from functools import cache

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry

from detector.events.decode import Decoder
from detector.events.model import PredictionEvent
from detector.events.place import SOURCE_HEADER, place_header
from detector.events.record import Partition, Position, Record
from detector.kit.errors import RecoverableError
from detector.kit.metrics import StreamMetrics
from detector.pipeline.detect import build_detection
from detector.pipeline.learn import learn
from detector.pipeline.ports import ReferenceInfo, References, ReferenceStatus
from detector.pipeline.shelf import active
from detector.pipeline.triage import Triage, TriagePolicy
from detector.pipeline.work import PartitionProcessor, PartitionWork, Parts
from detector.reference.picture import Reference
from tests.fakes.clock import SetClock
from tests.fakes.store import FakeStore
from tests.pipeline.test_detect import LEARNING, hostile_log
from tests.scoring.traffic import MODEL, benign_log, reference

LOG = Partition("log", 0)
METRICS = StreamMetrics(CollectorRegistry())


def records() -> list[Record]:
    events: Sequence[PredictionEvent] = [item.event for item in hostile_log()]
    return [Record(Position(*LOG, n), msgspec.json.encode(e)) for n, e in enumerate(events)]


def copies() -> list[Record]:
    """The same as `rekey` leaves them when it is killed now and then: some come twice."""
    written: list[Record] = []
    for n, original in enumerate(records()):
        source = (SOURCE_HEADER, place_header(Position("raw", 0, n)))
        written.append(msgspec.structs.replace(original, headers=(source,)))
        if n % 90 == 89:
            written += written[-40:]
    return [
        msgspec.structs.replace(record, position=Position(*LOG, n))
        for n, record in enumerate(written)
    ]


def activate(store: FakeStore, picture: Reference) -> None:
    info = ReferenceInfo(
        MODEL, 0, ReferenceStatus.ACTIVE, SetClock().now(), picture.events, picture.clients,
        "learned", picture.digest(),
    )  # fmt: skip
    with store.transaction() as transaction:
        transaction.references.add(info, picture.to_bytes())


class Partitioned:
    """A worker that can be killed between any two steps."""

    def __init__(self, log: Sequence[Record] | None = None) -> None:
        self.store = FakeStore()
        clock = SetClock()
        triage = Triage(TriagePolicy(), clock)
        parts = Parts(Decoder(), lambda: build_detection(LEARNING), triage, clock, METRICS)
        self.processor = PartitionProcessor(parts)
        self.log = records() if log is None else log
        self.work = self.open()
        self.position = self.work.start or 0

    def open(self) -> PartitionWork:
        with self.store.transaction() as transaction:
            return self.processor.open(transaction, LOG)

    def step(self, count: int, applied: bool = True) -> None:
        batch = self.log[self.position : self.position + count]
        if not batch:
            return
        outcome = self.work.process(batch)
        self.position = batch[-1].next_offset
        if applied:
            with self.store.transaction() as transaction:
                outcome.apply(transaction)

    def save(self) -> None:
        snapshot = self.work.snapshot()
        if snapshot is not None:
            with self.store.transaction() as transaction:
                info = transaction.snapshots.save(self.work.ownership, snapshot)
            self.work.saved(info)

    def refresh(self) -> None:
        with self.store.transaction() as transaction:
            self.work.refresh(transaction)

    def crash(self) -> None:
        self.work = self.open()
        self.position = self.work.start or 0

    def finish(self) -> None:
        while self.position < len(self.log):
            self.step(100)

    def state(self) -> tuple[bytes, list[bytes]]:
        """Everything, whole."""
        snapshot = self.work.snapshot(whole=True)
        assert snapshot is not None
        return snapshot.header, list(snapshot.parts)

    def outcome(self) -> object:
        """All that is stored but for times of the wall clock and who owned what."""
        tables = self.store.tables
        incidents = {
            key: (i.techniques, i.severity, i.queries, i.evidence, i.timeline_length, i.marks)
            for key, i in tables.incidents.items()
        }
        return incidents, tables.profiles, tables.counts, tables.outbox.keys()


def uninterrupted(with_reference: bool, log: Sequence[Record] | None = None) -> Partitioned:
    plain = Partitioned(log)
    if with_reference:
        activate(plain.store, reference())
        plain.crash()
    plain.finish()
    return plain


@cache
def undisturbed(
    with_reference: bool, log: Callable[[], Sequence[Record]]
) -> tuple[object, tuple[bytes, list[bytes]]]:
    """What is stored, and the state, where nothing came between."""
    plain = uninterrupted(with_reference, log())
    return plain.outcome(), plain.state()


STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("step"), st.integers(1, 400)),
        st.tuples(st.just("lost"), st.integers(1, 400)),
        st.tuples(st.sampled_from(["save", "crash"]), st.just(0)),
    ),
    max_size=14,
)


@pytest.mark.parametrize("log", [records, copies])
@pytest.mark.parametrize("with_reference", [True, False], ids=["judged", "learning"])
class TestInterrupted:
    @given(STEPS)
    @settings(max_examples=10, deadline=None)
    def test_it_ends_as_if_nothing_had_happened(
        self,
        with_reference: bool,
        log: Callable[[], list[Record]],
        steps: Sequence[tuple[str, int]],
    ) -> None:
        outcome, state = undisturbed(with_reference, log)
        found = Partitioned(log())
        if with_reference:
            activate(found.store, reference())
            found.crash()
        for what, count in steps:
            if what in ("step", "lost"):
                found.step(count, applied=what == "step")
                if what == "lost":
                    found.crash()
            else:
                getattr(found, what)()
        found.finish()
        assert found.outcome() == outcome
        assert found.state() == state


@pytest.mark.parametrize("saved_before", [True, False])
@pytest.mark.parametrize("saved_after", [True, False])
def test_a_reference_adopted_on_the_way_is_adopted_at_the_same_record_again(
    saved_before: bool, saved_after: bool
) -> None:
    def run(crashing: bool) -> Partitioned:
        worker = Partitioned()
        worker.step(300)
        if saved_before:
            worker.save()
        worker.step(100)
        activate(worker.store, reference())
        worker.refresh()
        worker.step(150)
        if saved_after:
            worker.save()
        worker.step(50)
        if crashing:
            worker.crash()
            worker.step(70)
            worker.crash()
        worker.finish()
        return worker

    expected, found = run(False), run(True)
    assert found.outcome() == expected.outcome()
    assert found.state() == expected.state()


def test_an_adoption_outlives_records_that_come_again_before_it_is_written() -> None:
    def run(crashing: bool) -> Partitioned:
        worker = Partitioned()
        worker.step(300)
        worker.save()
        worker.step(100)
        activate(worker.store, reference())
        worker.refresh()
        worker.position -= 50
        worker.step(50, applied=False)
        worker.step(150)
        if crashing:
            worker.crash()
        worker.finish()
        return worker

    expected, found = run(False), run(True)
    assert found.store.tables.adoptions[LOG]
    assert found.outcome() == expected.outcome()
    assert found.state() == expected.state()


def test_what_follows_on_a_damaged_snapshot_does_not_rest_on_it() -> None:
    worker = Partitioned()
    for _ in range(3):
        worker.step(100)
        worker.save()
    *older, (info, header, parts) = worker.store.tables.snapshots[LOG]
    spoilt = tuple(part[:-1] for part in parts)
    worker.store.tables.snapshots[LOG] = (*older, (info, header, spoilt))
    worker.crash()
    assert worker.position == 200
    worker.step(200)
    worker.save()
    worker.crash()
    assert worker.position == 400
    worker.finish()
    assert worker.state() == uninterrupted(False).state()


def test_records_that_say_that_they_are_copies_of_earlier_ones_change_nothing() -> None:
    once, again = uninterrupted(True), uninterrupted(True, copies())
    assert len(again.log) > len(once.log)
    assert again.store.tables.counts[LOG] == once.store.tables.counts[LOG]
    assert again.store.tables.partitions[LOG].next_offset == len(again.log)
    assert again.store.tables.profiles == once.store.tables.profiles
    assert Counter(i.queries for i in again.store.tables.incidents.values()) == Counter(
        i.queries for i in once.store.tables.incidents.values()
    )


def test_a_blank_beginning_is_stored_with_the_first_batch_and_never_again() -> None:
    worker = Partitioned()
    first = worker.work.process(worker.log[:5])
    second = worker.work.process(worker.log[5:9])
    assert first.before is not None
    assert second.before is None


def test_a_damaged_snapshot_falls_back_to_the_one_before() -> None:
    worker = Partitioned()
    worker.step(200)
    worker.save()
    worker.step(200)
    worker.save()
    *older, (info, header, parts) = worker.store.tables.snapshots[LOG]
    worker.store.tables.snapshots[LOG] = (*older, (info, header[:-1] + b"?", parts))
    worker.step(100)
    worker.crash()
    assert worker.position == 200
    worker.finish()
    expected = uninterrupted(False)
    assert worker.outcome() == expected.outcome()
    assert worker.state() == expected.state()


def test_state_that_cannot_be_used_is_learnt_anew_from_the_stored_position() -> None:
    worker = Partitioned()
    worker.step(200)
    worker.save()
    chain = worker.store.tables.snapshots[LOG]
    worker.store.tables.snapshots[LOG] = tuple((i, b"?" * 40, parts) for i, _, parts in chain)
    worker.crash()
    assert worker.position == 200
    assert worker.work.clients() == 0
    worker.step(100)
    worker.save()
    worker.crash()
    assert worker.position == 300
    assert worker.work.clients() > 0
    assert worker.store.tables.counts[LOG].events == 300


def test_a_reference_that_is_not_read_here_is_said_once(caplog: pytest.LogCaptureFixture) -> None:
    worker = Partitioned()
    info = ReferenceInfo(
        MODEL, 0, ReferenceStatus.ACTIVE, SetClock().now(), 1, 1, "learned", "of-another-version"
    )
    with worker.store.transaction() as transaction:
        transaction.references.add(info, b"of another version")
    worker.step(100)
    for _ in range(3):
        worker.refresh()
    said = [r.getMessage() for r in caplog.records if "cannot be used" in r.getMessage()]
    assert len(said) == 1
    assert MODEL.model_id in said[0]


def test_what_was_adopted_before_the_database_failed_is_noted(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    worker = Partitioned()
    worker.step(100)
    activate(worker.store, reference())

    def fails_behind_the_first(references: References) -> Iterator[ReferenceInfo]:
        yield from active(references)
        raise RecoverableError("the database is gone")

    with monkeypatch.context() as patched:
        patched.setattr("detector.pipeline.work.active", fails_behind_the_first)
        with pytest.raises(RecoverableError):
            worker.refresh()
    worker.refresh()
    worker.step(100)
    with worker.store.transaction() as transaction:
        [adoption] = transaction.snapshots.adoptions(LOG, 0)
    assert (adoption.offset, adoption.digest) == (100, reference().digest())


def test_of_two_adopted_at_the_same_record_the_second_is_noted() -> None:
    worker = Partitioned()
    worker.step(100)
    activate(worker.store, learn(MODEL, benign_log()[:2_000]))
    worker.refresh()
    activate(worker.store, reference())
    worker.refresh()
    worker.step(100)
    with worker.store.transaction() as transaction:
        [adoption] = transaction.snapshots.adoptions(LOG, 0)
    assert (adoption.offset, adoption.digest) == (100, reference().digest())
