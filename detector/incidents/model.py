"""The incident and its children, as the domain sees them."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from detector.scoring.finding import AttackClass, Evidence, Scalar

GENESIS_HASH = "0" * 64
"""What the first timeline entry is chained to."""


class Severity(StrEnum):
    """How much an incident matters; `info` is not an alarm."""

    INFO = "info"
    LOW = "low"
    MEDIUM = "medium"
    HIGH = "high"
    CRITICAL = "critical"

    @property
    def rank(self) -> int:
        """0 for info up to 4 for critical."""
        return list(Severity).index(self)


class Stage(StrEnum):
    """Where an incident stands in its handling."""

    NEW = "new"
    SUPPRESSED = "suppressed"
    TRIAGED = "triaged"
    IN_PROGRESS = "in_progress"
    RESOLVED = "resolved"
    CLOSED = "closed"
    REOPENED = "reopened"


class Verdict(StrEnum):
    """What the analyst concluded; required to close."""

    FALSE_POSITIVE = "false_positive"
    TRUE_POSITIVE = "true_positive"
    TRUE_POSITIVE_NO_IMPACT = "true_positive_no_impact"
    BENIGN = "benign"
    DUPLICATE = "duplicate"
    INSUFFICIENT_DATA = "insufficient_data"


@dataclass(frozen=True, slots=True)
class SeverityFactor:
    """One line of the severity's explanation: what was looked at, its value, what it added."""

    name: str
    value: Scalar
    points: float
    reason: str


@dataclass(frozen=True, slots=True)
class TechniqueMark:
    """How far one technique's findings are applied to an incident, so that a replay adds nothing.

    Attributes:
        technique: Name of the hypothesis.
        query: Highest ordinal among the client's queries at which it was found; 0 for never.
        time_ms: Latest event time at which it was found; 0 for never.
        superseded: A better explanation took its place; its findings add no evidence, until one of
            them takes the place of that explanation.
        atlas: MITRE ATLAS technique ids that its findings name; None where an earlier version
            wrote the mark, which did not keep them.
    """

    technique: str
    query: int
    time_ms: int
    superseded: bool = False
    atlas: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True)
class Incident:
    """One client's suspected attack of one class on one model.

    `severity` is the one that counts: the analyst's override where there is one, else the computed
    one; `computed_severity` and its breakdown are always kept. `version` grows by one with every
    change and guards against lost updates. Times are timezone-aware UTC. `opened_at` and
    `last_seen` are event times; the other times are wall-clock times. `escalation_level` is
    1 from the opening, sent or not, and 2 once nobody took notice in time. `timeline_head` is the
    newest entry's hash and `timeline_length` the number of entries, so that a shortened timeline
    shows too. `waiting` is since when it has been watched at each severity or a higher one.
    """

    incident_id: str
    tenant_id: str
    client_id: str
    model_id: str
    attack_class: AttackClass
    techniques: tuple[str, ...]
    atlas: tuple[str, ...]
    stage: Stage
    severity: Severity
    computed_severity: Severity
    severity_breakdown: tuple[SeverityFactor, ...]
    severity_override: Severity | None
    confidence: float
    progress: float
    calibrated: bool
    identity_source: str
    opened_at: datetime
    opened_at_query: int
    last_seen: datetime
    queries: int
    evidence: tuple[Evidence, ...]
    features: Mapping[str, float]
    dedup_key: str
    created_at: datetime
    updated_at: datetime
    assignee: str | None = None
    acknowledged_at: datetime | None = None
    acknowledged_by: str | None = None
    verdict: Verdict | None = None
    closed_at: datetime | None = None
    marks: tuple[TechniqueMark, ...] = ()
    escalation_level: int = 1
    timeline_length: int = 0
    timeline_head: str = GENESIS_HASH
    version: int = 1
    waiting: Mapping[Severity, datetime] = field(default_factory=dict)

    @property
    def is_open(self) -> bool:
        """Whether later findings of the same kind extend it instead of opening another one."""
        return self.stage is not Stage.CLOSED


class TimelineKind(StrEnum):
    """What a timeline entry records."""

    OPENED = "opened"
    EXTENDED = "extended"
    RECLASSIFIED = "reclassified"
    SEVERITY = "severity"
    ACKNOWLEDGED = "acknowledged"
    ASSIGNED = "assigned"
    COMMENTED = "commented"
    STAGE = "stage"
    CLOSED = "closed"
    ESCALATED = "escalated"
    DELIVERED = "delivered"


@dataclass(frozen=True, slots=True)
class TimelineEntry:
    """One act of a machine or a person, append-only and chained by hash.

    `actor` is `querywatch` for the machine. `entry_hash` is the SHA-256, hex, over the previous
    entry's hash and this entry's canonical JSON; the first entry's `previous_hash` is 64 zeros.
    """

    incident_id: str
    sequence: int
    at: datetime
    actor: str
    kind: TimelineKind
    summary: str
    data: Mapping[str, Scalar | None]
    previous_hash: str
    entry_hash: str


@dataclass(frozen=True, slots=True)
class IncidentChange:
    """An incident after an act, with the timeline entries that the act added.

    `previous_version` is 0 for a new incident, else the version that the change was made from.
    """

    incident: Incident
    entries: tuple[TimelineEntry, ...]
    previous_version: int
