"""Active learning (Chandrasekaran et al. 2020): natural inputs chosen where the model is unsure."""

from detector.features.observation import Observation, Probe
from detector.scoring.finding import AttackClass, Evidence
from detector.scoring.hypotheses.wording import percent, statement
from detector.scoring.hypothesis import SKIP, Need, Situation, Stage


class BoundaryHugging:
    """Independent inputs whose margins are far smaller than benign clients meet."""

    technique = "active_learning"
    attack_class = AttackClass.EXTRACTION
    atlas = ("AML.T0024.002", "AML.T0005.001")
    needs = frozenset({Need.INPUT, Need.SCORES, Need.REFERENCE})
    stages = (
        Stage(benign=0.08, benign_strength=12.0, attack=0.6, attack_strength=4.0, floor=0.35),
    )
    explains = frozenset({"off_manifold_querying", "anomalous_client"})
    budget = 1000

    def level(self, seen: Observation) -> int:
        """Return 1 for a low margin at an input that probes no other; repeats say nothing."""
        if seen.probe is Probe.REPEAT:
            return SKIP
        return int(seen.low_margin and seen.probe is Probe.FAR)

    def holds(self, at: Situation) -> bool:
        """Return whether the inputs are natural: strange ones have a reason of their own."""
        return at.feature("strange_share") < 0.3 and at.feature("near_share") < 0.3

    def evidence(self, at: Situation) -> tuple[Evidence, ...]:
        """Return the share of low margins."""
        low = at.feature("low_margin_share")
        return (
            statement(
                "low_margins",
                f"margin in the lowest 5% of benign queries in {percent(low)} of {at.query} "
                f"queries (reference 5%), mean margin {at.feature('margin'):.2f}",
                low_margin_share=low, margin=at.feature("margin"), queries=at.query,
            ),
        )  # fmt: skip
