"""Attacks that change one field a query: searches for a tree's thresholds, sweeps of one field.

Tree path-finding (Tramèr et al. 2016) halves intervals; attribute inversion (Fredrikson et al.
2014) tries the same values of one field on record after record.
"""

from detector.features.observation import ONE_FIELD_CHANGES, Probe
from detector.features.state import SWEEP_VALUES, Stat
from detector.scoring.finding import AttackClass, Evidence
from detector.scoring.hypotheses.probing import BY_FIELD, SEARCHED
from detector.scoring.hypotheses.wording import (
    busiest_field,
    counted,
    percent,
    statement,
    swept_field,
)
from detector.scoring.hypothesis import Need, Situation


def _changes_one_field(at: Situation) -> bool:
    """Return whether most conspicuous queries change one field, and few do anything else."""
    one, local = at.traits.one_field, at.traits.local
    return one >= 0.5 and one >= 4.0 * local


class AttributeSweep:
    """The same values of the same field are tried on record after record."""

    technique = "attribute_sweep"
    attack_class = AttackClass.INVERSION
    atlas = ("AML.T0024.001",)
    needs = frozenset({Need.INPUT})
    signs = frozenset({"sweep"})
    budget = 1000

    def holds(self, at: Situation) -> bool:
        """Return whether one-field changes keep to a routine, or nothing else is credible."""
        routine = at.traits.routine >= 0.12 and _changes_one_field(at)
        return routine or at.credible == self.signs

    def evidence(self, at: Situation) -> tuple[Evidence, ...]:
        """Return the field, its values and how many records they were tried on."""
        name = swept_field(at)
        records = int(at.view.stat(Stat.SWEPT_RECORDS))
        values = int(at.view.stat(Stat.SWEPT_VALUES))
        more = "at least " if values == SWEEP_VALUES else ""
        return (
            statement(
                "attribute_sweep",
                f"field {name} was swept over the same {more}{values} values on {records} records "
                f"({percent(at.feature('routine_share'))} of {at.query} queries repeat the record "
                f"before)",
                field=name, values=values, records=records, queries=at.query,
            ),
        )  # fmt: skip


class TreePathFinding:
    """One field changes a query, by values that halve intervals."""

    technique = "tree_path_finding"
    attack_class = AttackClass.EXTRACTION
    atlas = ("AML.T0024.002",)
    needs = frozenset({Need.INPUT})
    signs = BY_FIELD - {"cross", "burst", "climb"}
    budget = 1000

    def holds(self, at: Situation) -> bool:
        """Return whether fields are searched one at a time, or tried in turn by natural values."""
        t = at.traits
        searched = t.searching >= SEARCHED and "cross" not in at.credible
        # Of a field with few values each is tried, and none of them is where a search would look.
        tried = t.one_field >= 0.6 and t.stepped < 0.02 and "turns" in at.credible
        one_by_one = _changes_one_field(at) and (searched or tried)
        return one_by_one or at.credible <= {"search", "one_field"}

    def evidence(self, at: Situation) -> tuple[Evidence, ...]:
        """Return the share of one-field changes, the searching ones, and the busiest field."""
        one, search = counted(at, *ONE_FIELD_CHANGES), counted(at, Probe.ONE_FIELD_SEARCH)
        name, share = busiest_field(at)
        return (
            statement(
                "one_field_changes",
                f"{percent(at.feature('one_field_share'))} of {at.query} queries differ from a "
                f"recent one in exactly one field; {search} of {one} by the midpoint of two values "
                f"tried before, an end of the field's range, or a field left out",
                one_field=one, searching=search, queries=at.query,
            ),
            statement(
                "searched_field",
                f"of the latest one-field changes {percent(share)} are of field {name}, more than "
                f"of any other",
                field=name, share=share,
            ),
        )  # fmt: skip
