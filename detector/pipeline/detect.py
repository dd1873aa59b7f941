"""Detection as a use case: located events in, findings and profiles out."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from detector.events.located import LocatedEvent
from detector.events.model import ModelKey
from detector.pipeline.ports import ClientProfile
from detector.scoring.finding import Finding


@dataclass(frozen=True, slots=True)
class FrozenReference:
    """A reference that a model without one has just learnt from its own traffic."""

    model: ModelKey
    body: bytes
    events: int
    clients: int


@dataclass(frozen=True, slots=True)
class Detections:
    """What a stretch of the log showed, in the order of the log."""

    findings: tuple[Finding, ...] = ()
    profiles: tuple[ClientProfile, ...] = ()
    frozen: tuple[FrozenReference, ...] = ()


class Detection(Protocol):
    """Keeps every client's picture and judges it; deterministic in the events of a partition."""

    def process(self, events: Sequence[LocatedEvent]) -> Detections:
        """Update states with the events, in order, and say what became credible."""
        ...

    def clients(self) -> int:
        """How many clients are held in state."""
        ...
