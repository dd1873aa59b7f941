"""Detection that was saved and restored goes on as if nothing had happened."""

import struct
from collections.abc import Sequence
from dataclasses import replace

import msgspec
import pytest

from detector.events.decode import Decoder
from detector.events.located import LocatedEvent
from detector.events.model import ModelKey
from detector.events.record import Position, Record
from detector.pipeline.detect import Detector, FrozenReference
from detector.pipeline.duplicates import SavedCopies
from detector.pipeline.learning import DetectionPolicy
from detector.pipeline.saved import (
    STATE_VERSION,
    SavedState,
    SavedStateError,
    layout,
    seal,
    unseal_header,
    unseal_parts,
)
from detector.reference.picture import Reference
from tests.pipeline.test_detect import LEARNING, hostile_log, known
from tests.scoring.traffic import MODEL, benign, event, interleave, located, reference

COPIES = SavedCopies([], b"")
SMALL = replace(LEARNING, max_clients=20)


def header_of(detector: Detector) -> bytes:
    watches, learning = detector.headers()
    return seal(SavedState(STATE_VERSION, layout(), watches, learning, COPIES))


def saved(detector: Detector, every: bool = True) -> tuple[bytes, list[bytes]]:
    taken = header_of(detector), [seal(part) for part in detector.save(every)]
    detector.saved()
    return taken


def shelf(model: ModelKey, digest: str) -> Reference | None:
    return reference() if digest == reference().digest() else None


def restored(
    policy: DetectionPolicy,
    header: bytes,
    parts: Sequence[bytes],
    learnt: Sequence[FrozenReference] = (),
) -> Detector:
    stored = {item.digest: Reference.from_bytes(item.body) for item in learnt}
    detector = Detector(policy)
    detector.restore(
        unseal_header(header),
        unseal_parts(parts),
        lambda model, digest: stored.get(digest) or shelf(model, digest),
    )
    return detector


@pytest.mark.parametrize("policy", [LEARNING, SMALL], ids=["roomy", "crowded"])
@pytest.mark.parametrize("judged", [True, False], ids=["by a reference", "while learning"])
@pytest.mark.parametrize("at", [1, 300, 700])
def test_a_restored_detector_says_what_the_other_says(
    policy: DetectionPolicy, judged: bool, at: int
) -> None:
    log = hostile_log()
    detector = Detector(policy, known() if judged else None)
    detector.process(log[:at])
    other = restored(policy, *saved(detector))
    assert other.process(log[at:]) == detector.process(log[at:])
    assert saved(other) == saved(detector)


@pytest.mark.parametrize("policy", [LEARNING, SMALL], ids=["roomy", "crowded"])
@pytest.mark.parametrize("judged", [True, False], ids=["by a reference", "while learning"])
@pytest.mark.parametrize("times", [1, 2], ids=["once", "written twice"])
def test_what_changed_since_is_enough(policy: DetectionPolicy, judged: bool, times: int) -> None:
    log = hostile_log()
    detector = Detector(policy, known() if judged else None)
    parts: list[bytes] = []
    learnt: list[FrozenReference] = []
    header = b""
    for begin in range(0, len(log), 250):
        learnt += detector.process(log[begin : begin + 250]).frozen
        header, changed = saved(detector, every=False)
        parts += changed * times
    assert saved(restored(policy, header, parts, learnt)) == saved(detector)
    assert bool(learnt) != judged


def test_little_is_saved_when_little_has_changed() -> None:
    log = hostile_log()
    detector = Detector(LEARNING, known())
    detector.process(log)
    _, everything = saved(detector)
    detector.process(later(log, benign("alice", 3, 1)))
    _, changed = saved(detector, every=False)
    assert sum(map(len, changed)) < sum(map(len, everything)) / 10
    assert saved(detector, every=False)[1] == []


