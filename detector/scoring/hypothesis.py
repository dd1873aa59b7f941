"""What a hypothesis about a client is: levels of conspicuousness, their odds, and its evidence.

A hypothesis gives every observation a level from 0 (nothing) upwards. Its stages ask one after
another "given at least level j, is it above j?" (a continuation-ratio model). Each stage holds the
client-level behaviour of benign clients as a Beta distribution, and that of attackers as another.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from detector.features.catalogue import RowView
from detector.features.observation import Observation, Probe
from detector.scoring.finding import AttackClass, Evidence


class Need(StrEnum):
    """What a hypothesis must find in the log."""

    INPUT = "input"
    LABEL = "label"
    SCORES = "scores"
    REFERENCE = "reference"


@dataclass(frozen=True, slots=True)
class Stage:
    """One question of a hypothesis.

    Attributes:
        benign: Mean share of yes among benign clients where the reference has not spoken.
        benign_strength: Equivalent number of queries behind that mean; small when benign clients
            differ much from each other.
        attack: Mean share of yes under attack.
        attack_strength: Equivalent number of queries behind it.
        floor: Lowest share that still counts as an attack.
    """

    benign: float
    benign_strength: float
    attack: float
    attack_strength: float
    floor: float


@dataclass(frozen=True, slots=True)
class Situation:
    """A client at the query where a hypothesis is judged.

    Attributes:
        view: The client's row.
        features: Its features by name.
        names: Folded column names.
        query: Ordinal of the query now.
        calibrated: Whether a reference stands behind the judgement.
    """

    view: RowView
    features: Mapping[str, float]
    names: tuple[str, ...]
    query: int
    calibrated: bool

    def feature(self, name: str) -> float:
        """Return one feature, 0 where the log does not allow it."""
        return self.features.get(name, 0.0)

    def share(self, *probes: Probe) -> float:
        """Return the share of the client's inputs seen as one of these probes."""
        return self.view.share(frozenset(probes))


SKIP = -1


class Hypothesis(Protocol):
    """One explanation of a client's behaviour; stateless."""

    @property
    def technique(self) -> str:
        """Its name, as on incidents."""
        ...

    @property
    def attack_class(self) -> AttackClass:
        """What the client is after."""
        ...

    @property
    def atlas(self) -> tuple[str, ...]:
        """MITRE ATLAS technique ids."""
        ...

    @property
    def needs(self) -> frozenset[Need]:
        """What the log must hold."""
        ...

    @property
    def stages(self) -> tuple[Stage, ...]:
        """At most 3."""
        ...

    @property
    def explains(self) -> frozenset[str]:
        """Techniques whose signs this one shows too."""
        ...

    @property
    def budget(self) -> int:
        """Queries that the published attack needs, for the progress."""
        ...

    def level(self, seen: Observation) -> int:
        """Return 0 … len(stages), or `SKIP` for a query that says nothing either way."""
        ...

    def holds(self, at: Situation) -> bool:
        """Whether what sets it apart from its neighbours is there; the evidence is judged apart."""
        ...

    def evidence(self, at: Situation) -> tuple[Evidence, ...]:
        """Return statements with numbers, strongest first."""
        ...
