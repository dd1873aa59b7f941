"""Signs: the traces of attacks that evidence accumulates on, one e-process each.

Several techniques leave the same sign, so evidence is held by sign and hypotheses say which signs
carry them. A sign gives every observation a level from 0 (nothing) upwards or passes over it. Its
stages ask one after another "given at least level j, is it above j?" (a continuation-ratio model).
Each stage holds the behaviour of benign clients as a Beta distribution, and that of attackers as
another. Where a sign is common among benign clients the question is put only to the queries that
could show it, so that ordinary queries in between neither help nor harm.
"""

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum, auto

from detector.features.observation import (
    ONE_FIELD_CHANGES,
    PERTURBATIONS,
    STRUCTURED,
    Observation,
    Probe,
)
from detector.scoring.hypothesis import Need

SKIP = -1
_CLOSE = PERTURBATIONS | ONE_FIELD_CHANGES


class Against(Enum):
    """Who shows how benign clients behave towards a sign.

    CLIENTS: those of the reference.
    GROUPS: groups that a reference lacks, made of its rows (`newcomers`).
    ODDEST: the one of these that shows the most, where real new ones may show more than any.
    """

    CLIENTS = auto()
    GROUPS = auto()
    ODDEST = auto()


@dataclass(frozen=True, slots=True)
class Stage:
    """One question of a sign.

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
class Sign:
    """One trace of attacks.

    Attributes:
        name: Of its evidence, in references and profiles.
        level: The level of an observation, 0 … len(stages), or `SKIP` when it says nothing.
        stages: At most 2; none where the evidence is measured instead (`evidence.score`).
        needs: What the log must hold for it.
        weight: Its part of the alarm budget, beside 1 for the others; less where benign clients of
            a new kind are likeliest to look conspicuous.
        against: Whose behaviour is the benign one.
    """

    name: str
    level: Callable[[Observation], int]
    stages: tuple[Stage, ...]
    needs: frozenset[Need]
    weight: float = 1.0
    against: Against = Against.CLIENTS

    @property
    def of_groups(self) -> bool:
        """Whether it is held against groups that were made of the reference's rows."""
        return self.against is not Against.CLIENTS


def _search(seen: Observation) -> int:
    """Among one-field changes: by a value that a search would choose."""
    if seen.probe not in (Probe.ONE_FIELD, Probe.ONE_FIELD_SEARCH):
        return SKIP
    return int(seen.probe is Probe.ONE_FIELD_SEARCH and not seen.routine)


def _one_field(seen: Observation) -> int:
    """Changes one field; by a value that a search would choose."""
    if seen.probe is Probe.REPEAT:
        return SKIP
    if seen.probe not in ONE_FIELD_CHANGES - {Probe.ONE_FIELD_STEP}:
        return 0
    return 1 + int(_search(seen) > 0)


def _sweep(seen: Observation) -> int:
    """Among the queries that tell: one field is tried with the same values, record by record."""
    if not seen.tells_routine or seen.probe in PERTURBATIONS:
        return SKIP
    return int(seen.routine)


def _burst(seen: Observation) -> int:
    """Among close queries about another record than before: a burst about that one ended."""
    return int(seen.routine) if seen.tells_routine and seen.probe in PERTURBATIONS else SKIP


def _structure(seen: Observation) -> int:
    """On a line, in a mirror or in the span of earlier queries, or as far from one as another."""
    if seen.probe is Probe.REPEAT:
        return SKIP
    spanned = seen.aligned and seen.probe not in ONE_FIELD_CHANGES
    return int(spanned or seen.probe in (Probe.COLLINEAR, Probe.SYMMETRIC, Probe.EQUAL_STEP))


def artificial(seen: Observation) -> bool:
    """Return whether a close query was placed as no natural process would place it.

    That is by a rule (a line, a mirror, a fixed or single-field step) or off its fields' grids.
    """
    return seen.probe in STRUCTURED or (seen.probe is Probe.NEAR and seen.off_grid)


def _probing(seen: Observation) -> int:
    """Among close queries: placed artificially; among one-field changes: off their grids."""
    if seen.probe in ONE_FIELD_CHANGES:
        return int(seen.off_grid)
    return int(artificial(seen)) if seen.probe in PERTURBATIONS else SKIP


def _step(seen: Observation) -> int:
    """Among one-field changes: an artificial step in another field than the one before."""
    return int(seen.probe is Probe.ONE_FIELD_STEP) if seen.probe in ONE_FIELD_CHANGES else SKIP


def _cross(seen: Observation) -> int:
    """Among one-field changes: about the centre of a pair of changes in another field."""
    return int(seen.aligned) if seen.probe in ONE_FIELD_CHANGES else SKIP