def later(log: Sequence[LocatedEvent], events: Sequence[object]) -> list[LocatedEvent]:
    moved = located(events)  # type: ignore[arg-type]
    return [LocatedEvent(p._replace(offset=p.offset + len(log)), e) for p, e in moved]


def test_a_reference_adopted_later_is_kept_too() -> None:
    log = hostile_log()
    detector = Detector(LEARNING)
    detector.process(log[:200])
    first = saved(detector)
    detector.adopt(MODEL, reference())
    header, changed = saved(detector, every=False)
    other = restored(LEARNING, header, [*first[1], *changed])
    assert other.digests() == {MODEL: reference().digest()}
    assert other.process(log[200:]) == detector.process(log[200:])


def test_a_drift_monitor_and_surrogates_go_on() -> None:
    streams = [benign(f"b{k}", 40, k) for k in range(60)]
    log = [*hostile_log(), *later(hostile_log(), interleave_events(streams))]
    detector = Detector(DetectionPolicy(), known())
    detector.process(log[:1200])
    other = restored(DetectionPolicy(), *saved(detector))
    assert other.process(log[1200:]) == detector.process(log[1200:])
    assert saved(other) == saved(detector)


def interleave_events(streams: Sequence[Sequence[object]]) -> list[object]:
    return [item.event for item in interleave(streams)]  # type: ignore[arg-type]


class TestUnusable:
    def detector(self) -> Detector:
        detector = Detector(LEARNING, known())
        detector.process(hostile_log()[:300])
        return detector

    def test_damage_is_noticed(self) -> None:
        header, parts = saved(self.detector())
        broken = bytearray(parts[0])
        broken[len(broken) // 2] ^= 1
        with pytest.raises(SavedStateError, match="checksum"):
            restored(LEARNING, header, [bytes(broken), *parts[1:]])
        with pytest.raises(SavedStateError, match="checksum"):
            unseal_header(header[:-1])

    def test_another_version_is_noticed(self) -> None:
        watches, learning = self.detector().headers()
        for state in (
            SavedState(STATE_VERSION + 1, layout(), watches, learning, COPIES),
            SavedState(STATE_VERSION, "other", watches, learning, COPIES),
        ):
            with pytest.raises(SavedStateError, match="another version"):
                unseal_header(seal(state))

    def test_a_missing_part_is_noticed(self) -> None:
        detector = Detector(LEARNING)
        detector.process(hostile_log()[:300])
        header, parts = saved(detector)
        with pytest.raises(SavedStateError, match="does not fit"):
            restored(LEARNING, header, parts[:-1])

    def test_a_reference_that_is_gone_is_noticed(self) -> None:
        header, parts = saved(self.detector())
        detector = Detector(LEARNING)
        with pytest.raises(SavedStateError, match="reference of model credit is gone"):
            detector.restore(unseal_header(header), unseal_parts(parts), lambda *_: None)

    def test_a_smaller_budget_is_noticed(self) -> None:
        detector = Detector(LEARNING, known())
        detector.process(located(event(f"c{i}", 0, None) for i in range(200)))
        with pytest.raises(SavedStateError, match="do not fit a limit"):
            restored(SMALL, *saved(detector))


def test_rows_of_float32_are_kept_while_learning() -> None:
    packed = msgspec.msgpack.encode(
        {
            "event_id": "e",
            "time": 1_750_000_000_000,
            "client_id": "alice",
            "model_id": "credit",
            "input": {"features": struct.pack("<3f", 0.1, 2.0, -3.5)},
        }
    )
    events = Decoder().decode_all([Record(Position("log", 0, 0), packed)]).events
    detector = Detector(LEARNING)
    detector.admit(MODEL)
    detector.process([*events, *later(events, benign("bob", 5, 1))])
    other = restored(LEARNING, *saved(detector))
    assert saved(restored(LEARNING, *saved(other))) == saved(other)
    more = later(events, benign("bob", 60, 1))
    assert other.process(more) == detector.process(more)
