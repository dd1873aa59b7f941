"""Label-only boundary search: evasion of one record, membership inference of many.

HopSkipJump (Chen et al. 2020) and its kin bisect towards the boundary and sample around it. As an
evasion it works on a record; label-only membership inference (Choquette-Choo et al. 2021; Li and
Zhang 2021) measures the distance to the boundary for record after record.
"""

from detector.features.observation import PERTURBATIONS, STRUCTURED, Observation, Probe
from detector.scoring.finding import AttackClass, Evidence
from detector.scoring.hypotheses.perturbation import (
    PROBING,
    keeps_label,
    probing_level,
    returns_to_a_record,
    structure,
)
from detector.scoring.hypotheses.wording import percent, statement
from detector.scoring.hypothesis import Need, Situation, Stage

HUGGING = (
    Stage(benign=0.12, benign_strength=1.5, attack=0.8, attack_strength=3.0, floor=0.1),
    Stage(benign=0.05, benign_strength=10.0, attack=0.5, attack_strength=4.0, floor=0.15),
    Stage(benign=0.03, benign_strength=20.0, attack=0.35, attack_strength=3.0, floor=0.08),
)


PATIENCE = 12
COVERED = frozenset(
    {
        "off_manifold_querying", "line_search", "anomalous_client", "jacobian_augmentation",
        "tree_path_finding", "confidence_ascent", "active_learning", "augmentation_membership",
        "coordinate_steps",
    }
)  # fmt: skip


def hugging_level(seen: Observation) -> int:
    """Return 1 for a close query, 2 when it flips the label, 3 when also placed by a rule."""
    if seen.probe not in PERTURBATIONS:
        return 0
    if not seen.flip:
        return 1
    return 3 if seen.probe in STRUCTURED else 2


def artificial(at: Situation) -> bool:
    """Return whether values or their placement are unnatural; a sensor near the boundary is not."""
    unnatural = at.feature("off_grid_share") + at.feature("strange_share")
    return unnatural >= 0.15 or at.feature("structured_share") >= 0.05


def hugs(at: Situation) -> bool:
    """Return whether labels flip from close by and queries bunch around points."""
    near = at.feature("near_share")
    bunched = at.view.share(PERTURBATIONS - {Probe.COLLINEAR})
    return (
        at.query >= PATIENCE
        and artificial(at)
        and near >= 0.1
        and at.feature("flip_share") >= 0.1 * near
        and bunched >= 0.5 * at.share(Probe.COLLINEAR)
    )


def boundary_evidence(at: Situation) -> tuple[Evidence, ...]:
    """Return how often the label flipped from close by, and around how many records."""
    records = max(int(at.feature("probed_records")), 1)
    return (
        statement(
            "boundary_probing",
            f"{percent(at.feature('near_share'))} of {at.query} queries probe from close by and "
            f"{percent(at.feature('flip_share'))} flip the label, around {records} "
            f"record{'s' if records > 1 else ''}",
            near_share=at.feature("near_share"), flip_share=at.feature("flip_share"),
            records=records, queries=at.query,
        ),
    )  # fmt: skip


class BoundaryEvasion:
    """The boundary is searched around a single record."""

    technique = "boundary_probing"
    attack_class = AttackClass.EVASION
    atlas = ("AML.T0043.001", "AML.T0042")
    needs = frozenset({Need.INPUT, Need.LABEL})
    stages = HUGGING
    explains = COVERED | {"boundary_walk"}
    budget = 2500

    def level(self, seen: Observation) -> int:
        """Return the level of boundary probing."""
        return hugging_level(seen)

    def holds(self, at: Situation) -> bool:
        """Return whether one record is probed."""
        return hugs(at) and at.feature("probed_records") < 2

    def evidence(self, at: Situation) -> tuple[Evidence, ...]:
        """Return the probing and the flips."""
        return boundary_evidence(at)


class BoundaryWalk:
    """The boundary's far side is walked along towards a record (Brendel et al. 2018)."""

    technique = "boundary_walk"
    attack_class = AttackClass.EVASION
    atlas = ("AML.T0043.001", "AML.T0042")
    needs = frozenset({Need.INPUT})
    stages = PROBING
    explains = COVERED - {"coordinate_steps"}
    budget = 2500

    def level(self, seen: Observation) -> int:
        """Return the level of artificial probing; a good walk hardly ever flips the label."""
        return probing_level(seen)

    def holds(self, at: Situation) -> bool:
        """Return whether close points of one label keep stepping back towards a record."""
        near = at.feature("near_share")
        return (
            keeps_label(at)
            and near >= 0.3
            and returns_to_a_record(at)
            and at.feature("label_dominance") >= 0.6
        )

    def evidence(self, at: Situation) -> tuple[Evidence, ...]:
        """Return the probing, and how the queries were placed."""
        return (structure(at), *boundary_evidence(at))


class LabelOnlyMembership:
    """The boundary is searched around record after record."""

    technique = "label_only_membership"
    attack_class = AttackClass.MEMBERSHIP
    atlas = ("AML.T0024.000",)
    needs = frozenset({Need.INPUT, Need.LABEL})
    stages = HUGGING
    explains = COVERED | {"boundary_probing", "boundary_walk"}
    budget = 25000

    def level(self, seen: Observation) -> int:
        """Return the level of boundary probing."""
        return hugging_level(seen)

    def holds(self, at: Situation) -> bool:
        """Return whether a second record is being probed."""
        return hugs(at) and at.feature("probed_records") >= 2

    def evidence(self, at: Situation) -> tuple[Evidence, ...]:
        """Return the probing, the flips and the records."""
        return boundary_evidence(at)
