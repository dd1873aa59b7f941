"""How findings become incidents: opening, extending, reclassifying, replaying."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st

from detector.incidents import acts
from detector.incidents.aggregate import IncidentPolicy, event_time, extend
from detector.incidents.correlate import absorb
from detector.incidents.model import (
    Incident,
    Severity,
    Stage,
    TimelineEntry,
    TimelineKind,
    Verdict,
)
from detector.incidents.timeline import verify_timeline
from detector.scoring.finding import AttackClass, Evidence, Finding
from tests.incidents.findings import finding

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
POLICY = IncidentPolicy()


class Case:
    """One client's incidents and their timelines."""

    def __init__(self) -> None:
        self.incidents: dict[str, Incident] = {}
        self.entries: dict[str, tuple[TimelineEntry, ...]] = {}

    def take(self, *findings: Finding) -> int:
        """Apply findings; returns how many changes they made."""
        changes = 0
        for each in findings:
            for change in absorb(tuple(self.incidents.values()), each, POLICY, NOW):
                key = change.incident.incident_id
                self.incidents[key] = change.incident
                self.entries[key] = self.entries.get(key, ()) + change.entries
                changes += 1
        return changes

    @property
    def only(self) -> Incident:
        (incident,) = self.incidents.values()
        return incident

    def kinds(self) -> Sequence[TimelineKind]:
        return [entry.kind for entry in self.entries[self.only.incident_id]]


def sweep(query: int, **values: object) -> Finding:
    """A technique that tree path-finding explains better."""
    return finding(
        query,
        technique="attribute_sweep",
        attack_class=AttackClass.INVERSION,
        atlas=("AML.T0024.001",),
        evidence=(Evidence("sweep", "one field took all its values"),),
        **values,
    )


def path(query: int) -> Finding:
    return finding(query, supersedes=("attribute_sweep",))


def test_the_first_finding_opens_an_incident_at_its_event() -> None:
    case = Case()
    case.take(finding(100))
    incident = case.only
    assert incident.opened_at == incident.last_seen == event_time(finding(100).time_ms)
    assert incident.opened_at_query == incident.queries == 100
    assert incident.created_at == NOW
    assert incident.stage is Stage.NEW
    assert incident.techniques == ("tree_path_finding",)
    assert incident.severity is incident.computed_severity is Severity.HIGH
    assert case.kinds() == [TimelineKind.OPENED]


def test_the_same_log_gives_the_same_incident_id_through_any_source() -> None:
    first, second = Case(), Case()
    first.take(finding(100))
    second.take(replace(finding(100), position=finding(7).position, confidence=0.97))
    assert first.only.incident_id == second.only.incident_id


def test_ids_whose_parts_run_together_stay_apart() -> None:
    first, second = Case(), Case()
    client = finding(1).client
    first.take(replace(finding(1), client=client._replace(model_id="a|b", client_id="c")))
    second.take(replace(finding(1), client=client._replace(model_id="a", client_id="b|c")))
    assert first.only.incident_id != second.only.incident_id
    assert first.only.dedup_key != second.only.dedup_key


def test_later_findings_extend_the_open_incident() -> None:
    case = Case()
    other = finding(
        300,
        technique="off_manifold",
        atlas=("AML.T0005.001",),
        confidence=0.95,
        progress=0.6,
        evidence=(Evidence("off_manifold", "values off the grid"),),
    )
    case.take(finding(100), finding(200, progress=0.3), other)
    incident = case.only
    assert incident.techniques == ("tree_path_finding", "off_manifold")
    assert incident.atlas == ("AML.T0024.002", "AML.T0005.001")
    assert (incident.confidence, incident.progress) == (0.99, 0.6)
    assert (incident.opened_at_query, incident.queries) == (100, 300)
    assert [e.kind for e in incident.evidence] == ["off_manifold", "one_field_changes"]
    assert incident.evidence[1].statement == "31 of 200 changed one field"
    assert verify_timeline(case.entries[incident.incident_id], incident.timeline_head) is None


def test_two_techniques_found_at_one_query_both_count() -> None:
    case = Case()
    case.take(finding(100), finding(100, technique="off_manifold"))
    case.take(finding(200), finding(200, technique="off_manifold", confidence=0.999))
    assert case.only.techniques == ("tree_path_finding", "off_manifold")
    assert case.only.confidence == 0.999


def test_growing_progress_raises_the_severity_and_the_timeline_says_so() -> None:
    case = Case()
    case.take(finding(100), finding(120, progress=1.0))
    assert case.only.severity is Severity.CRITICAL
    assert case.kinds() == [TimelineKind.OPENED, TimelineKind.SEVERITY]
    assert case.entries[case.only.incident_id][1].data["to"] == "critical"


