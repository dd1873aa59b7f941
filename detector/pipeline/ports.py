"""The Protocols through which the use cases and the loop meet the outside.

Every edge (`sources`, `storage`, `delivery`, `api`) implements or uses these, never another edge.
"""

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Generic, Protocol, TypeVar

from detector.events.model import ClientKey, ModelKey
from detector.events.record import DeadLetter, Position
from detector.incidents.model import Incident, IncidentChange, Severity, Stage, TimelineEntry
from detector.pipeline.dead_letters import DeadLetterQuery, Settlement, StoredDeadLetter
from detector.pipeline.partitions import Partitions, Snapshots
from detector.scoring.finding import AttackClass

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Page(Generic[T]):
    """One page of a listing; `next_cursor` is None on the last."""

    items: tuple[T, ...]
    next_cursor: str | None


class DeadLetters(Protocol):
    """Records that could not be used, and what became of them."""

    def add(self, letters: Sequence[DeadLetter], received_at: datetime) -> None:
        """Store them, unsettled; the same position twice is stored once."""
        ...

    def get(self, position: Position) -> StoredDeadLetter | None:
        """Return the dead letter of that position, or None."""
        ...

    def list(self, query: DeadLetterQuery) -> Page[StoredDeadLetter]:
        """Return one page; raises `ConfigurationError` for an `after` or limit that is no good."""
        ...

    def counts(self, query: DeadLetterQuery | None = None) -> Mapping[str, int]:
        """Number of dead letters by reason; of all when None. `after` and `limit` play no part."""
        ...

    def settle(self, position: Position, settlement: Settlement) -> bool:
        """Note what became of it; False when it was settled already or does not exist."""
        ...


@dataclass(frozen=True, slots=True)
class IncidentQuery:
    """Filters (all optional, combined by and) and one page of a keyset-paginated listing.

    Newest `opened_at` first, ties by id. `after` is an opaque cursor from a previous page.
    """

    tenant_id: str | None = None
    client_id: str | None = None
    model_id: str | None = None
    attack_class: frozenset[AttackClass] = frozenset()
    stage: frozenset[Stage] = frozenset()
    min_severity: Severity | None = None
    assignee: str | None = None
    acknowledged: bool | None = None
    opened_from: datetime | None = None
    opened_before: datetime | None = None
    after: str | None = None
    limit: int = 50


@dataclass(frozen=True, slots=True)
class WaitingQuery:
    """Which waiting incidents: watched at that severity or above since a time in a span.

    Attributes:
        min_severity: The least severity.
        since: The span's begin, wall-clock time.
        before: The span's end, not included.
        below_level: Only those that were escalated to less so far.
        limit: How many at most.
    """

    min_severity: Severity
    since: datetime
    before: datetime
    below_level: int
    limit: int


class Incidents(Protocol):
    """Incidents and their timelines."""

    def get(self, incident_id: str, *, hold: bool = False) -> Incident | None:
        """Return the incident, or None.

        With `hold` nobody else changes it until the transaction ends.
        """
        ...

    def for_client(self, client: ClientKey) -> Sequence[Incident]:
        """All incidents of the client, closed ones too, oldest first.

        They are held against other writers until the transaction ends.
        """
        ...

    def save(self, change: IncidentChange) -> None:
        """Store the change with its timeline entries.

        Raises `ConflictError` when `previous_version` is not the stored one, or when the client
        already has another open incident of the same class.
        """
        ...

    def list(self, query: IncidentQuery) -> Page[Incident]:
        """Return one page; raises `ConfigurationError` for a cursor or limit that is no good."""
        ...

    def count(self, query: IncidentQuery) -> int:
        """How many incidents the filters let through; `after` and `limit` play no part."""
        ...

    def timeline(self, incident_id: str) -> Sequence[TimelineEntry]:
        """All entries in order."""
        ...

    def unacknowledged(self, query: WaitingQuery) -> Sequence[Incident]:
        """Incidents that wait for somebody, oldest first.

        Not acknowledged, not suppressed, resolved or closed. They are held until the transaction
        ends; one that somebody else holds at the moment is left out.
        """
        ...


@dataclass(frozen=True, slots=True)
class ClientProfile:
    """What is known of one client at one of its queries; features by catalogue name."""

    client: ClientKey
    first_seen: datetime
    last_seen: datetime
    queries: int
    identity_source: str
    status: str
    features: Mapping[str, float]
    scores: Mapping[str, float]


class Clients(Protocol):
    """The newest stored profile of each client."""

    def put(self, profiles: Sequence[ClientProfile]) -> None:
        """Insert or replace."""
        ...

    def get(self, client: ClientKey) -> ClientProfile | None:
        """Return the profile, or None."""
        ...