def _flip(seen: Observation) -> int:
    """Among close queries of several fields: the label flips; at one placed artificially."""
    if seen.probe not in PERTURBATIONS or seen.probe is Probe.ONE_FIELD_STEP:
        return SKIP
    return (2 if artificial(seen) else 1) if seen.flip else 0


def _unrelated(seen: Observation) -> bool:
    """Return whether no other query is close; those that are repeat what it showed."""
    return seen.probe not in _CLOSE and seen.probe is not Probe.REPEAT


def _manifold(seen: Observation) -> int:
    """Among unrelated queries: relations between fields are broken; off grid or far from all."""
    if not _unrelated(seen):
        return SKIP
    return (2 if seen.off_grid or seen.remote else 1) if seen.broken else 0


def _relations(seen: Observation) -> int:
    """Among unrelated queries: relations between fields are broken; more than groups break."""
    if not _unrelated(seen):
        return SKIP
    return (2 if seen.shattered else 1) if seen.broken else 0


def _scatter(seen: Observation) -> int:
    """Among unrelated queries: far from the others on the whole.

    A new group may be odd in any way, but its records are like each other.
    """
    return int(seen.scattered) if _unrelated(seen) else SKIP


def _off_grid(seen: Observation) -> int:
    """Off the grids of its fields, close to another query or breaking relations.

    Where nothing else is wrong with a lone query, another grid may be a new client's habit.
    """
    if seen.probe is Probe.REPEAT:
        return SKIP
    return int(seen.off_grid and (seen.probe in _CLOSE or seen.broken))


def _margin(seen: Observation) -> int:
    """Among unrelated, natural inputs: the model is unsure."""
    if seen.probe is not Probe.FAR or seen.strange or seen.off_grid:
        return SKIP
    return int(seen.low_margin)


def _climb(seen: Observation) -> int:
    """Among unnatural inputs: a class's best score rises once more."""
    if seen.probe is Probe.REPEAT or not (seen.off_grid or seen.probe in STRUCTURED):
        return SKIP
    return int(seen.record)


_INPUT = frozenset({Need.INPUT})
_PICTURE = _INPUT | {Need.REFERENCE}

SIGNS: tuple[Sign, ...] = (
    Sign("search", _search, (Stage(0.05, 24.0, 0.5, 3.0, 0.15),), _INPUT),
    Sign(
        "one_field", _one_field,
        (Stage(0.25, 6.0, 0.97, 40.0, 0.9), Stage(0.05, 24.0, 0.35, 8.0, 0.12)),
        _INPUT,
    ),
    Sign("sweep", _sweep, (Stage(0.3, 16.0, 0.97, 30.0, 0.9),), _INPUT),
    Sign("step", _step, (Stage(0.08, 24.0, 0.5, 3.0, 0.2),), _INPUT),
    Sign("cross", _cross, (Stage(0.005, 120.0, 0.3, 2.0, 0.03),), _PICTURE),
    Sign("structure", _structure, (Stage(0.004, 60.0, 0.3, 1.0, 0.03),), _INPUT),
    Sign("probing", _probing, (Stage(0.05, 16.0, 0.8, 2.0, 0.2),), _INPUT),
    Sign(
        "flip", _flip, (Stage(0.08, 12.0, 0.4, 3.0, 0.15), Stage(0.08, 12.0, 0.8, 2.0, 0.2)),
        _INPUT | {Need.LABEL},
    ),
    Sign("burst", _burst, (Stage(0.1, 16.0, 0.85, 6.0, 0.5),), _INPUT),
    Sign(
        "manifold", _manifold,
        (Stage(0.04, 4.0, 0.5, 1.0, 0.04), Stage(0.08, 50.0, 0.6, 1.5, 0.15)),
        _PICTURE, 1.0 / 3.0,
    ),
    Sign(
        "relations", _relations,
        (Stage(0.04, 2.0, 0.45, 2.0, 0.1), Stage(0.04, 2.0, 0.5, 2.0, 0.1)),
        _PICTURE, against=Against.GROUPS,
    ),
    Sign(
        "scatter", _scatter, (Stage(0.2, 16.0, 0.9, 4.0, 0.3),), _PICTURE, against=Against.ODDEST
    ),
    Sign("off_grid", _off_grid, (Stage(0.02, 640.0, 0.3, 2.0, 0.06),), _PICTURE),
    Sign("margin", _margin, (Stage(0.06, 60.0, 0.3, 4.0, 0.12),), _PICTURE | {Need.SCORES}),
    Sign("climb", _climb, (Stage(0.04, 40.0, 0.3, 2.0, 0.1),), _PICTURE | {Need.SCORES}),
    Sign("turns", lambda _: SKIP, (), _INPUT),
    Sign("volume", lambda _: SKIP, (), frozenset({Need.REFERENCE})),
)  # fmt: skip