def test_an_override_stands_while_the_computed_severity_moves() -> None:
    case = Case()
    case.take(finding(100))
    lowered = acts.override_severity(case.only, "ana", NOW, Severity.LOW)
    case.incidents[case.only.incident_id] = lowered.incident
    case.take(finding(120, progress=1.0))
    assert case.only.severity is case.only.severity_override is Severity.LOW
    assert case.only.computed_severity is Severity.CRITICAL


def test_small_repetitions_extend_without_an_entry() -> None:
    case = Case()
    case.take(finding(100), finding(101), finding(102))
    assert case.kinds() == [TimelineKind.OPENED]
    assert case.only.queries == 102
    assert case.only.version == 3


def test_a_better_explanation_reclassifies_what_it_supersedes() -> None:
    case = Case()
    case.take(sweep(50))
    before = case.only
    case.take(path(100))
    after = case.only
    assert after.incident_id == before.incident_id
    assert (before.attack_class, after.attack_class) == (
        AttackClass.INVERSION,
        AttackClass.EXTRACTION,
    )
    assert after.techniques == ("tree_path_finding",)
    assert after.atlas == ("AML.T0024.002",)
    assert after.dedup_key != before.dedup_key
    assert after.opened_at_query == 50
    assert TimelineKind.RECLASSIFIED in case.kinds()


def test_a_superseded_technique_opens_nothing_whichever_came_first() -> None:
    first, second = Case(), Case()
    first.take(sweep(50), path(100), sweep(150))
    second.take(path(100), sweep(150))
    for case in (first, second):
        assert case.only.attack_class is AttackClass.EXTRACTION
        assert case.only.techniques == ("tree_path_finding",)
        assert case.only.queries == 150


def test_a_technique_that_fits_better_again_takes_its_place_back() -> None:
    case = Case()
    back = replace(sweep(150), supersedes=("tree_path_finding",))
    case.take(sweep(50), path(100), back)
    assert case.only.attack_class is AttackClass.INVERSION
    assert case.only.techniques == ("attribute_sweep",)
    case.take(sweep(200), back, path(100))
    assert case.only.techniques == ("attribute_sweep",)
    assert (case.only.opened_at_query, case.only.queries) == (50, 200)
    assert case.kinds().count(TimelineKind.RECLASSIFIED) == 2
    case.take(path(300), sweep(350))
    assert case.only.techniques == ("tree_path_finding",)


def test_ids_of_a_superseded_technique_go_unless_another_one_has_them() -> None:
    """What it was suspected of before stands in the timeline."""
    case = Case()
    guessed = finding(100, technique="uniform", atlas=("AML.T0005.001", "AML.T0034.000"))
    walked = finding(120, technique="path", atlas=("AML.T0024.002", "AML.T0034.000"))
    better = finding(
        130, technique="jacobian", atlas=("AML.T0024.002", "AML.T0042"), supersedes=("uniform",)
    )
    best = replace(better, query=140, time_ms=better.time_ms + 1, supersedes=("path",))
    ids = []
    for each in (guessed, walked, better, best):
        case.take(each)
        ids.append(list(case.only.atlas))
    assert ids[1:] == [
        ["AML.T0005.001", "AML.T0034.000", "AML.T0024.002"],
        ["AML.T0034.000", "AML.T0024.002", "AML.T0042"],
        ["AML.T0024.002", "AML.T0042"],
    ]
    assert case.only.techniques == ("jacobian",)
    told = [entry.summary for entry in case.entries[case.only.incident_id]]
    assert "jacobian joined at query 130 in place of uniform" in told
    assert "jacobian seen again at query 140 in place of path" in told


def test_ids_stay_where_it_is_not_known_whose_they_are() -> None:
    """Earlier versions did not keep which technique brought which."""
    case = Case()
    case.take(finding(100, technique="uniform", atlas=("AML.T0005.001",)), finding(110))
    marks = tuple(replace(mark, atlas=None) for mark in case.only.marks)
    old = replace(case.only, marks=marks)
    better = finding(120, technique="jacobian", atlas=("AML.T0042",), supersedes=("uniform",))
    change = extend(old, better, IncidentPolicy(), NOW)
    assert change.incident.atlas == ("AML.T0005.001", "AML.T0024.002", "AML.T0042")
    again = replace(better, query=130, supersedes=("tree_path_finding", "uniform"))
    assert extend(change.incident, again, IncidentPolicy(), NOW).incident.atlas == ("AML.T0042",)


