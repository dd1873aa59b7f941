"""What a hypothesis about a client is: its signs, the traits that set it apart, its evidence."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property
from typing import Protocol

from detector.features.observation import Probe
from detector.features.view import RowView
from detector.scoring.finding import AttackClass, Evidence
from detector.scoring.traits import Traits, read_traits


class Need(StrEnum):
    """What a hypothesis must find in the log."""

    INPUT = "input"
    LABEL = "label"
    SCORES = "scores"
    REFERENCE = "reference"


@dataclass(frozen=True)
class Situation:
    """A client at the query where a hypothesis is judged; read as far as anything is asked.

    Attributes:
        view: The client's row.
        names: Folded column names.
        query: Ordinal of the query now.
        calibrated: Whether a reference stands behind the judgement.
        credible: Signs whose evidence suffices.
    """

    view: RowView
    names: tuple[str, ...]
    query: int
    calibrated: bool
    credible: frozenset[str]

    @cached_property
    def features(self) -> Mapping[str, float]:
        """The client's features by name."""
        return self.view.features()

    @cached_property
    def traits(self) -> Traits:
        """What its conspicuous queries have in common."""
        return read_traits(self.view)

    def feature(self, name: str) -> float:
        """Return one feature, 0 where the log does not allow it."""
        return self.features.get(name, 0.0)

    def share(self, *probes: Probe) -> float:
        """Return the share of the client's inputs seen as one of these probes."""
        return self.view.share(frozenset(probes))


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
    def signs(self) -> frozenset[str]:
        """Names of the signs of which one must be credible."""
        ...

    @property
    def budget(self) -> int:
        """Queries that the published attack needs, for the progress."""
        ...

    def holds(self, at: Situation) -> bool:
        """Whether what sets it apart from the others is there; the evidence is judged apart."""
        ...

    def evidence(self, at: Situation) -> tuple[Evidence, ...]:
        """Return statements with numbers, strongest first."""
        ...
