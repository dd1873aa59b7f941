"""Dead letters as they are stored: when they came, what became of them, how they are chosen."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from detector.events.record import DeadLetter


class Fate(StrEnum):
    """What became of a dead letter."""

    REPLAYED = "replayed"
    """Its record was sent again, and the log confirmed that."""

    DROPPED = "dropped"
    """A person decided to leave it."""


class State(StrEnum):
    """Whether dead letters still wait for somebody."""

    OPEN = "open"
    SETTLED = "settled"
    ALL = "all"


@dataclass(frozen=True, slots=True)
class Settlement:
    """The end of a dead letter: what, when (UTC), by whom, and why or where to."""

    fate: Fate
    at: datetime
    by: str
    note: str


@dataclass(frozen=True, slots=True)
class StoredDeadLetter:
    """A dead letter with the wall-clock time (UTC) at which it was stored.

    Attributes:
        letter: What could not be used.
        received_at: When it was stored.
        settlement: What became of it; None while it waits.
    """

    letter: DeadLetter
    received_at: datetime
    settlement: Settlement | None = None


@dataclass(frozen=True, slots=True)
class DeadLetterQuery:
    """Filters (combined by and) and one page of a keyset-paginated listing.

    Ordered by `received_at`, ties by position. `since` and `until`, both included, are wall-clock
    times; `after` is a cursor from a previous page, which is the place of its last dead letter.
    """

    reason: str | None = None
    topic: str | None = None
    partition: int | None = None
    since: datetime | None = None
    until: datetime | None = None
    state: State = State.OPEN
    newest_first: bool = True
    after: str | None = None
    limit: int = 50
