import json
from collections.abc import Sequence
from datetime import UTC, datetime

import pytest
from prometheus_client import CollectorRegistry

from detector.events.decode import Decoder
from detector.events.located import LocatedEvent
from detector.events.model import ClientKey, ModelKey
from detector.events.record import Partition, Position, Record
from detector.kit.errors import ConflictError, RecoverableError
from detector.kit.metrics import StreamMetrics
from detector.pipeline.detect import Detection, Detections, Detector, FrozenReference
from detector.pipeline.learning import DetectionPolicy
from detector.pipeline.ports import ClientProfile, ReferenceInfo, ReferenceStatus, Transaction
from detector.pipeline.work import PartitionProcessor, PartitionWork, Parts
from detector.scoring.finding import AttackClass, Finding
from tests.fakes.clock import SetClock
from tests.fakes.store import FakeStore

LOG = Partition("log", 0)
NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
CLIENT = ClientKey("", "credit", "alice")


class ScriptedDetection(Detector):
    """Answers every batch with the same detections and keeps the events it was given."""

    def __init__(self, answer: Detections, max_models: int = 9) -> None:
        super().__init__(DetectionPolicy(max_models=max_models))
        self.answer = answer
        self.seen: list[LocatedEvent] = []

    def process(self, events: Sequence[LocatedEvent]) -> Detections:
        self.seen += events
        return self.answer

    def clients(self) -> int:
        return len({located.event.client for located in self.seen})


class RecordingTriage:
    def __init__(self) -> None:
        self.applied: list[Finding] = []

    def apply(self, transaction: Transaction, findings: Sequence[Finding]) -> None:
        self.applied += findings


def record(offset: int, **changes: object) -> Record:
    event = {
        "event_id": f"e{offset}",
        "time": f"2026-03-01T10:00:0{offset}Z",
        "client_id": "alice",
        "model_id": "credit",
        "input": {"features": [1.0, 2.0]},
    }
    return Record(Position("log", 0, offset), json.dumps(event | changes).encode())


def finding() -> Finding:
    return Finding(
        client=CLIENT,
        technique="tree_path_finding",
        attack_class=AttackClass.EXTRACTION,
        atlas=("AML.T0024.002",),
        confidence=0.9,
        log_evidence=5.0,
        progress=0.1,
        calibrated=True,
        identity_source="principal",
        event_id="e0",
        time_ms=0,
        query=1,
        position=Position("log", 0, 0),
        evidence=(),
        features={},
    )


def profile() -> ClientProfile:
    return ClientProfile(CLIENT, NOW, NOW, 2, "principal", "learning", {}, {})


def picture() -> FrozenReference:
    return FrozenReference(ModelKey("", "credit"), b"picture", 500, 9, "abc", {"fields": 3})


def work(store: FakeStore, detection: Detection, triage: RecordingTriage) -> PartitionWork:
    metrics = StreamMetrics(CollectorRegistry())
    parts = Parts(Decoder(), lambda: detection, triage, SetClock(NOW), metrics)
    with store.transaction() as transaction:
        return PartitionProcessor(parts).open(transaction, LOG)


def process(answer: Detections, records: Sequence[Record]) -> tuple[FakeStore, RecordingTriage]:
    store, triage = FakeStore(), RecordingTriage()
    outcome = work(store, ScriptedDetection(answer), triage).process(records)
    with store.transaction() as transaction:
        outcome.apply(transaction)
    return store, triage


def test_good_records_reach_detection_and_bad_ones_are_counted_by_reason() -> None:
    detection = ScriptedDetection(Detections())
    processor = work(FakeStore(), detection, RecordingTriage())
    bad = Record(Position("log", 0, 1), b"{not json")
    gone = Record(Position("log", 0, 2), None)
    outcome = processor.process([record(0), bad, gone, record(3, client_id="bob", colour="red")])
    assert [located.position.offset for located in detection.seen] == [0, 3]
    assert outcome.events == 2
    assert outcome.rejected == {"malformed_json": 1, "tombstone": 1}
    assert outcome.unknown_fields == 1
    assert (
        outcome.last_event_ms == int(datetime(2026, 3, 1, 10, 0, 3, tzinfo=UTC).timestamp()) * 1000
    )
    assert processor.clients() == 2
    assert outcome.next_offset == 4


