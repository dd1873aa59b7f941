"""Tree path-finding (Tramèr et al. 2016): one field at a time is searched for its thresholds."""

from detector.features.observation import ONE_FIELD_CHANGES, Observation, Probe
from detector.scoring.finding import AttackClass, Evidence
from detector.scoring.hypotheses.wording import busiest_field, counted, percent, statement
from detector.scoring.hypothesis import Need, Situation, Stage


class TreePathFinding:
    """One field changes a query, by values that halve intervals."""

    technique = "tree_path_finding"
    attack_class = AttackClass.EXTRACTION
    atlas = ("AML.T0024.002",)
    needs = frozenset({Need.INPUT})
    # What-if users change one field in up to 8 of 10 queries, hence the wide first stage.
    stages = (
        Stage(benign=0.25, benign_strength=3.0, attack=0.95, attack_strength=20.0, floor=0.4),
        Stage(benign=0.04, benign_strength=20.0, attack=0.6, attack_strength=3.0, floor=0.15),
    )
    explains = frozenset({"off_manifold_querying", "anomalous_client"})
    budget = 1000

    def level(self, seen: Observation) -> int:
        """Return 1 for a one-field change, 2 for one by a searching value."""
        if seen.probe is Probe.ONE_FIELD_SEARCH and not seen.revalue:
            return 2
        return int(seen.probe in ONE_FIELD_CHANGES)

    def holds(self, at: Situation) -> bool:
        """Return whether fields are searched, not stepped through in turn or swept over records."""
        changes = at.view.share(ONE_FIELD_CHANGES)
        return (
            changes >= 0.05
            and at.feature("revalue_share") < 0.5 * changes
            and at.share(Probe.ONE_FIELD_STEP) < 0.5 * changes
        )

    def evidence(self, at: Situation) -> tuple[Evidence, ...]:
        """Return the share of one-field changes, the searching ones, and the busiest field."""
        one, search = counted(at, *ONE_FIELD_CHANGES), counted(at, Probe.ONE_FIELD_SEARCH)
        name, times = busiest_field(at)
        return (
            statement(
                "one_field_changes",
                f"{percent(at.feature('one_field_share'))} of {at.query} queries differ from a "
                f"recent one in exactly one field; {search} of {one} by the midpoint of two values "
                f"tried before or by a field left out",
                one_field=one, searching=search, queries=at.query,
            ),
            statement("searched_field", f"field {name} was varied alone {times} times",
                      field=name, times=times),
        )  # fmt: skip
