"""What the evaluation asks of the product's detection: learn a reference, then watch clients.

The evaluation knows no use case of the product. The composition root implements this protocol with
the product's own, so that what is measured is what is shipped.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from detector.events.located import LocatedEvent
from detector.scoring.finding import AttackClass


@dataclass(frozen=True, slots=True)
class Verdict:
    """One finding about a client.

    Attributes:
        query: The client's query, counted from 1, at which it was made.
        attack_class: The class that an incident carries because of it.
        technique: The hypothesis.
        log_evidence: Natural logarithm of the e-value.
        confidence: Probability that the hypothesis, not benign use, explains the log.
        statements: Evidence in sentences, strongest first.
        supersedes: Techniques that this one explains better.
        alarm: Whether the client's incident stood above severity `info` after it.
    """

    query: int
    attack_class: AttackClass
    technique: str
    log_evidence: float
    confidence: float
    statements: tuple[str, ...]
    supersedes: tuple[str, ...]
    alarm: bool


@dataclass(frozen=True, slots=True)
class Watched:
    """What watching one client came to.

    Attributes:
        verdicts: In the order of the log.
        trail: Pairs of a query's ordinal and the best log evidence of any hypothesis there.
    """

    verdicts: tuple[Verdict, ...]
    trail: tuple[tuple[int, float], ...]


class Observer(Protocol):
    """The product's detection of one model."""

    def learn(self, events: Sequence[LocatedEvent]) -> None:
        """Learn the reference from benign events, in the order of the log."""
        ...

    def watch(self, events: Sequence[LocatedEvent]) -> Watched:
        """Judge the whole life of one client that was not seen before, by the reference learnt."""
        ...

    def state_bytes(self, fields: int) -> int:
        """Return the bytes of state that a client and model take with that many input fields."""
        ...


ObserverFactory = Callable[[], Observer]
