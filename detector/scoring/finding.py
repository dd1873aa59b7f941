"""What scoring hands to incidents: a hypothesis about one client that has become credible."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from detector.events.model import ClientKey
from detector.events.record import Position

Scalar = int | float | str | bool
FIDELITY_EVIDENCE = "stolen_fidelity"
"""Kind of the statement about `StolenFidelity`; its numbers have the attributes' names."""


class AttackClass(StrEnum):
    """What the client is after."""

    EXTRACTION = "extraction"
    INVERSION = "inversion"
    MEMBERSHIP = "membership"
    EVASION = "evasion"
    HARVESTING = "harvesting"
    ANOMALY = "anomaly"


@dataclass(frozen=True, slots=True)
class LogRange:
    """A stretch of one partition that holds the queries an evidence speaks of, both ends in."""

    topic: str
    partition: int
    first_offset: int
    last_offset: int


@dataclass(frozen=True, slots=True)
class Evidence:
    """One statement an analyst can check.

    Attributes:
        kind: Stable identifier, such as `one_field_changes`.
        statement: The sentence shown, with its numbers.
        numbers: The same numbers by name.
        ranges: Where in the log the queries stand.
    """

    kind: str
    statement: str
    numbers: Mapping[str, Scalar] = field(default_factory=dict)
    ranges: tuple[LogRange, ...] = ()


@dataclass(frozen=True, slots=True)
class StolenFidelity:
    """How well a surrogate learnt from a client's own answers copies the model.

    Attributes:
        agreement: Share in [0, 1] of benign queries of others that it answers as the model did.
        chance: The same share for always giving the commonest answer.
        answers: How many of the client's answers came since suspicion began.
    """

    agreement: float
    chance: float
    answers: int

    @property
    def gain(self) -> float:
        """Share in [0, 1] of what there was to gain over chance that has been gained."""
        if self.chance >= 1.0:
            return 0.0
        return max(0.0, (self.agreement - self.chance) / (1.0 - self.chance))


@dataclass(frozen=True, slots=True)
class Finding:
    """A hypothesis about one client whose evidence passed its threshold, or grew since.

    The first finding of a client and hypothesis opens an incident; later ones extend it.

    Attributes:
        client: Whom it is about.
        technique: The hypothesis's name, such as `tree_path_finding`.
        attack_class: The class an incident carries.
        atlas: MITRE ATLAS technique ids.
        confidence: Probability in [0, 1] that the hypothesis, not benign use, explains the log.
        log_evidence: Natural logarithm of the e-value.
        progress: How far the attack has come, in [0, 1], by published budgets.
        calibrated: Whether a reference of benign traffic stood behind the judgement.
        identity_source: How the client is known, as logged.
        event_id: The event at which this was found.
        time_ms: That event's time, UTC milliseconds.
        query: The ordinal (from 1) of that event among the client's queries of the model.
        position: Where that event stands in the log.
        evidence: Statements, strongest first.
        features: Client features by catalogue name at that moment.
        supersedes: Techniques that this one explains better; an open incident of the same client
            that rests on one of them is reclassified instead of a second one being opened.
        fidelity: What the client could reproduce by then; None where that cannot be said.
    """

    client: ClientKey
    technique: str
    attack_class: AttackClass
    atlas: tuple[str, ...]
    confidence: float
    log_evidence: float
    progress: float
    calibrated: bool
    identity_source: str
    event_id: str
    time_ms: int
    query: int
    position: Position
    evidence: tuple[Evidence, ...]
    features: Mapping[str, float]
    supersedes: tuple[str, ...] = ()
    fidelity: StolenFidelity | None = None
