"""Synthetic queries (equation solving, random and other-domain inputs): Tramèr et al. 2016."""

from detector.features.observation import ONE_FIELD_CHANGES, PERTURBATIONS, Observation, Probe
from detector.scoring.finding import AttackClass, Evidence
from detector.scoring.hypotheses.wording import percent, statement
from detector.scoring.hypothesis import SKIP, Need, Situation, Stage

PATIENCE = 12
LAST_RESORT = 40


class OffManifoldQuerying:
    """Inputs that do not look like this model's traffic, query after query."""

    technique = "off_manifold_querying"
    attack_class = AttackClass.EXTRACTION
    atlas = ("AML.T0024.002", "AML.T0005.001")
    needs = frozenset({Need.INPUT, Need.REFERENCE})
    stages = (
        # Newcomers may bring whole segments that the reference lacks, hence the wide first stage.
        Stage(benign=0.15, benign_strength=1.6, attack=0.95, attack_strength=10.0, floor=0.35),
        # Careful attackers keep to the grid, so a miss must cost little.
        Stage(benign=0.03, benign_strength=20.0, attack=0.5, attack_strength=0.4, floor=0.01),
    )
    explains = frozenset({"anomalous_client"})
    budget = 1000

    def level(self, seen: Observation) -> int:
        """Return 1 for a strange input, 2 for one off its grids too; repeats say nothing."""
        if seen.probe is Probe.REPEAT:
            return SKIP
        return int(seen.strange) + int(seen.strange and seen.off_grid)

    def holds(self, at: Situation) -> bool:
        """Return whether the strange inputs stand alone instead of probing one another.

        Close probing by artificial values has better explanations; after some patience, none came.
        """
        if at.view.share(PERTURBATIONS | ONE_FIELD_CHANGES) < 0.4:
            return at.query >= PATIENCE
        return at.query >= LAST_RESORT and at.feature("off_grid_share") >= 0.5

    def evidence(self, at: Situation) -> tuple[Evidence, ...]:
        """Return the shares of strange inputs against what benign clients show."""
        strange, off = at.feature("strange_share"), at.feature("off_grid_share")
        return (
            statement(
                "off_manifold",
                f"{percent(strange)} of {at.query} queries are stranger than 98% of benign inputs "
                f"(reference 2%); {percent(off)} hold values off their fields' natural grids",
                strange=strange, off_grid=off, queries=at.query,
            ),
            statement(
                "coverage",
                f"{percent(at.feature('coverage'))} of the input space's cells visited in "
                f"{at.query} queries",
                coverage=at.feature("coverage"), query_entropy=at.feature("query_entropy"),
            ),
        )  # fmt: skip
