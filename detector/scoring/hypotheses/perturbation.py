"""What local, structured probing is for: inverting a class, or augmenting a surrogate's data.

Both send steps of a fixed form around moving points. Confidence ascent (Fredrikson et al. 2015;
zeroth-order variants) drives one class up; Jacobian augmentation (Papernot et al. 2017) and
data-free extraction with finite differences (Truong et al. 2021) do not.
"""

from detector.features.observation import PERTURBATIONS, STRUCTURED, Observation, Probe
from detector.scoring.finding import AttackClass, Evidence
from detector.scoring.hypotheses.wording import counted, percent, statement
from detector.scoring.hypothesis import Need, Situation, Stage

PROBING = (
    Stage(benign=0.1, benign_strength=1.5, attack=0.7, attack_strength=3.0, floor=0.05),
    Stage(benign=0.02, benign_strength=20.0, attack=0.5, attack_strength=3.0, floor=0.1),
)


def probing_level(seen: Observation) -> int:
    """Return 1 for a near query, 2 for one placed by a rule: line, mirror, fixed or tiny step."""
    if seen.probe in STRUCTURED:
        return 2
    return int(seen.probe in PERTURBATIONS)


def climbs(at: Situation) -> bool:
    """Return whether one class's best score keeps rising while probed from close by."""
    return at.feature("climb") >= 0.15 and at.feature("record_share") >= 0.02


PATIENCE = 16


def placed_by_steps(at: Situation) -> bool:
    """Return whether there is enough close probing to name it, by more than lines and flips."""
    near = at.feature("near_share")
    steps = at.view.share(STRUCTURED - {Probe.COLLINEAR})
    return (
        at.query >= PATIENCE
        and near >= 0.1
        and steps >= at.share(Probe.COLLINEAR)
        and at.feature("flip_share") < 0.15 * near
    )


def around_one_strange_point(at: Situation) -> bool:
    """Return whether the probing stays around one point that no benign client would send."""
    return (
        at.feature("query_entropy") <= 1.5
        and at.feature("strange_share") >= 0.5
        and at.feature("near_share") >= 0.5
    )


def structure(at: Situation) -> Evidence:
    """Return how the close queries were placed."""
    mirrors = counted(at, Probe.SYMMETRIC)
    lines = counted(at, Probe.COLLINEAR)
    steps = counted(at, Probe.NEAR_STEP, Probe.ONE_FIELD_STEP)
    return statement(
        "structured_probing",
        f"{percent(at.feature('near_share'))} of {at.query} queries probe from close by: "
        f"{mirrors} mirrored, {lines} on a line, {steps} at a fixed or tiny step",
        mirrored=mirrors, collinear=lines, fixed_step=steps, queries=at.query,
    )  # fmt: skip


class ConfidenceAscent:
    """Steps around a moving point while one class climbs."""

    technique = "confidence_ascent"
    attack_class = AttackClass.INVERSION
    atlas = ("AML.T0024.001",)
    needs = frozenset({Need.INPUT, Need.SCORES})
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
        """Return whether a class climbs, or is about to from an unnatural start."""
        return placed_by_steps(at) and (climbs(at) or around_one_strange_point(at))

    def evidence(self, at: Situation) -> tuple[Evidence, ...]:
        """Return the climb and how the queries were placed."""
        top = at.view.top_class()
        start = float(at.view.table.starts[at.view.row, top])
        peak = float(at.view.table.peaks[at.view.row, top])
        times = int(at.view.table.records[at.view.row, top])
        return (
            statement(
                "class_climb",
                f"class column {top} climbed from {start:.2f} to {peak:.2f} in {at.query} "
                f"queries, setting {times} records",
                class_column=top, start=start, peak=peak, records=times, queries=at.query,
            ),
            structure(at),
        )  # fmt: skip


class JacobianAugmentation:
    """Steps of a fixed form around many points while no class climbs."""

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
        return placed_by_steps(at) and not climbs(at) and not around_one_strange_point(at)

    def evidence(self, at: Situation) -> tuple[Evidence, ...]:
        """Return how the queries were placed."""
        return (structure(at),)
