"""Since when an incident waits for somebody."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from detector.incidents import acts
from detector.incidents.aggregate import IncidentPolicy, extend, open_incident
from detector.incidents.model import Incident, IncidentChange, Severity, Stage, Verdict
from tests.incidents.findings import finding

START = datetime(2026, 5, 4, tzinfo=UTC)
Act = Callable[[Incident, datetime], IncidentChange]


def since(*steps: Act) -> int | None:
    """Hours from its opening at which a grave incident began to wait; a step each hour."""
    change = open_incident(finding(100, confidence=0.999, progress=1.0), IncidentPolicy(), START)
    for hour, step in enumerate(steps, start=1):
        change = step(change.incident, START + timedelta(hours=hour))
    found = change.incident.waiting.get(Severity.HIGH)
    return None if found is None else (found - START) // timedelta(hours=1)


def override(severity: Severity | None) -> Act:
    return lambda incident, at: acts.override_severity(incident, "ana", at, severity)


def move(stage: Stage) -> Act:
    return lambda incident, at: acts.move(incident, "ana", at, stage)


def close(incident: Incident, at: datetime) -> IncidentChange:
    return acts.close(incident, "ana", at, Verdict.BENIGN)


def comment(incident: Incident, at: datetime) -> IncidentChange:
    return acts.comment(incident, "ana", at, "hm")


def test_it_waits_from_its_opening_while_it_stays_severe() -> None:
    assert since() == since(comment, move(Stage.TRIAGED), override(Severity.CRITICAL)) == 0


def test_a_severity_below_begins_anew() -> None:
    assert since(override(Severity.LOW)) is None
    assert since(override(Severity.LOW), comment, override(None), comment) == 3


def test_what_an_analyst_set_stays_in_force_while_the_computed_severity_moves() -> None:
    def grow(incident: Incident, at: datetime) -> IncidentChange:
        return extend(incident, finding(900, confidence=1.0, progress=1.0), IncidentPolicy(), at)

    mild = open_incident(finding(100, confidence=0.6, progress=0.0), IncidentPolicy(), START)
    held = acts.override_severity(mild.incident, "ana", START, Severity.LOW)
    grown = grow(held.incident, START + timedelta(hours=1)).incident
    assert grown.computed_severity.rank >= Severity.HIGH.rank
    assert grown.waiting == dict.fromkeys((Severity.INFO, Severity.LOW), START)


def test_a_stage_in_which_nobody_need_look_begins_anew() -> None:
    assert since(move(Stage.SUPPRESSED)) is None
    assert since(move(Stage.SUPPRESSED), move(Stage.NEW)) == 2
    assert since(close) is None
    assert since(close, move(Stage.REOPENED)) == 2