def test_a_reference_that_somebody_else_stores_at_this_moment_is_tried_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def refuse(*_: object) -> ReferenceInfo:
        raise ConflictError("somebody else has just stored a reference; repeat")

    store = FakeStore()
    answer = Detections((), (), (picture(),))
    outcome = work(store, ScriptedDetection(answer), RecordingTriage()).process([record(0)])
    with store.transaction() as transaction:
        monkeypatch.setattr(transaction.references, "add", refuse)
        with pytest.raises(RecoverableError, match="somebody else"):
            outcome.apply(transaction)
    with store.transaction() as transaction:
        outcome.apply(transaction)
        assert len(transaction.references.list()) == 1


def test_every_effect_is_written() -> None:
    frozen = picture()
    answer = Detections((finding(),), (profile(),), (frozen,))
    store, triage = process(answer, [record(0), Record(Position("log", 0, 1), b"[]")])
    assert triage.applied == [finding()]
    assert store.tables.profiles == {CLIENT: profile()}
    assert [letter.offset for letter in store.tables.dead_letters] == [1]
    assert store.tables.partitions[LOG].next_offset == 2
    assert store.tables.counts[LOG] == (1, 1)
    with store.transaction() as transaction:
        [info] = transaction.references.list()
        assert transaction.references.body(info.model) == b"picture"
    assert (info.version, info.status, info.origin) == (1, ReferenceStatus.ACTIVE, "learned")
    assert (info.events, info.clients, info.created_at) == (500, 9, NOW)
    assert (info.digest, info.summary) == ("abc", {"fields": 3})


def test_applying_twice_changes_nothing_more() -> None:
    frozen = picture()
    detection = ScriptedDetection(Detections((), (profile(),), (frozen,)))
    store = FakeStore()
    processor = work(store, detection, RecordingTriage())
    outcome = processor.process([record(0), Record(Position("log", 0, 1), b"[]")])
    with store.transaction() as transaction:
        outcome.apply(transaction)
    once = store.tables.copy()
    with store.transaction() as transaction:
        outcome.apply(transaction)
    assert store.tables == once


def test_a_batch_of_dead_letters_alone_leaves_detection_in_peace() -> None:
    frozen = picture()
    store, triage = process(
        Detections((finding(),), (), (frozen,)), [Record(Position("log", 0, 0), b"")]
    )
    assert not triage.applied
    assert not store.tables.references
    assert len(store.tables.dead_letters) == 1


def test_models_beyond_the_budget_are_refused_and_kept_as_dead_letters() -> None:
    store, detection = FakeStore(), ScriptedDetection(Detections(), max_models=2)
    records = [record(n, model_id=f"m{n % 4}") for n in range(8)]
    outcome = work(store, detection, RecordingTriage()).process(records)
    assert [located.event.model_id for located in detection.seen] == ["m0", "m1", "m0", "m1"]
    assert (outcome.events, outcome.rejected) == (4, {"too_many_models": 4})
    assert [letter.body for letter in outcome.dead_letters] == [
        records[n].value for n in (2, 3, 6, 7)
    ]


def test_a_reference_that_another_partition_learnt_first_stays_in_force() -> None:
    answer = Detections((), (), (picture(),))
    store = FakeStore()
    info = ReferenceInfo(
        ModelKey("", "credit"), 0, ReferenceStatus.ACTIVE, NOW, 1, 1, "learned", "first"
    )
    with store.transaction() as transaction:
        transaction.references.add(info, b"first")
    outcome = work(store, ScriptedDetection(answer), RecordingTriage()).process([record(0)])
    with store.transaction() as transaction:
        outcome.apply(transaction)
        assert transaction.references.body(info.model) == b"first"
        assert transaction.references.find(info.model, "abc") == b"picture"
