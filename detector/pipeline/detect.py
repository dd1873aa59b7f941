"""Detection as a use case: located events in, findings and profiles out."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from detector.events.located import LocatedEvent
from detector.events.model import ModelKey
from detector.pipeline.learn import learn
from detector.pipeline.ports import ClientProfile
from detector.pipeline.watch import ModelWatch
from detector.reference.picture import Reference
from detector.scoring.fidelity import MAX_SUSPECTS
from detector.scoring.finding import Finding
from detector.scoring.tables import ScoringPolicy


@dataclass(frozen=True, slots=True)
class FrozenReference:
    """A reference that a model without one has just learnt from its own traffic."""

    model: ModelKey
    body: bytes
    events: int
    clients: int
    digest: str
    summary: Mapping[str, str | int | float | bool]


@dataclass(frozen=True, slots=True)
class Detections:
    """What a stretch of the log showed, in the order of the log.

    Attributes:
        findings: Of all models.
        profiles: Likewise.
        frozen: References that models have just learnt.
        drifts: How often a model's clients as a whole were found to look otherwise than before.
    """

    findings: tuple[Finding, ...] = ()
    profiles: tuple[ClientProfile, ...] = ()
    frozen: tuple[FrozenReference, ...] = ()
    drifts: int = 0


class Detection(Protocol):
    """Keeps every client's picture and judges it; deterministic in the events of a partition."""

    def process(self, events: Sequence[LocatedEvent]) -> Detections:
        """Update states with the events, in order, and say what became credible."""
        ...

    def clients(self) -> int:
        """How many clients are held in state."""
        ...


@dataclass(frozen=True, slots=True)
class DetectionPolicy:
    """How detection behaves.

    Attributes:
        scoring: How sure to be.
        max_clients: Clients held in state for each model.
        max_suspects: Suspects of each model whose surrogate is kept; 0 for none.
        learn_events: Events that a model without a reference must have shown.
        learn_clients: Clients that they must have come from.
        learn_share: No client counts with more than this share of `learn_events`.
    """

    scoring: ScoringPolicy = field(default_factory=ScoringPolicy)
    max_clients: int = 100_000
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

    def take(self, item: LocatedEvent) -> bool:
        """Collect one event; true when there is enough."""
        client = item.event.client_id
        count = self._counts.get(client, 0)
        if item.event.input is None or count >= self._cap or client in self._left_out:
            return False
        if len(self._events) >= self._policy.learn_events and count:
            # Enough events: only clients not heard yet are still wanted, so memory is bounded.
            return False
        self._counts[client] = count + 1
        self._events.append(item)
        return self._full()

    def _full(self) -> bool:
        enough = len(self._events) >= self._policy.learn_events
        return enough and len(self._counts) >= self._policy.learn_clients

    def benign(self, watch: ModelWatch) -> list[LocatedEvent] | None:
        """Leave suspects out for good; return what was collected when it is still enough."""
        suspects = {client for client in self._counts if watch.suspected(client)}
        self._left_out |= suspects
        for client in suspects:
            del self._counts[client]
        self._events = [i for i in self._events if i.event.client_id not in suspects]
        return self._events if self._full() else None


class Detector:
    """All models under watch."""

    def __init__(
        self, policy: DetectionPolicy, references: Mapping[ModelKey, Reference] | None = None
    ) -> None:
        self._policy = policy
        self._watches: dict[ModelKey, ModelWatch] = {}
        self._learning: dict[ModelKey, Learning] = {}
        for model, reference in (references or {}).items():
            self._watches[model] = self._watch(model, reference)

    def _watch(self, model: ModelKey, reference: Reference | None) -> ModelWatch:
        policy = self._policy
        return ModelWatch(model, reference, policy.scoring, policy.max_clients, policy.max_suspects)

    def clients(self) -> int:
        """How many clients are held in state."""
        return sum(watch.clients for watch in self._watches.values())

    def process(self, events: Sequence[LocatedEvent]) -> Detections:
        """Update states with the events, in order, and say what became credible."""
        groups: dict[ModelKey, list[int]] = {}
        for i, item in enumerate(events):
            groups.setdefault(item.event.model, []).append(i)
        findings: list[tuple[int, Finding]] = []
        profiles: list[tuple[int, ClientProfile]] = []
        frozen: list[FrozenReference] = []
        drifts = 0
        for model, indices in groups.items():
            start = 0
            while start < len(indices):
                located = [events[i] for i in indices[start:]]
                part, full = self._until_full(model, located)
                watched = self._watches[model].process(part)
                findings.extend((indices[start + k], found) for k, found in watched.findings)
                profiles.extend((indices[start + k], made) for k, made in watched.profiles)
                drifts += watched.drifts
                benign = full.benign(self._watches[model]) if full else None
                if benign is not None:
                    frozen.append(self._freeze(model, benign))
                start += len(part)
        findings.sort(key=lambda pair: pair[0])
        profiles.sort(key=lambda pair: pair[0])
        return Detections(
            tuple(found for _, found in findings), tuple(made for _, made in profiles),
            tuple(frozen), drifts,
        )  # fmt: skip

    def _until_full(
        self, model: ModelKey, events: list[LocatedEvent]
    ) -> tuple[list[LocatedEvent], Learning | None]:
        """Cut the events where a learning model has seen enough, so that batches do not matter."""
        if model not in self._watches:
            self._watches[model] = self._watch(model, None)
            self._learning[model] = Learning(self._policy)
        learning = self._learning.get(model)
        if learning is not None:
            for i, item in enumerate(events):
                if learning.take(item):
                    return events[: i + 1], learning
        return events, None

    def _freeze(self, model: ModelKey, benign: Sequence[LocatedEvent]) -> FrozenReference:
        """Turn what a model has shown into its reference, and judge by it from now on."""
        del self._learning[model]
        watch = self._watches[model]
        reference = learn(model, benign)
        watch.adopt(reference)
        body = reference.to_bytes()
        return FrozenReference(
            model, body, reference.events, reference.clients, reference.digest(),
            reference.summary(),
        )  # fmt: skip


def build_detection(
    policy: DetectionPolicy, references: Mapping[ModelKey, Reference] | None = None
) -> Detection:
    """Return a detector that judges by these references and learns the missing ones."""
    return Detector(policy, references)
