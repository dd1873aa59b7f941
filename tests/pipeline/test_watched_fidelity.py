"""A watched model: what suspects could reproduce, and whether the world has moved."""

from collections.abc import Sequence

import pytest
from msgspec import structs

from detector.events.located import LocatedEvent
from detector.pipeline.watch import ModelWatch
from detector.scoring.finding import Finding, StolenFidelity
from detector.scoring.tables import ScoringPolicy
from tests.pipeline.world import day_of
from tests.scoring.traffic import (
    MODEL,
    benign,
    interleave,
    located,
    path_finding,
    random_querying,
    reference,
)


def found(events: Sequence[LocatedEvent], cut: int = 10**9) -> list[Finding]:
    watch = ModelWatch(MODEL, reference(), ScoringPolicy(), 1000)
    findings = []
    for begin in range(0, len(events), cut):
        findings += [item for _, item in watch.process(events[begin : begin + cut]).findings]
    return findings


def told(findings: Sequence[Finding]) -> list[StolenFidelity]:
    return [item.fidelity for item in findings if item.fidelity is not None]


def test_later_findings_say_what_the_suspect_could_reproduce() -> None:
    findings = found(located(random_querying("eve", 600, 1)))
    assert findings[0].fidelity is None
    estimates = told(findings)
    assert estimates
    # Every answer since the finding that the suspicion began with, and not that one's own.
    since = [item.query - findings[0].query for item in findings if item.fidelity is not None]
    assert [item.answers for item in estimates] == since
    assert estimates[-1].agreement > estimates[-1].chance + 0.1
    said = {item.kind for item in findings[-1].evidence}
    assert "stolen_fidelity" in said


def test_cuts_and_others_do_not_change_it() -> None:
    events = interleave(
        [random_querying("eve", 300, 1), path_finding("mal", 300, 2), benign("alice", 300, 3)]
    )
    whole = found(events)
    assert found(events, 7) == whole
    alone = told(found(located(random_querying("eve", 300, 1))))
    assert told([item for item in whole if item.client.client_id == "eve"]) == alone


def test_a_model_without_labels_gets_no_estimate() -> None:
    events = located(structs.replace(item, output=None) for item in random_querying("eve", 300, 1))
    findings = found(events)
    assert findings
    assert told(findings) == []


def test_a_moved_world_is_logged_and_is_nobodys_incident(caplog: pytest.LogCaptureFixture) -> None:
    watch = ModelWatch(MODEL, reference(), ScoringPolicy(), 1000)
    for day in range(6):
        watch.process(day_of(day))
    assert not caplog.records
    for day in range(6, 16):
        watch.process(day_of(day, shift=0.4))
    assert any("the world of model credit has moved" in item.message for item in caplog.records)
