"""What people do to an incident, and the state machine that holds them to it."""

from datetime import UTC, datetime, timedelta

import pytest

from detector.incidents import acts
from detector.incidents.aggregate import IncidentPolicy, open_incident
from detector.incidents.model import Incident, Severity, Stage, TimelineKind, Verdict
from detector.incidents.transitions import ALLOWED, require_move
from detector.kit.errors import ConfigurationError, ConflictError
from tests.incidents.findings import finding

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
LATER = NOW + timedelta(hours=1)


@pytest.fixture
def incident() -> Incident:
    return open_incident(finding(100), IncidentPolicy(), NOW).incident


def test_every_stage_has_its_moves() -> None:
    assert set(ALLOWED) == set(Stage)


@pytest.mark.parametrize("present", Stage)
@pytest.mark.parametrize("wanted", Stage)
def test_a_move_that_is_not_allowed_names_those_that_are(present: Stage, wanted: Stage) -> None:
    if wanted in ALLOWED[present]:
        require_move(present, wanted)
        return
    with pytest.raises(ConflictError) as raised:
        require_move(present, wanted)
    for allowed in ALLOWED[present]:
        assert allowed in str(raised.value)


def test_acknowledging_assigns_the_caller(incident: Incident) -> None:
    change = acts.acknowledge(incident, "ana", LATER)
    after = change.incident
    assert (after.assignee, after.acknowledged_by, after.acknowledged_at) == ("ana", "ana", LATER)
    assert (change.previous_version, after.version, after.updated_at) == (1, 2, LATER)
    assert change.entries[0].kind is TimelineKind.ACKNOWLEDGED
    assert change.entries[0].actor == "ana"


def test_acknowledging_assigns_somebody_else_when_told(incident: Incident) -> None:
    after = acts.acknowledge(incident, "ana", LATER, assignee="bo").incident
    assert (after.assignee, after.acknowledged_by) == ("bo", "ana")


def test_acknowledging_twice_says_who_did(incident: Incident) -> None:
    acknowledged = acts.acknowledge(incident, "ana", LATER).incident
    with pytest.raises(ConflictError, match="already acknowledged by ana"):
        acts.acknowledge(acknowledged, "bo", LATER)


def test_assigning_to_nobody(incident: Incident) -> None:
    assigned = acts.assign(incident, "ana", LATER, "bo").incident
    change = acts.assign(assigned, "ana", LATER, None)
    assert change.incident.assignee is None
    assert change.entries[0].data == {"from": "bo", "to": None}


def test_closing_keeps_the_verdict_and_reopening_takes_it_back(incident: Incident) -> None:
    shut = acts.close(incident, "ana", LATER, Verdict.BENIGN, "load test").incident
    assert (shut.stage, shut.verdict, shut.closed_at) == (Stage.CLOSED, Verdict.BENIGN, LATER)
    with pytest.raises(ConflictError, match="reopened"):
        acts.close(shut, "ana", LATER, Verdict.BENIGN)
    with pytest.raises(ConflictError, match="reopen"):
        acts.acknowledge(shut, "ana", LATER)
    again = acts.reopen(shut, "bo", LATER).incident
    assert (again.stage, again.verdict, again.closed_at) == (Stage.REOPENED, None, None)
    assert again.acknowledged_by == "bo"


def test_moving_to_closed_asks_for_a_verdict(incident: Incident) -> None:
    with pytest.raises(ConflictError, match="verdict"):
        acts.move(incident, "ana", LATER, Stage.CLOSED)


def test_moving_follows_the_table(incident: Incident) -> None:
    after = incident
    for stage in (Stage.TRIAGED, Stage.IN_PROGRESS, Stage.RESOLVED, Stage.REOPENED):
        after = acts.move(after, "ana", LATER, stage).incident
        assert after.stage is stage
    with pytest.raises(ConflictError, match="allowed moves"):
        acts.move(after, "ana", LATER, Stage.NEW)


@pytest.mark.parametrize("text", ["", "  ", "a\0b", "x" * (acts.MAX_COMMENT + 1)])
def test_a_comment_must_be_storable(incident: Incident, text: str) -> None:
    with pytest.raises(ConfigurationError, match="text"):
        acts.comment(incident, "ana", LATER, text)


def test_the_override_goes_and_the_computed_severity_returns(incident: Incident) -> None:
    low = acts.override_severity(incident, "ana", LATER, Severity.LOW).incident
    assert (low.severity, low.computed_severity) == (Severity.LOW, incident.severity)
    back = acts.override_severity(low, "ana", LATER, None).incident
    assert (back.severity, back.severity_override) == (incident.severity, None)
