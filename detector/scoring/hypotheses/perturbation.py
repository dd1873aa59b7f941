"""What local, artificial probing is for: inverting a class, augmenting a surrogate, membership.

All send artificial points close to one another. Inversion drives one class: by confidence ascent
(Fredrikson et al. 2015 and zeroth-order variants), spheres (Kahla et al. 2022) or a search in a
latent space (Han et al. 2023). Jacobian augmentation (Papernot et al. 2017) and data-free
extraction (Truong et al. 2021) want all classes. Augmentation membership (Choquette-Choo et al.
2021) sends small changes of natural record after natural record.
"""

from detector.features.observation import PERTURBATIONS, STRUCTURED, Observation, Probe
from detector.scoring.finding import AttackClass, Evidence
from detector.scoring.hypotheses.wording import counted, percent, statement
from detector.scoring.hypothesis import Need, Situation, Stage

PATIENCE = 16
# Sensors probe nothing and yet send near queries all the time, hence the wide first stage.
PROBING = (
    Stage(benign=0.1, benign_strength=1.5, attack=0.7, attack_strength=3.0, floor=0.05),
    Stage(benign=0.02, benign_strength=20.0, attack=0.5, attack_strength=2.0, floor=0.08),
)


RULED = frozenset({Probe.SYMMETRIC, Probe.NEAR_STEP, Probe.ONE_FIELD_STEP})


def probing_level(seen: Observation) -> int:
    """Return 1 for a near query, 2 for one that no natural process would send.

    That is one placed by a rule (a line, a mirror, a fixed or single-field step), or one that is
    strange and off its fields' natural grids.
    """
    if seen.probe in STRUCTURED or (seen.probe is Probe.NEAR and seen.strange and seen.off_grid):
        return 2
    return int(seen.probe in PERTURBATIONS)


def keeps_label(at: Situation) -> bool:
    """Return whether there is enough close probing to name it, without hunting label flips."""
    near = at.feature("near_share")
    steps = at.view.share(PERTURBATIONS - {Probe.COLLINEAR})
    return (
        at.query >= PATIENCE
        and near >= 0.1
        and steps >= at.share(Probe.COLLINEAR)
        and at.feature("flip_share") < 0.15 * near
    )


def climbs(at: Situation) -> bool:
    """Return whether one class's best score keeps rising while probed from close by."""
    return at.feature("climb") >= 0.15 and at.feature("record_share") >= 0.02


def hunts_one_class(at: Situation) -> bool:
    """Return whether unnatural points close together are all about one class."""
    return (
        (at.feature("near_share") >= 0.6 or at.view.share(RULED) >= 0.1)
        and (at.feature("strange_share") >= 0.3 or at.feature("off_grid_share") >= 0.9)
        and at.feature("label_dominance") >= 0.75
        and at.feature("query_entropy") <= 3.0
    )


def steps_around_natural_records(at: Situation) -> bool:
    """Return whether natural records are changed by steps field by field, as evasion does."""
    steps = at.share(Probe.ONE_FIELD_STEP)
    natural = at.feature("strange_share") < 0.1 and at.query >= 2 * PATIENCE
    return steps >= max(0.1, 0.5 * at.feature("near_share")) and (
        natural or (at.feature("probed_records") >= 2 and at.feature("strange_share") < 0.6)
    )


def returns_to_a_record(at: Situation) -> bool:
    """Return whether close points keep falling on lines, as when stepping back to a record."""
    return counted(at, Probe.COLLINEAR) >= 3


def structure(at: Situation) -> Evidence:
    """Return how the close queries were placed."""
    mirrors = counted(at, Probe.SYMMETRIC)
    lines = counted(at, Probe.COLLINEAR)
    steps = counted(at, Probe.NEAR_STEP, Probe.ONE_FIELD_STEP)
    return statement(
        "structured_probing",
        f"{percent(at.feature('near_share'))} of {at.query} queries probe from close by: "
        f"{mirrors} mirrored, {lines} on a line, {steps} at a fixed or single-field step; "
        f"{percent(at.feature('off_grid_share'))} of all hold values off their natural grids",
        mirrored=mirrors, collinear=lines, fixed_step=steps, queries=at.query,
        off_grid_share=at.feature("off_grid_share"),
    )  # fmt: skip


