"""Harvesting: far more distinct queries than benign clients make, without any other sign."""

from detector.features.state import Stat
from detector.scoring.finding import AttackClass, Evidence
from detector.scoring.hypotheses.wording import statement
from detector.scoring.hypothesis import Need, Situation


class Harvesting:
    """The volume is the attack."""

    technique = "harvesting"
    attack_class = AttackClass.HARVESTING
    atlas = ("AML.T0034.000", "AML.T0029")
    needs = frozenset({Need.REFERENCE})
    signs = frozenset({"volume"})
    budget = 20000

    def holds(self, at: Situation) -> bool:
        """Return whether nothing else is credible: other attacks need many queries too."""
        return at.credible == self.signs

    def evidence(self, at: Situation) -> tuple[Evidence, ...]:
        """Return the volume."""
        volume = int(at.view.stat(Stat.PEAK_VOLUME))
        return (
            statement(
                "volume",
                f"{volume:,} distinct queries within about a day, {at.query:,} in all; far more "
                f"than benign clients of this model make",
                distinct_a_day=volume, queries=at.query,
            ),
        )  # fmt: skip
