"""What a model without a reference collects until it can learn one, and how detection behaves."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from detector.events.located import LocatedEvent
from detector.events.model import ModelKey
from detector.events.stretch import EventStretch
from detector.pipeline.saved import SavedEvents, SavedLearning
from detector.pipeline.watch import ModelWatch
from detector.scoring.fidelity import MAX_SUSPECTS
from detector.scoring.tables import ScoringPolicy

CHUNK_EVENTS = 2_000
ANEW = -1


@dataclass(frozen=True, slots=True)
class DetectionPolicy:
    """How detection behaves.

    Attributes:
        scoring: How sure to be.
        max_clients: Clients held in state for each model.
        max_models: Models held; events of further ones are refused.
        max_suspects: Suspects of each model whose surrogate is kept; 0 for none.
        learn_events: Events that a model without a reference must have shown.
        learn_clients: Clients that they must have come from.
        learn_share: No client counts with more than this share of `learn_events`.
    """

    scoring: ScoringPolicy = field(default_factory=ScoringPolicy)
    max_clients: int = 100_000
    max_models: int = 256
    max_suspects: int = MAX_SUSPECTS
    learn_events: int = 5_000
    learn_clients: int = 50
    learn_share: float = 0.02


class Learning:
    """The traffic of a model without a reference, until there is enough to freeze one.

    Clients under suspicion are left out, and none counts with more than its share.
    """

    def __init__(self, policy: DetectionPolicy) -> None:
        self._policy = policy
        self._cap = max(int(policy.learn_events * policy.learn_share), 1)
        self._events: list[LocatedEvent] = []
        self._counts: dict[str, int] = {}
        self._left_out: set[str] = set()
        self._kept = 0

    def take(self, events: EventStretch) -> int | None:
        """Collect events until there is enough; returns the number taken, None when all were."""
        asked = zip(events.clients, events.has_input.tolist(), strict=True)
        for i, (client, has_input) in enumerate(asked):
            if has_input and self._wants(client):
                self._counts[client] = self._counts.get(client, 0) + 1
                self._events.append(events[i])
                if self._full():
                    return i + 1
        return None

    def _wants(self, client: str) -> bool:
        count = self._counts.get(client, 0)
        if count >= self._cap or client in self._left_out:
            return False
        # Enough events: only clients not heard yet are still wanted, so memory is bounded.
        return not (len(self._events) >= self._policy.learn_events and count)

    def _full(self) -> bool:
        enough = len(self._events) >= self._policy.learn_events
        return enough and len(self._counts) >= self._policy.learn_clients

    def benign(self, watch: ModelWatch) -> list[LocatedEvent] | None:
        """Leave suspects out for good; return what was collected when it is still enough."""
        suspects = watch.suspects(self._counts)
        self._left_out |= suspects
        for client in suspects:
            del self._counts[client]
        if suspects:
            self._kept = ANEW
        self._events = [i for i in self._events if i.event.client_id not in suspects]
        return self._events if self._full() else None

    def header(self, model: ModelKey) -> SavedLearning:
        """Return what is saved beside the events."""
        return SavedLearning(*model, dict(self._counts), sorted(self._left_out))

    def save(self, model: ModelKey, every: bool) -> Iterator[SavedEvents]:
        """Return the events collected since `saved`, or every one, a stretch at a time."""
        anew = every or self._kept == ANEW
        begin = 0 if anew else self._kept
        if anew and not self._events:
            yield SavedEvents(*model, 0, [])
        for at in range(begin, len(self._events), CHUNK_EVENTS):
            part = self._events[at : at + CHUNK_EVENTS]
            yield SavedEvents(*model, at, [(i.position, i.event) for i in part])

    def saved(self) -> None:
        """Note that everything so far is kept."""
        self._kept = len(self._events)

    def restore(self, header: SavedLearning, parts: Sequence[SavedEvents]) -> None:
        """Go on from what was saved."""
        self._counts, self._left_out = dict(header.counts), set(header.left_out)
        for part in parts:
            del self._events[part.first :]
            self._events += [LocatedEvent(*item) for item in part.events]
        if len(self._events) != sum(self._counts.values()):
            raise ValueError("events that a model learns from are missing")
        self.saved()
