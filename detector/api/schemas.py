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

    topic: str = Field(description="Topic, or the path of a log file.")
    partition: int = Field(description="Partition of the topic; 0 of a file.")
    first_offset: int = Field(
        description="Offset of the first record; of a file its line's number, from 0."
    )
    last_offset: int = Field(description="Offset of the last record, itself in.")


class EvidenceOut(Out):
    """One statement an analyst can check."""

    kind: str = Field(description="Stable identifier of the statement.")
    statement: str = Field(description="The sentence, with its numbers.")
    numbers: Mapping[str, Scalar] = Field(description="The same numbers by name.")
    ranges: tuple[LogRangeOut, ...] = Field(description="Where in the log the queries stand.")


class SeverityFactorOut(Out):
    """One line of the severity's explanation."""

    name: str = Field(description="What counted.")
    value: Scalar = Field(description="What it was found to be.")
    points: float = Field(description="What it adds to the severity, of 100.")
    reason: str = Field(description="Why, in a sentence.")


class AtlasOut(Out):
    """An entry of MITRE ATLAS."""

    atlas_id: str = Field(description="Its id.")
    name: str = Field(description="Its name.")
    url: str = Field(description="Where ATLAS describes it.")


class IncidentSummaryOut(Out):
    """An incident as a list shows it."""

    incident_id: str = Field(
        description="The same however often and by whatever way the log is read."
    )
    tenant_id: str = Field(description="Empty where there are no tenants.")
    client_id: str = Field(description="As the log names the client.")
    model_id: str = Field(description="As the log names the model.")
    attack_class: AttackClass = Field(description="What is suspected.")
    techniques: tuple[str, ...] = Field(description="Names of the hypotheses, first found first.")
    atlas: tuple[str, ...] = Field(description="MITRE ATLAS technique ids.")
    stage: Stage = Field(description="Where it is in its handling.")
    severity: Severity = Field(description="The severity that counts.")
    computed_severity: Severity = Field(description="What it would be without an override.")
    severity_override: Severity | None = Field(description="An analyst's severity; null for none.")
    confidence: float = Field(description="Probability in [0, 1] that this is the attack.")
    progress: float = Field(description="How far the attack has come, in [0, 1].")
    calibrated: bool = Field(description="Whether a reference of benign traffic stood behind it.")
    identity_source: str = Field(description="How the client is known, as logged.")
    opened_at: datetime = Field(description="Event time of the query at which it opened.")
    opened_at_query: int = Field(description="Ordinal of that query among the client's, from 1.")
    last_seen: datetime = Field(description="Event time of the newest evidence.")
    queries: int = Field(description="The client's queries of the model so far.")
    dedup_key: str = Field(description="At most one open incident carries it.")
    created_at: datetime = Field(description="When it was first stored.")
    updated_at: datetime = Field(description="When it last changed.")
    assignee: str | None = Field(description="Who works on it; null for nobody.")
    acknowledged_at: datetime | None = Field(
        description="When somebody took notice; null while nobody has."
    )
    acknowledged_by: str | None = Field(description="Who took notice.")
    verdict: Verdict | None = Field(
        description="What an analyst concluded; null until it is closed."
    )
    closed_at: datetime | None = Field(description="When it was closed; null while it is open.")
    escalation_level: int = Field(
        description="1 from the opening, sent or not; 2 once nobody took notice in time."
    )
    timeline_length: int = Field(description="Entries of its timeline.")
    timeline_head: str = Field(description="Hash of the newest timeline entry.")
    version: int = Field(description="Grows by one with every change; the ETag.")


class IncidentOut(IncidentSummaryOut):
    """An incident in full."""

    severity_breakdown: tuple[SeverityFactorOut, ...] = Field(
        description="How the computed severity came about."
    )
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

    items: tuple[IncidentSummaryOut, ...] = Field(description="Newest first.")
    next_cursor: str | None = Field(description="Give it as `after`; null on the last page.")


class TimelineEntryOut(Out):
    """One act of a machine or a person."""

    incident_id: str = Field(description="Whose entry it is.")
    sequence: int = Field(description="Its place in the timeline, from 1.")
    at: datetime = Field(description="When it was done.")
    actor: str = Field(description="`querywatch` for the machine.")
    kind: TimelineKind = Field(description="What was done.")
    summary: str = Field(description="The same for people.")
    data: Mapping[str, Scalar | None] = Field(description="What it was done with, by name.")
    previous_hash: str = Field(description="`entry_hash` of the entry before; zeros for the first.")
    entry_hash: str = Field(description="SHA-256 over the previous hash and this entry.")


class TimelineOut(Out):
    """An incident's whole timeline, oldest first."""

    items: tuple[TimelineEntryOut, ...] = Field(description="Oldest first.")


class ClientKeyOut(Out):
    """Whose behaviour is watched."""

    tenant_id: str = Field(description="Empty where there are no tenants.")
    model_id: str = Field(description="As the log names the model.")
    client_id: str = Field(description="As the log names the client.")


class ClientProfileOut(Out):
    """What is known of one client of one model."""

    client: ClientKeyOut = Field(description="Whose profile it is.")
    first_seen: datetime = Field(description="Event time of the client's first query in state.")
    last_seen: datetime = Field(description="Event time of its latest.")
    queries: int = Field(description="Its queries of the model.")
    identity_source: str = Field(description="How the client is known, as logged.")
    status: str = Field(description="Whether its scores can be relied on yet.")
    features: Mapping[str, float] = Field(description="By catalogue name.")
    scores: Mapping[str, float] = Field(description="By hypothesis.")


class ModelKeyOut(Out):
    """A watched model."""

    tenant_id: str = Field(description="Empty where there are no tenants.")
    model_id: str = Field(description="As the log names the model.")


class ReferenceOut(Out):
    """A stored picture of benign traffic, without its body."""

    model: ModelKeyOut = Field(description="Whose reference it is.")
    version: int = Field(description="The model's versions count from 1.")
    status: ReferenceStatus = Field(description="Whether it is in force.")
    created_at: datetime = Field(description="When it was stored.")
    events: int = Field(description="Predictions it was learnt from.")
    clients: int = Field(description="Clients it was learnt from.")
    origin: str = Field(description="What made it.")
    digest: str = Field(description="SHA-256 of its body.")
    summary: Mapping[str, Scalar] = Field(description="What it holds, by name.")


class ReferenceListOut(Out):
    """References, newest version first within each model."""

    items: tuple[ReferenceOut, ...] = Field(description="Newest version first within each model.")


class ModelOut(Out):
    """A model that has references."""

    tenant_id: str = Field(description="Empty where there are no tenants.")
    model_id: str = Field(description="As the log names the model.")
    active_version: int | None = Field(description="The reference in force; null for none.")
    versions: int = Field(description="How many references are stored.")


class ModelListOut(Out):
    """Models that have references, by tenant and id."""

    items: tuple[ModelOut, ...] = Field(description="By tenant and id.")


class HealthOut(Out):
    """The process lives."""

    status: str = Field(description="Always `alive`.")


class CheckOut(Out):
    """One part's readiness."""

    name: str = Field(description="Which part.")
    ready: bool = Field(description="Whether it is ready.")
    detail: str = Field(description="What is missing; empty when ready.")


class ReadinessOut(Out):
    """Whether work can be done."""

    ready: bool = Field(description="Whether every part is.")
    checks: tuple[CheckOut, ...] = Field(description="Part by part.")
