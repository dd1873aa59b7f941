"""What the API answers: Pydantic forms of the domain's objects, read from their attributes."""

from collections.abc import Mapping
from datetime import datetime

from pydantic import BaseModel, ConfigDict, Field

from detector.incidents import atlas
from detector.incidents.model import Incident, Severity, Stage, TimelineKind, Verdict
from detector.pipeline.ports import ReferenceStatus
from detector.scoring.finding import AttackClass, Scalar


class Out(BaseModel):
    """Base of everything answered."""

    model_config = ConfigDict(from_attributes=True, frozen=True)


class LogRangeOut(Out):
    """A stretch of one partition of the log, both ends in."""

    topic: str
    partition: int
    first_offset: int
    last_offset: int


class EvidenceOut(Out):
    """One statement an analyst can check."""

    kind: str = Field(description="Stable identifier of the statement.")
    statement: str = Field(description="The sentence, with its numbers.")
    numbers: Mapping[str, Scalar] = Field(description="The same numbers by name.")
    ranges: tuple[LogRangeOut, ...] = Field(description="Where in the log the queries stand.")


class SeverityFactorOut(Out):
    """One line of the severity's explanation."""

    name: str
    value: Scalar
    points: float
    reason: str


class AtlasOut(Out):
    """An entry of MITRE ATLAS."""

    atlas_id: str
    name: str
    url: str


class IncidentSummaryOut(Out):
    """An incident as a list shows it."""

    incident_id: str
    tenant_id: str
    client_id: str
    model_id: str
    attack_class: AttackClass
    techniques: tuple[str, ...] = Field(description="Names of the hypotheses, first found first.")
    atlas: tuple[str, ...] = Field(description="MITRE ATLAS technique ids.")
    stage: Stage
    severity: Severity = Field(description="The severity that counts.")
    computed_severity: Severity = Field(description="What it would be without an override.")
    severity_override: Severity | None
    confidence: float = Field(description="Probability in [0, 1] that this is the attack.")
    progress: float = Field(description="How far the attack has come, in [0, 1].")
    calibrated: bool = Field(description="Whether a reference of benign traffic stood behind it.")
    identity_source: str = Field(description="How the client is known, as logged.")
    opened_at: datetime = Field(description="Event time of the query at which it opened.")
    opened_at_query: int = Field(description="Ordinal of that query among the client's, from 1.")
    last_seen: datetime = Field(description="Event time of the newest evidence.")
    queries: int = Field(description="The client's queries of the model so far.")
    dedup_key: str = Field(description="At most one open incident carries it.")
    created_at: datetime
    updated_at: datetime
    assignee: str | None
    acknowledged_at: datetime | None
    acknowledged_by: str | None
    verdict: Verdict | None
    closed_at: datetime | None
    escalation_level: int = Field(description="Highest level of people told so far.")
    timeline_length: int
    timeline_head: str = Field(description="Hash of the newest timeline entry.")
    version: int = Field(description="Grows by one with every change; the ETag.")


class IncidentOut(IncidentSummaryOut):
    """An incident in full."""

    severity_breakdown: tuple[SeverityFactorOut, ...]
    evidence: tuple[EvidenceOut, ...] = Field(description="Strongest first.")
    features: Mapping[str, float] = Field(description="Client features by catalogue name.")
    atlas_techniques: tuple[AtlasOut, ...] = Field(description="The ids in `atlas`, by name.")
    mitigations: tuple[AtlasOut, ...] = Field(description="What ATLAS recommends against it.")

    @classmethod
    def of(cls, incident: Incident) -> "IncidentOut":
        """Return the full form of an incident, with ATLAS's names."""
        own = {
            name: getattr(incident, name)
            for name in cls.model_fields
            if name not in ("atlas_techniques", "mitigations")
        }
        return cls.model_validate(
            own
            | {
                "atlas_techniques": atlas.techniques(incident.atlas),
                "mitigations": atlas.mitigations(incident.attack_class),
            }
        )


class IncidentPageOut(Out):
    """One page of incidents, newest first."""

    items: tuple[IncidentSummaryOut, ...]
    next_cursor: str | None = Field(description="Give it as `after`; null on the last page.")


class TimelineEntryOut(Out):
    """One act of a machine or a person."""

    incident_id: str
    sequence: int
    at: datetime
    actor: str = Field(description="`querywatch` for the machine.")
    kind: TimelineKind
    summary: str
    data: Mapping[str, Scalar | None]
    previous_hash: str
    entry_hash: str = Field(description="SHA-256 over the previous hash and this entry.")


class TimelineOut(Out):
    """An incident's whole timeline, oldest first."""

    items: tuple[TimelineEntryOut, ...]


class ClientKeyOut(Out):
    """Whose behaviour is watched."""

    tenant_id: str
    model_id: str
    client_id: str


class ClientProfileOut(Out):
    """What is known of one client of one model."""

    client: ClientKeyOut
    first_seen: datetime
    last_seen: datetime
    queries: int
    identity_source: str
    status: str = Field(description="Whether its scores can be relied on yet.")
    features: Mapping[str, float] = Field(description="By catalogue name.")
    scores: Mapping[str, float] = Field(description="By hypothesis.")


class ModelKeyOut(Out):
    """A watched model."""

    tenant_id: str
    model_id: str


class ReferenceOut(Out):
    """A stored picture of benign traffic, without its body."""

    model: ModelKeyOut
    version: int
    status: ReferenceStatus
    created_at: datetime
    events: int = Field(description="Predictions it was learnt from.")
    clients: int = Field(description="Clients it was learnt from.")
    origin: str
    digest: str = Field(description="SHA-256 of its body.")
    summary: Mapping[str, Scalar]


class ReferenceListOut(Out):
    """References, newest version first within each model."""

    items: tuple[ReferenceOut, ...]


class ModelOut(Out):
    """A model that has references."""

    tenant_id: str
    model_id: str
    active_version: int | None = Field(description="The reference in force; null for none.")
    versions: int = Field(description="How many references are stored.")


class ModelListOut(Out):
    """Models that have references, by tenant and id."""

    items: tuple[ModelOut, ...]


class HealthOut(Out):
    """The process lives."""

    status: str


class CheckOut(Out):
    """One part's readiness."""

    name: str
    ready: bool
    detail: str = Field(description="What is missing; empty when ready.")


class ReadinessOut(Out):
    """Whether work can be done."""

    ready: bool
    checks: tuple[CheckOut, ...]
