"""Line search (Lowd and Meek 2005; Milli et al. 2019): rays give away a linear model."""

from detector.features.observation import Observation, Probe
from detector.scoring.finding import AttackClass, Evidence
from detector.scoring.hypotheses.wording import counted, percent, statement
from detector.scoring.hypothesis import Need, Situation, Stage


class LineSearch:
    """Many queries stand on a line with two earlier ones."""

    technique = "line_search"
    attack_class = AttackClass.EXTRACTION
    atlas = ("AML.T0024.002",)
    needs = frozenset({Need.INPUT})
    stages = (
        Stage(benign=0.02, benign_strength=20.0, attack=0.5, attack_strength=3.0, floor=0.08),
    )
    explains = frozenset({"off_manifold_querying", "tree_path_finding", "anomalous_client"})
    budget = 2000

    def level(self, seen: Observation) -> int:
        """Return 1 for a point on a line of earlier ones."""
        return int(seen.probe is Probe.COLLINEAR)

    def holds(self, at: Situation) -> bool:
        """Return whether lines dominate the close probing, as they do not in boundary attacks."""
        lines = at.share(Probe.COLLINEAR)
        near = at.share(Probe.NEAR, Probe.NEAR_STEP, Probe.SYMMETRIC, Probe.ONE_FIELD_STEP)
        return lines > 0.02 and lines >= 1.5 * near

    def evidence(self, at: Situation) -> tuple[Evidence, ...]:
        """Return how many queries stand on lines and how many flipped the label."""
        lines = counted(at, Probe.COLLINEAR)
        return (
            statement(
                "collinear_queries",
                f"{lines} of {at.query} queries stand on a line with two earlier ones; "
                f"{percent(at.feature('flip_share'))} of queries flipped the label nearby",
                collinear=lines, queries=at.query, flip_share=at.feature("flip_share"),
            ),
        )  # fmt: skip
