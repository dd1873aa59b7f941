"""Synthetic queries (equation solving, random and other-domain inputs): Tramèr et al. 2016."""

from detector.features.observation import ONE_FIELD_CHANGES, PERTURBATIONS, Observation
from detector.scoring.finding import AttackClass, Evidence
from detector.scoring.hypotheses.wording import percent, statement
from detector.scoring.hypothesis import Need, Situation, Stage


class OffManifoldQuerying:
    """Inputs that do not look like this model's traffic, query after query."""

    technique = "off_manifold_querying"
    attack_class = AttackClass.EXTRACTION
    atlas = ("AML.T0024.002", "AML.T0005.001")
    needs = frozenset({Need.INPUT, Need.REFERENCE})
    stages = (
        Stage(benign=0.12, benign_strength=8.0, attack=0.9, attack_strength=5.0, floor=0.35),
        Stage(benign=0.2, benign_strength=8.0, attack=0.85, attack_strength=5.0, floor=0.45),
    )
    explains = frozenset({"anomalous_client"})
    budget = 1000

    def level(self, seen: Observation) -> int:
        """Return 1 for the strangest tenth of benign inputs, 2 for the strangest hundredth."""
        return seen.surprise

    def holds(self, at: Situation) -> bool:
        """Return whether the strange inputs stand alone instead of probing one another."""
        return at.view.share(PERTURBATIONS | ONE_FIELD_CHANGES) < 0.4

    def evidence(self, at: Situation) -> tuple[Evidence, ...]:
        """Return the shares of strange inputs against what benign clients show."""
        strange, very = at.feature("strange_share"), at.feature("very_strange_share")
        return (
            statement(
                "off_manifold",
                f"{percent(very)} of {at.query} queries are stranger than 99% of benign inputs "
                f"(reference 1%), {percent(strange)} stranger than 90% (reference 10%)",
                very_strange=very, strange=strange, queries=at.query,
            ),
            statement(
                "coverage",
                f"{percent(at.feature('coverage'))} of the input space's cells visited in "
                f"{at.query} queries",
                coverage=at.feature("coverage"), query_entropy=at.feature("query_entropy"),
            ),
        )  # fmt: skip
