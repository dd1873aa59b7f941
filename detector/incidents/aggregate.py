"""What a finding does to an incident: open it, extend it, reclassify it, fold it into another."""

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from detector.incidents.change import change, creation
from detector.incidents.evidence import (
    EvidencePolicy,
    finite_features,
    merge_evidence,
    told_fidelity,
)
from detector.incidents.identity import dedup_key, incident_id
from detector.incidents.model import (
    Incident,
    IncidentChange,
    Stage,
    TechniqueMark,
    TimelineKind,
    Verdict,
)
from detector.incidents.severity import Circumstances, SeverityPolicy, judge
from detector.incidents.timeline import Note
from detector.scoring.finding import Finding

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class IncidentPolicy:
    """How findings become incidents."""

    severity: SeverityPolicy = field(default_factory=SeverityPolicy)
    evidence: EvidencePolicy = field(default_factory=EvidencePolicy)


def event_time(time_ms: int) -> datetime:
    """Return UTC milliseconds since the epoch as a time, exactly."""
    return _EPOCH + timedelta(milliseconds=time_ms)


def open_incident(finding: Finding, policy: IncidentPolicy, at: datetime) -> IncidentChange:
    """Return the incident that a finding opens, at wall-clock time `at`."""
    severity, breakdown = judge(_circumstances(finding), policy.severity)
    seen = event_time(finding.time_ms)
    incident = Incident(
        incident_id=incident_id(finding),
        tenant_id=finding.client.tenant_id,
        client_id=finding.client.client_id,
        model_id=finding.client.model_id,
        attack_class=finding.attack_class,
        techniques=(finding.technique,),
        atlas=finding.atlas,
        stage=Stage.NEW,
        severity=severity,
        computed_severity=severity,
        severity_breakdown=breakdown,
        severity_override=None,
        confidence=finding.confidence,
        progress=finding.progress,
        calibrated=finding.calibrated,
        identity_source=finding.identity_source,
        opened_at=seen,
        opened_at_query=finding.query,
        last_seen=seen,
        queries=finding.query,
        evidence=merge_evidence((), finding.evidence, policy.evidence),
        features=finite_features(finding.features),
        dedup_key=dedup_key(finding.client, finding.attack_class),
        created_at=at,
        updated_at=at,
        marks=_marked((), finding),
    )
    summary = (
        f"{finding.attack_class} suspected at query {finding.query}: {finding.technique}, "
        f"confidence {finding.confidence:.3f}, severity {severity}"
    )
    data = {**_facts(finding), "severity": str(severity), "event_id": finding.event_id}
    return creation(incident, [Note(TimelineKind.OPENED, summary, data)])


def extend(
    incident: Incident, finding: Finding, policy: IncidentPolicy, at: datetime
) -> IncidentChange:
    """Return the incident after a later finding of its own class.

    An entry is written when the finding adds something an analyst would want to know of: a
    technique, a kind of evidence, another level, or twice the queries of before.
    """
    kept = tuple(t for t in incident.techniques if t not in finding.supersedes)
    values = _absorbed(incident, finding, policy, kept)
    notes = []
    kinds = {evidence.kind for evidence in incident.evidence}
    doubled = finding.query.bit_length() > incident.queries.bit_length()
    told = {evidence.kind for evidence in finding.evidence}
    if doubled or values["techniques"] != incident.techniques or not told <= kinds:
        verb = "seen again" if finding.technique in incident.techniques else "joined"
        gone = [technique for technique in incident.techniques if technique not in kept]
        instead = f" in place of {', '.join(gone)}" if gone else ""
        summary = f"{finding.technique} {verb} at query {finding.query}{instead}"
        notes.append(Note(TimelineKind.EXTENDED, summary, _facts(finding)))
    return change(incident, at, [*notes, *_severity_notes(incident, values)], **values)


def note_superseded(incident: Incident, finding: Finding, at: datetime) -> IncidentChange:
    """Return the incident after a finding of a technique that a better one took the place of."""
    return change(
        incident,
        at,
        [],
        last_seen=max(incident.last_seen, event_time(finding.time_ms)),
        queries=max(incident.queries, finding.query),
        marks=_marked(incident.marks, finding, superseded=True),
    )


def reclassify(
    incident: Incident, finding: Finding, policy: IncidentPolicy, at: datetime
) -> IncidentChange:
    """Return the incident under the class of a finding that explains it better.

    Where it was opened, and what was seen until now, stay.
    """
    values = _absorbed(replace(incident, confidence=0.0, progress=0.0), finding, policy, ())
    values |= {
        "attack_class": finding.attack_class,
        "atlas": finding.atlas,
        "dedup_key": dedup_key(finding.client, finding.attack_class),
    }
    summary = (
        f"reclassified from {incident.attack_class} to {finding.attack_class}: "
        f"{finding.technique} explains it better than {', '.join(incident.techniques)}"
    )
    data = {**_facts(finding), "from": str(incident.attack_class), "to": str(finding.attack_class)}
    note = Note(TimelineKind.RECLASSIFIED, summary, data)
    return change(incident, at, [note, *_severity_notes(incident, values)], **values)