class ReferenceStatus(StrEnum):
    """Whether a stored reference judges traffic."""

    ACTIVE = "active"
    INACTIVE = "inactive"


@dataclass(frozen=True, slots=True)
class ReferenceInfo:
    """A stored reference without its body."""

    model: ModelKey
    version: int
    status: ReferenceStatus
    created_at: datetime
    events: int
    clients: int
    origin: str
    digest: str
    summary: Mapping[str, str | int | float | bool] = field(default_factory=dict)


class References(Protocol):
    """Frozen pictures of benign traffic, versioned for each model."""

    def add(self, info: ReferenceInfo, body: bytes) -> ReferenceInfo:
        """Store as the model's next version (the given number is ignored); returns it numbered.

        With `status` ACTIVE it replaces the active one. A body whose digest is already the active
        one's is not stored again.
        """
        ...

    def activate(self, model: ModelKey, version: int) -> ReferenceInfo:
        """Make that version the one in force.

        Raises `NotFoundError`, and `ConflictError` when somebody else activates another one.
        """
        ...

    def list(self, model: ModelKey | None = None) -> Sequence[ReferenceInfo]:
        """Newest version first within each model."""
        ...

    def body(self, model: ModelKey, version: int | None = None) -> bytes | None:
        """The stored bytes of that version, or of the active one when None."""
        ...

    def find(self, model: ModelKey, digest: str) -> bytes | None:
        """The stored bytes of the version with that digest, or None."""
        ...


@dataclass(frozen=True, slots=True)
class OutboxMessage:
    """A notification waiting to be delivered at least once under a stable id.

    Attributes:
        message_id: Stable across retries; receivers use it to drop repeats.
        incident_id: Whose *current* state is sent at the moment of delivery.
        event: Why: `incident.opened`, `incident.severity_raised`, `incident.escalated`, …
        level: Escalation level, 1 for the first destination.
        created_at: When the incident changed.
        attempts: Deliveries tried so far.
        due_at: Not before.
    """

    message_id: str
    incident_id: str
    event: str
    level: int
    created_at: datetime
    attempts: int
    due_at: datetime


class Outbox(Protocol):
    """Notifications written in the transaction of the change that they speak of."""

    def put(self, messages: Sequence[OutboxMessage]) -> None:
        """Add; an id that is already there is left as it is."""
        ...

    def lease(
        self, now: datetime, until: datetime, limit: int, level: int
    ) -> Sequence[OutboxMessage]:
        """Take due messages of a level until `until`; no other worker gets them before.

        Levels are leased apart so that a dead destination holds up no other.
        """
        ...

    def delivered(self, message_id: str, at: datetime) -> None:
        """Mark as done."""
        ...

    def retry(self, message_id: str, due_at: datetime, error: str) -> None:
        """Count an attempt and try again later."""
        ...

    def give_up(self, message_id: str, at: datetime, error: str) -> None:
        """Count an attempt and stop trying; the row stays."""
        ...

    def pending(self) -> int:
        """How many wait."""
        ...

    def serve(self, level: int, at: datetime) -> datetime:
        """Note that there is a destination of a level; returns when that was first noted."""
        ...

    def expire(self, level: int, before: datetime, at: datetime, reason: str) -> int:
        """Stop trying what waits since before that time and nobody has leased; the rows stay.

        Returns how many messages that were.
        """
        ...


class Transaction(Protocol):
    """All repositories over one database transaction."""

    @property
    def incidents(self) -> Incidents:
        """Incidents and their timelines."""
        ...

    @property
    def partitions(self) -> Partitions:
        """Positions of the log."""
        ...

    @property
    def dead_letters(self) -> DeadLetters:
        """Records that could not be used."""
        ...

    @property
    def clients(self) -> Clients:
        """Profiles of clients."""
        ...

    @property
    def references(self) -> References:
        """Pictures of benign traffic."""
        ...

    @property
    def snapshots(self) -> Snapshots:
        """Detection's state."""
        ...

    @property
    def outbox(self) -> Outbox:
        """Notifications that wait."""
        ...


class Store(Protocol):
    """The database."""

    def transaction(self) -> AbstractContextManager[Transaction]:
        """Commit at the end of the block, roll back on any error.

        A lost or unwilling database raises `RecoverableError`.
        """
        ...

    def ready(self) -> None:
        """Return when the database answers and its schema is current.

        Raises `RecoverableError` when it does not answer, `ConfigurationError` when its schema is
        not the one that this version works on.
        """
        ...

    def close(self) -> None:
        """Release connections."""
        ...