class ConfidenceAscent:
    """Artificial points around a moving centre while one class climbs or holds."""

    technique = "confidence_ascent"
    attack_class = AttackClass.INVERSION
    atlas = ("AML.T0024.001",)
    needs = frozenset({Need.INPUT, Need.LABEL})
    stages = PROBING
    explains = frozenset(
        {
            "off_manifold_querying", "anomalous_client", "line_search", "tree_path_finding",
            "jacobian_augmentation", "active_learning",
        }
    )  # fmt: skip
    budget = 5000

    def level(self, seen: Observation) -> int:
        """Return the level of probing."""
        return probing_level(seen)

    def holds(self, at: Situation) -> bool:
        """Return whether a class climbs, or is held to by unnatural points."""
        return (
            keeps_label(at)
            and (climbs(at) or hunts_one_class(at))
            and not steps_around_natural_records(at)
            and not returns_to_a_record(at)
        )

    def evidence(self, at: Situation) -> tuple[Evidence, ...]:
        """Return the climb, where scores show one, and how the queries were placed."""
        said = (
            structure(at),
            statement(
                "single_class",
                f"{percent(at.feature('label_dominance'))} of the answers are one class",
                label_dominance=at.feature("label_dominance"),
            ),
        )
        return (*self._climb(at), *said)

    def _climb(self, at: Situation) -> tuple[Evidence, ...]:
        top = at.view.top_class()
        start = float(at.view.table.starts[at.view.row, top])
        peak = float(at.view.table.peaks[at.view.row, top])
        times = int(at.view.table.records[at.view.row, top])
        if not climbs(at):
            return ()
        return (
            statement(
                "class_climb",
                f"class column {top} climbed from {start:.2f} to {peak:.2f} in {at.query} "
                f"queries, setting {times} records",
                class_column=top, start=start, peak=peak, records=times, queries=at.query,
            ),
        )  # fmt: skip


class JacobianAugmentation:
    """Artificial steps around many points while no class climbs."""

    technique = "jacobian_augmentation"
    attack_class = AttackClass.EXTRACTION
    atlas = ("AML.T0024.002", "AML.T0005.001")
    needs = frozenset({Need.INPUT, Need.REFERENCE})
    stages = PROBING
    explains = frozenset({"off_manifold_querying", "anomalous_client"})
    budget = 2000

    def level(self, seen: Observation) -> int:
        """Return the level of probing."""
        return probing_level(seen)

    def holds(self, at: Situation) -> bool:
        """Return whether steps are more than lines, and neither a class climbs nor labels flip."""
        return (
            keeps_label(at)
            and not climbs(at)
            and not hunts_one_class(at)
            and not steps_around_natural_records(at)
            and not returns_to_a_record(at)
        )

    def evidence(self, at: Situation) -> tuple[Evidence, ...]:
        """Return how the queries were placed."""
        return (structure(at),)


class CoordinateEvasion:
    """Steps field by field around natural records (ZOO, Chen 2017; SimBA, Guo et al. 2019)."""

    technique = "coordinate_steps"
    attack_class = AttackClass.EVASION
    atlas = ("AML.T0043.001", "AML.T0042")
    needs = frozenset({Need.INPUT, Need.REFERENCE})
    stages = PROBING
    explains = frozenset(
        {
            "off_manifold_querying", "anomalous_client", "tree_path_finding",
            "confidence_ascent", "jacobian_augmentation",
        }
    )  # fmt: skip
    budget = 2500

    def level(self, seen: Observation) -> int:
        """Return the level of probing."""
        return probing_level(seen)

    def holds(self, at: Situation) -> bool:
        """Return whether the steps go around natural records, hardly ever flipping the label."""
        return keeps_label(at) and steps_around_natural_records(at)

    def evidence(self, at: Situation) -> tuple[Evidence, ...]:
        """Return how the queries were placed."""
        return (structure(at),)


class AugmentationMembership:
    """Small artificial changes of one natural record after another."""

    technique = "augmentation_membership"
    attack_class = AttackClass.MEMBERSHIP
    atlas = ("AML.T0024.000",)
    needs = frozenset({Need.INPUT, Need.REFERENCE})
    stages = (
        PROBING[0],
        Stage(benign=0.02, benign_strength=20.0, attack=0.8, attack_strength=3.0, floor=0.2),
    )
    explains = frozenset({"off_manifold_querying", "anomalous_client", "jacobian_augmentation"})
    budget = 5000

    def level(self, seen: Observation) -> int:
        """Return 1 for a near query, 2 for one off its fields' natural grids."""
        return int(seen.probe in PERTURBATIONS) * (1 + int(seen.off_grid))

    def holds(self, at: Situation) -> bool:
        """Return whether a second natural record is being changed without hunting flips."""
        return (
            at.feature("probed_records") >= 2
            and at.feature("flip_share") < 0.1 * at.feature("near_share")
            and at.share(*(STRUCTURED - {Probe.NEAR_STEP})) < 0.1 * at.feature("near_share")
        )

    def evidence(self, at: Situation) -> tuple[Evidence, ...]:
        """Return how many natural records were changed, and how."""
        records = int(at.feature("probed_records"))
        return (
            statement(
                "augmented_records",
                f"{records} natural records were each queried again and again with small "
                f"artificial changes; {percent(at.feature('flip_share'))} of queries flip labels",
                records=records, flip_share=at.feature("flip_share"), queries=at.query,
            ),
        )  # fmt: skip
