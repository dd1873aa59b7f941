"""Severity adds up from its factors, and takes what could be reproduced into account."""

from datetime import UTC, datetime

import pytest

from detector.incidents.aggregate import IncidentPolicy
from detector.incidents.correlate import absorb
from detector.incidents.model import Incident, Severity, SeverityFactor
from detector.incidents.severity import Circumstances, SeverityPolicy, judge
from detector.scoring.fidelity import with_fidelity
from detector.scoring.finding import AttackClass, Finding, StolenFidelity
from tests.incidents.findings import finding

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
POLICY = IncidentPolicy()
GOOD = StolenFidelity(agreement=0.9, chance=0.5, answers=1240)
POOR = StolenFidelity(agreement=0.45, chance=0.5, answers=20)


def case(
    stolen: StolenFidelity | None, attack: AttackClass = AttackClass.EXTRACTION
) -> Circumstances:
    return Circumstances(attack, 0.99, 0.1, True, "principal", stolen)


def factor(breakdown: tuple[SeverityFactor, ...]) -> SeverityFactor | None:
    return next((item for item in breakdown if item.name == "stolen_fidelity"), None)


def after(*findings: Finding) -> Incident:
    known: tuple[Incident, ...] = ()
    for each in findings:
        (change,) = absorb(known, each, POLICY, NOW)
        known = (change.incident,)
    return known[0]


def test_points_grow_with_the_gain_over_chance() -> None:
    _, breakdown = judge(case(GOOD), SeverityPolicy())
    found = factor(breakdown)
    assert found is not None
    assert found.points == 20.0
    assert found.value == 0.9
    assert "could reproduce 90%" in found.reason
    assert "1,240 answers" in found.reason


def test_a_copy_no_better_than_chance_adds_nothing() -> None:
    with_poor, _ = judge(case(POOR), SeverityPolicy())
    without, breakdown = judge(case(None), SeverityPolicy())
    assert with_poor is without
    assert factor(breakdown) is None


@pytest.mark.parametrize(
    ("attack", "counts"),
    [
        (AttackClass.EXTRACTION, True),
        (AttackClass.HARVESTING, True),
        (AttackClass.INVERSION, False),
        (AttackClass.MEMBERSHIP, False),
        (AttackClass.EVASION, False),
        (AttackClass.ANOMALY, False),
    ],
)
def test_it_counts_where_the_model_is_what_is_taken(attack: AttackClass, counts: bool) -> None:
    _, breakdown = judge(case(GOOD, attack), SeverityPolicy())
    assert (factor(breakdown) is not None) is counts


def test_a_good_copy_makes_an_incident_critical() -> None:
    incident = after(finding(64), with_fidelity(finding(2000), GOOD))
    plain = after(finding(64), finding(2000))
    assert plain.severity is Severity.HIGH
    assert incident.severity is Severity.CRITICAL
    assert [item.kind for item in incident.evidence] == ["one_field_changes", "stolen_fidelity"]


def test_what_was_said_of_the_copy_stands_until_something_newer_is_said() -> None:
    """A suspect may have to leave the board; what it took is not given back by that."""
    incident = after(with_fidelity(finding(64), GOOD), finding(128))
    kept = factor(incident.severity_breakdown)
    assert kept is not None
    assert kept.value == 0.9
    newer = after(with_fidelity(finding(64), GOOD), with_fidelity(finding(128), POOR))
    assert factor(newer.severity_breakdown) == factor(judge(case(POOR), POLICY.severity)[1])


def test_factors_add_up_to_the_level() -> None:
    level, breakdown = judge(case(GOOD), SeverityPolicy())
    points = sum(item.points for item in breakdown)
    assert points >= SeverityPolicy().levels[level]
