import json
from collections.abc import Sequence
from datetime import UTC, datetime

from detector.events.decode import Decoder
from detector.events.located import LocatedEvent
from detector.events.model import ClientKey, ModelKey
from detector.events.record import Position, Record
from detector.pipeline.detect import Detections, FrozenReference
from detector.pipeline.ports import ClientProfile, ReferenceStatus, Transaction
from detector.pipeline.process import RecordProcessor
from detector.scoring.finding import AttackClass, Finding
from tests.fakes.store import FakeStore

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
CLIENT = ClientKey("", "credit", "alice")


class FixedClock:
    def now(self) -> datetime:
        return NOW


class ScriptedDetection:
    """Answers every batch with the same detections and keeps the events it was given."""

    def __init__(self, answer: Detections) -> None:
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


def process(answer: Detections, records: Sequence[Record]) -> tuple[FakeStore, RecordingTriage]:
    triage = RecordingTriage()
    processor = RecordProcessor(Decoder(), ScriptedDetection(answer), triage, FixedClock())
    outcome = processor.process(records)
    store = FakeStore()
    with store.transaction() as transaction:
        outcome.apply(transaction)
    return store, triage


def test_good_records_reach_detection_and_bad_ones_are_counted_by_reason() -> None:
    detection = ScriptedDetection(Detections())
    processor = RecordProcessor(Decoder(), detection, RecordingTriage(), FixedClock())
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


def test_every_effect_is_written() -> None:
    frozen = picture()
    answer = Detections((finding(),), (profile(),), (frozen,))
    store, triage = process(answer, [record(0), Record(Position("log", 0, 1), b"[]")])
    assert triage.applied == [finding()]
    assert store.tables.profiles == {CLIENT: profile()}
    assert [letter.offset for letter in store.tables.dead_letters] == [1]
    with store.transaction() as transaction:
        [info] = transaction.references.list()
        assert transaction.references.body(info.model) == b"picture"
    assert (info.version, info.status, info.origin) == (1, ReferenceStatus.ACTIVE, "learned")
    assert (info.events, info.clients, info.created_at) == (500, 9, NOW)
    assert (info.digest, info.summary) == ("abc", {"fields": 3})


def test_applying_twice_changes_nothing_more() -> None:
    frozen = picture()
    detection = ScriptedDetection(Detections((), (profile(),), (frozen,)))
    processor = RecordProcessor(Decoder(), detection, RecordingTriage(), FixedClock())
    outcome = processor.process([record(0), Record(Position("log", 0, 1), b"[]")])
    store = FakeStore()
    with store.transaction() as transaction:
        outcome.apply(transaction)
    once = store.tables.copy()
    with store.transaction() as transaction:
        outcome.apply(transaction)
    assert store.tables == once


def test_a_batch_of_dead_letters_alone_leaves_detection_in_peace() -> None:
    frozen = picture()
    store, triage = process(
        Detections((finding(),), (), (frozen,)), [Record(Position("l", 0, 0), b"")]
    )
    assert not triage.applied
    assert not store.tables.references
    assert len(store.tables.dead_letters) == 1
