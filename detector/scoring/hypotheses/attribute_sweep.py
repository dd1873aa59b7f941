"""Attribute inversion (Fredrikson et al. 2014): a field takes all its values, record by record."""

from detector.features.observation import ONE_FIELD_CHANGES, Observation
from detector.features.state import Stat
from detector.scoring.finding import AttackClass, Evidence
from detector.scoring.hypotheses.wording import percent, statement, swept_field
from detector.scoring.hypothesis import Need, Situation, Stage


class AttributeSweep:
    """The same values of the same field are tried on record after record."""

    technique = "attribute_sweep"
    attack_class = AttackClass.INVERSION
    atlas = ("AML.T0024.001",)
    needs = frozenset({Need.INPUT})
    stages = (
        Stage(benign=0.25, benign_strength=3.0, attack=0.8, attack_strength=6.0, floor=0.3),
        Stage(benign=0.06, benign_strength=12.0, attack=0.85, attack_strength=6.0, floor=0.3),
    )
    explains = frozenset({"tree_path_finding", "off_manifold_querying", "anomalous_client"})
    budget = 1000

    def level(self, seen: Observation) -> int:
        """Return 1 for a one-field change, 2 when it repeats the sweep of the record before."""
        if seen.probe not in ONE_FIELD_CHANGES:
            return 0
        return 1 + int(seen.revalue)

    def holds(self, at: Situation) -> bool:
        """Return whether one field was swept over at least three records."""
        return at.view.stat(Stat.SWEEP_BASES) >= 3

    def evidence(self, at: Situation) -> tuple[Evidence, ...]:
        """Return the field, its values and how many records they were tried on."""
        name = swept_field(at)
        records = int(at.view.stat(Stat.SWEEP_BASES))
        values = max(int(at.view.stat(Stat.SWEEP_KNOWN)), int(at.view.stat(Stat.SWEEP_HERE)))
        return (
            statement(
                "attribute_sweep",
                f"field {name} was swept over the same {values} values on {records} records "
                f"({percent(at.feature('revalue_share'))} of {at.query} queries)",
                field=name, values=values, records=records, queries=at.query,
            ),
        )  # fmt: skip