def test_an_incident_with_a_technique_of_its_own_is_not_reclassified() -> None:
    case = Case()
    case.take(sweep(50), replace(sweep(60), technique="confidence_ascent"), path(100))
    classes = [incident.attack_class for incident in case.incidents.values()]
    assert classes == [AttackClass.INVERSION, AttackClass.EXTRACTION]


def test_an_explained_incident_beside_an_open_one_is_closed_as_its_duplicate() -> None:
    case = Case()
    case.take(sweep(50), finding(60), path(100))
    folded, survivor = case.incidents.values()
    assert (folded.stage, folded.verdict) == (Stage.CLOSED, Verdict.DUPLICATE)
    assert survivor.is_open
    last = case.entries[folded.incident_id][-1]
    assert last.data["duplicate_of"] == survivor.incident_id


def test_an_explained_incident_that_somebody_works_on_stays() -> None:
    case = Case()
    case.take(sweep(50), finding(60))
    inversion = next(iter(case.incidents.values()))
    case.incidents[inversion.incident_id] = acts.acknowledge(inversion, "ana", NOW).incident
    case.take(path(100))
    assert case.incidents[inversion.incident_id].is_open


def closed(case: Case) -> None:
    incident = case.only
    change = acts.close(incident, "ana", NOW, Verdict.TRUE_POSITIVE)
    case.incidents[incident.incident_id] = change.incident


def test_a_closed_incident_does_not_absorb() -> None:
    case = Case()
    case.take(finding(100))
    closed(case)
    case.take(finding(200))
    old, new = case.incidents.values()
    assert not old.is_open
    assert old.queries == 100
    assert new.is_open
    assert new.opened_at_query == 200


def test_a_replay_after_closing_opens_nothing() -> None:
    case = Case()
    log = [sweep(50), path(100), sweep(150), path(200)]
    case.take(*log)
    closed(case)
    assert case.take(*log) == 0


def test_a_client_whose_state_was_forgotten_is_seen_again() -> None:
    case = Case()
    case.take(finding(500))
    closed(case)
    later = finding(500).time_ms + 86_400_000
    case.take(finding(40, time_ms=later, event_id="after"))
    assert [incident.is_open for incident in case.incidents.values()] == [False, True]


def test_evidence_and_ranges_are_bounded() -> None:
    case = Case()
    for query in range(100, 20_000, 100):
        kind = Evidence(f"kind-{query}", "seen")
        case.take(finding(query, evidence=(*finding(query).evidence, kind)))
    assert len(case.only.evidence) == POLICY.evidence.max_statements
    ranges = case.only.evidence[0].ranges
    assert len(ranges) == POLICY.evidence.max_ranges
    assert (ranges[0].first_offset, ranges[-1].last_offset) == (68, 19_900)


def test_numbers_that_no_json_carries_are_left_out() -> None:
    case = Case()
    evidence = Evidence("ratio", "infinite", {"ratio": float("inf"), "n": 3})
    case.take(finding(10, features={"a": float("nan"), "b": 1.0}, evidence=(evidence,)))
    assert case.only.features == {"b": 1.0}
    assert case.only.evidence[0].numbers == {"n": 3}


def test_an_anomaly_is_no_alarm_unless_the_evidence_is_strong() -> None:
    weak, strong = Case(), Case()
    novelty = finding(
        100, technique="novelty", attack_class=AttackClass.ANOMALY, progress=1.0, confidence=0.999
    )
    weak.take(novelty)
    strong.take(replace(novelty, confidence=0.99999))
    assert weak.only.severity is Severity.INFO
    assert strong.only.severity.rank > Severity.INFO.rank
    points = sum(factor.points for factor in weak.only.severity_breakdown)
    assert points < min(POLICY.severity.levels.values())


@given(
    queries=st.lists(st.integers(1, 400), min_size=1, max_size=30).map(sorted),
    techniques=st.lists(st.sampled_from([finding, sweep, path]), min_size=30, max_size=30),
    cut=st.integers(0, 30),
)
def test_replaying_any_part_changes_nothing(
    queries: list[int], techniques: list[Callable[[int], Finding]], cut: int
) -> None:
    log = [make(query) for query, make in zip(queries, techniques, strict=False)]
    case = Case()
    case.take(*log)
    before = dict(case.incidents)
    assert case.take(*log[cut:]) == 0
    assert case.incidents == before
    for key, incident in before.items():
        assert verify_timeline(case.entries[key], incident.timeline_head) is None
    keys = [incident.dedup_key for incident in before.values() if incident.is_open]
    assert len(keys) == len(set(keys))
