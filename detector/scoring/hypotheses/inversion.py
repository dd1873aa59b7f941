"""Model inversion: one class is driven up, by steps around a moving point.

Confidence ascent with estimated gradients (Fredrikson et al. 2015; Ilyas et al. 2018; Spall 1992),
spheres around a moving centre when only labels are shown (Kahla et al. 2022), searches in a latent
space (Han et al. 2023; An et al. 2022).
"""

from detector.features.follow import SCORE_STEPS
from detector.scoring.finding import AttackClass, Evidence
from detector.scoring.hypotheses.probing import (
    ARTIFICIAL,
    BY_FIELD,
    MOVED_ON,
    about_a_record,
    drawn_around,
    drawn_at_random,
    estimates_slopes,
    extent,
    generated,
    in_one_region,
    keeps_one_class,
    makes_lines,
    placed,
    steps_by_field,
    went_out_from_a_record,
)
from detector.scoring.hypotheses.wording import percent, statement
from detector.scoring.hypothesis import Need, Situation


def _climb(at: Situation) -> tuple[Evidence, ...]:
    """Return the climb of the class that climbs most, where scores show one."""
    top = at.view.top_class()
    table, row = at.view.table, at.view.row
    start, peak = (float(array[row, top]) / SCORE_STEPS for array in (table.starts, table.peaks))
    times = int(table.records[row, top])
    if peak - start < 0.05:
        return ()
    return (
        statement(
            "class_climb",
            f"class column {top} climbed from {start:.2f} to {peak:.2f} in {at.query} "
            f"queries, setting {times} records",
            class_column=top, start=start, peak=peak, records=times, queries=at.query,
        ),
    )  # fmt: skip


def _one_class(at: Situation) -> Evidence:
    return statement(
        "single_class",
        f"{percent(at.feature('label_dominance'))} of the answers are one class",
        label_dominance=at.feature("label_dominance"),
    )


class _Inversion:
    """What the techniques share."""

    attack_class = AttackClass.INVERSION
    atlas = ("AML.T0024.001",)
    signs = ARTIFICIAL

    def evidence(self, at: Situation) -> tuple[Evidence, ...]:
        """Return the climb, where scores show one, how queries were placed, and their answers."""
        return (*_climb(at), placed(at), extent(at), _one_class(at))


class ConfidenceAscent(_Inversion):
    """Pairs or single-field steps around a moving point estimate the slope of one class."""

    technique = "confidence_ascent"
    signs = BY_FIELD
    needs = frozenset({Need.INPUT})
    budget = 5000

    def holds(self, at: Situation) -> bool:
        """Return whether steps or mirrored pairs go around one moving, artificial point."""
        t = at.traits
        # Pairs field by field that have left a record are for its score's sake, wherever it is.
        pairs = "cross" in at.credible
        if went_out_from_a_record(at) and not pairs:
            return False
        if steps_by_field(at):
            moving = t.away >= MOVED_ON or not about_a_record(at)
            stepwise = t.ratio < 0.5 and (t.spread < 0.55 or pairs)
            return moving and (t.spread < 0.3 or stepwise)
        return estimates_slopes(at) and t.spread < 0.3 and not about_a_record(at)


class SphereSampling(_Inversion):
    """Points at one distance around a moving centre that keeps to one class."""

    technique = "sphere_sampling"
    needs = frozenset({Need.INPUT, Need.REFERENCE})
    budget = 10000

    def holds(self, at: Situation) -> bool:
        """Return whether unrelated points keep to one region and to one class."""
        t = at.traits
        region = in_one_region(at) or (t.queries >= 12.0 and t.spread < 0.3 and t.same >= 0.85)
        return region and drawn_around(at)


class LatentSearch(_Inversion):
    """Generations of points close in on one class."""

    technique = "latent_search"
    needs = frozenset({Need.INPUT, Need.REFERENCE})
    budget = 10000

    def holds(self, at: Situation) -> bool:
        """Return whether close points keep to one region, or are those of a generator."""
        t = at.traits
        # A population that has not closed in yet is wide, but its points come from near the last.
        near = t.hop < 0.28 and t.ratio < 0.8
        closing = t.queries >= 12.0 and t.spread < 0.52 and near and t.same >= 0.8
        region = (in_one_region(at) or closing) and not drawn_at_random(at)
        made_up = region and not went_out_from_a_record(at)
        return not makes_lines(at) and (generated(at) or (made_up and keeps_one_class(at)))