def fold(incident: Incident, into: str, finding: Finding, at: datetime) -> IncidentChange:
    """Close an incident that a finding of another open incident explains better."""
    summary = f"duplicate of {into}: {finding.technique} explains it better"
    data = {"verdict": str(Verdict.DUPLICATE), "duplicate_of": into}
    return change(
        incident,
        at,
        [Note(TimelineKind.CLOSED, summary, data)],
        stage=Stage.CLOSED,
        verdict=Verdict.DUPLICATE,
        closed_at=at,
    )


def _absorbed(
    incident: Incident, finding: Finding, policy: IncidentPolicy, kept: tuple[str, ...]
) -> dict[str, Any]:
    """Field values of the incident with the finding in it; `kept` techniques still hold."""
    case = replace(
        _circumstances(finding),
        confidence=max(incident.confidence, finding.confidence),
        progress=max(incident.progress, finding.progress),
        calibrated=incident.calibrated or finding.calibrated,
        fidelity=finding.fidelity or told_fidelity(incident.evidence),
    )
    computed, breakdown = judge(case, policy.severity)
    return {
        "techniques": _united(kept, (finding.technique,)),
        "atlas": _standing_atlas(incident, finding, kept),
        "severity": incident.severity_override or computed,
        "computed_severity": computed,
        "severity_breakdown": breakdown,
        "confidence": case.confidence,
        "progress": case.progress,
        "calibrated": case.calibrated,
        "identity_source": finding.identity_source,
        "last_seen": max(incident.last_seen, event_time(finding.time_ms)),
        "queries": max(incident.queries, finding.query),
        "evidence": merge_evidence(incident.evidence, finding.evidence, policy.evidence),
        "features": finite_features(finding.features),
        "marks": _marked(incident.marks, finding),
    }


def _standing_atlas(incident: Incident, finding: Finding, kept: tuple[str, ...]) -> tuple[str, ...]:
    """The ids of what holds with the finding in it; those of superseded techniques go."""
    known = {mark.technique: mark.atlas for mark in incident.marks}
    standing = [known.get(technique) for technique in kept if technique != finding.technique]
    united = _united(incident.atlas, finding.atlas)
    if None in standing:  # whose ids these are is not known of what an earlier version stored
        return united
    named = {atlas_id for ids in (*standing, finding.atlas) for atlas_id in ids or ()}
    return tuple(atlas_id for atlas_id in united if atlas_id in named)


def _severity_notes(incident: Incident, values: dict[str, Any]) -> list[Note]:
    before, after = incident.computed_severity, values["computed_severity"]
    if before is after:
        return []
    verb = "raised" if after.rank > before.rank else "lowered"
    data = {"from": str(before), "to": str(after), "in_force": str(values["severity"])}
    summary = f"computed severity {verb} from {before} to {after}"
    return [Note(TimelineKind.SEVERITY, summary, data)]


def _marked(
    marks: Iterable[TechniqueMark], finding: Finding, *, superseded: bool = False
) -> tuple[TechniqueMark, ...]:
    """Move the finding's own mark forward and mark what it supersedes; ordered by name."""
    known = {mark.technique: mark for mark in marks}
    for technique in finding.supersedes:
        mark = known.get(technique, TechniqueMark(technique, 0, 0))
        known[technique] = replace(mark, superseded=True)
    own = known.get(finding.technique, TechniqueMark(finding.technique, 0, 0))
    known[finding.technique] = TechniqueMark(
        finding.technique,
        max(own.query, finding.query),
        max(own.time_ms, finding.time_ms),
        superseded,
        finding.atlas,
    )
    return tuple(known[technique] for technique in sorted(known))


def _circumstances(finding: Finding) -> Circumstances:
    return Circumstances(
        finding.attack_class,
        finding.confidence,
        finding.progress,
        finding.calibrated,
        finding.identity_source,
        finding.fidelity,
    )


def _facts(finding: Finding) -> dict[str, str | int | float]:
    return {
        "technique": finding.technique,
        "query": finding.query,
        "confidence": finding.confidence,
        "progress": finding.progress,
        "topic": finding.position.topic,
        "partition": finding.position.partition,
        "offset": finding.position.offset,
    }


def _united(first: Iterable[str], second: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys((*first, *second)))
