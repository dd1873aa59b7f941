"""Detection as a use case: located events in, findings and profiles out."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from detector.events.located import LocatedEvent
from detector.events.model import ModelKey
from detector.events.stretch import EventStretch
from detector.pipeline.learning import DetectionPolicy, Learning
from detector.pipeline.ports import ClientProfile
from detector.pipeline.saved import (
    SavedEvents,
    SavedLearning,
    SavedPart,
    SavedState,
    SavedStateError,
    SavedSurrogate,
    SavedWatch,
)
from detector.pipeline.watch import ModelWatch
from detector.reference.picture import Reference
from detector.scoring.clients import SavedRows
from detector.scoring.finding import Finding


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
        unmatched: Inputs of which their model's reference names no field.
    """

    findings: tuple[Finding, ...] = ()
    profiles: tuple[ClientProfile, ...] = ()
    frozen: tuple[FrozenReference, ...] = ()
    drifts: int = 0
    unmatched: int = 0


class Detection(Protocol):
    """Keeps every client's picture and judges it; deterministic in the events of a partition."""

    def process(self, events: Sequence[LocatedEvent]) -> Detections:
        """Update states with the events, in order, and say what became credible."""
        ...

    def clients(self) -> int:
        """How many clients are held in state."""
        ...

    def admit(self, model: ModelKey) -> bool:
        """Make room for a model not known yet; False when there is none left."""
        ...

    def digests(self) -> Mapping[ModelKey, str | None]:
        """Digests of the references in force; None for a model that is still learning its own."""
        ...

    def adopt(self, model: ModelKey, reference: Reference) -> None:
        """Judge a model by this reference from the next event on."""
        ...

    def headers(self) -> tuple[list[SavedWatch], list[SavedLearning]]:
        """What is saved of every model beside the parts."""
        ...

    def save(self, every: bool) -> Iterator[SavedPart]:
        """What changed since `saved`, or everything, part by part."""
        ...

    def saved(self) -> None:
        """Note that everything so far is kept."""
        ...

    def restore(self, header: SavedState, parts: Iterable[SavedPart], shelf: "Shelf") -> None:
        """Go on from what was saved; raises `SavedStateError`, and is of no use then."""
        ...


Shelf = Callable[[ModelKey, str], Reference | None]
"""Finds a stored reference by model and digest."""


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

    def admit(self, model: ModelKey) -> bool:
        """Make room for a model not known yet; False when there is none left."""
        if model in self._watches:
            return True
        if len(self._watches) >= self._policy.max_models:
            return False
        self._watches[model] = self._watch(model, None)
        self._learning[model] = Learning(self._policy)
        return True

    def digests(self) -> Mapping[ModelKey, str | None]:
        """Digests of the references in force; None for a model that is still learning its own."""
        return {model: watch.digest for model, watch in self._watches.items()}

    def adopt(self, model: ModelKey, reference: Reference) -> None:
        """Judge a model by this reference from the next event on."""
        self._learning.pop(model, None)
        if model in self._watches:
            self._watches[model].adopt(reference)
        else:
            self._watches[model] = self._watch(model, reference)

    def headers(self) -> tuple[list[SavedWatch], list[SavedLearning]]:
        """What is saved of every model beside the parts."""
        learning = [kept.header(model) for model, kept in self._learning.items()]
        return [watch.header() for watch in self._watches.values()], learning

    def save(self, every: bool) -> Iterator[SavedPart]:
        """What changed since `saved`, or everything, part by part."""
        for watch in self._watches.values():
            yield from watch.save(every)
        for model, learning in self._learning.items():
            yield from learning.save(model, every)

    def saved(self) -> None:
        """Note that everything so far is kept."""
        for watch in self._watches.values():
            watch.saved()
        for learning in self._learning.values():
            learning.saved()

    def restore(self, header: SavedState, parts: Iterable[SavedPart], shelf: Shelf) -> None:
        """Go on from what was saved; raises `SavedStateError`, and is of no use then."""
        found: dict[tuple[type, ModelKey], list[Any]] = {}
        for part in parts:
            model = ModelKey(part.tenant_id, part.model_id)
            found.setdefault((type(part), model), []).append(part)
        try:
            for saved in header.watches:
                self._restore_watch(saved, found, shelf)
            for kept in header.learning:
                model = ModelKey(kept.tenant_id, kept.model_id)
                self._learning[model] = Learning(self._policy)
                self._learning[model].restore(kept, found.get((SavedEvents, model), []))
        except (ValueError, IndexError, TypeError) as error:
            raise SavedStateError(f"a snapshot does not fit together: {error}") from error

    def _restore_watch(
        self, saved: SavedWatch, found: Mapping[tuple[type, ModelKey], list[Any]], shelf: Shelf
    ) -> None:
        model = ModelKey(saved.tenant_id, saved.model_id)
        reference = shelf(model, saved.reference) if saved.reference else None
        if saved.reference and reference is None:
            raise ValueError(f"the reference of model {model.model_id} is gone")
        self._watches[model] = self._watch(model, reference)
        rows = found.get((SavedRows, model), [])
        self._watches[model].restore(saved, rows, found.get((SavedSurrogate, model), []))

    def clients(self) -> int:
        """How many clients are held in state."""
        return sum(watch.clients for watch in self._watches.values())

    def process(self, events: Sequence[LocatedEvent]) -> Detections:
        """Update states with the events, in order, and say what became credible.

        Raises `ValueError` for an event of a model that `admit` refuses.
        """
        stretch = EventStretch.of(events)
        findings: list[tuple[int, Finding]] = []
        profiles: list[tuple[int, ClientProfile]] = []
        frozen: list[FrozenReference] = []
        drifts = unmatched = 0
        for model, indices in stretch.by_model.items():
            if not self.admit(model):
                raise ValueError(f"model {model.model_id} was not admitted")
            start = 0
            while start < len(indices):
                part, full = self._until_full(model, stretch.take(indices[start:]))
                watched = self._watches[model].process(part)
                findings.extend((int(indices[start + k]), found) for k, found in watched.findings)
                profiles.extend((int(indices[start + k]), made) for k, made in watched.profiles)
                drifts += watched.drifts
                unmatched += watched.unmatched
                benign = full.benign(self._watches[model]) if full else None
                if benign is not None:
                    frozen.append(self._freeze(model, benign))
                start += len(part)
        findings.sort(key=lambda pair: pair[0])
        profiles.sort(key=lambda pair: pair[0])
        return Detections(
            tuple(found for _, found in findings), tuple(made for _, made in profiles),
            tuple(frozen), drifts, unmatched,
        )  # fmt: skip

    def _until_full(
        self, model: ModelKey, events: EventStretch
    ) -> tuple[EventStretch, Learning | None]:
        """Cut the events where a learning model has seen enough, so that batches do not matter."""
        learning = self._learning.get(model)
        if learning is not None:
            end = learning.take(events)
            if end is not None:
                return events[:end], learning
        return events, None

    def _freeze(self, model: ModelKey, benign: Sequence[LocatedEvent]) -> FrozenReference:
        """Turn what a model has shown into its reference, and judge by it from now on."""
        # Loads what learns; most workers only judge.
        from detector.pipeline.learn import learn

        del self._learning[model]
        watch = self._watches[model]
        # What is learnt from is cut short for each client; how much each asked is not.
        asked = watch.volumes(dict.fromkeys(item.event.client_id for item in benign))
        reference = learn(model, benign).with_volumes(asked)
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
