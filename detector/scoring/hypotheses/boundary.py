"""Searches for the boundary: evasion of one record, membership inference of many.

Evasion: boundary walks (Brendel et al. 2018), HopSkipJump (Chen et al. 2020), SignOPT (Cheng et al.
2020) with labels alone; steps by coordinates (ZOO, Chen et al. 2017; SimBA, Guo et al. 2019) and
random squares (Andriushchenko et al. 2020) with scores. Membership: the distance to the boundary of
record after record, or many small changes of each (Choquette-Choo et al. 2021; Li and Zhang 2021).
"""

from detector.scoring.finding import AttackClass, Evidence
from detector.scoring.hypotheses.probing import (
    ARTIFICIAL,
    BY_FIELD,
    MOSTLY_HOMELESS,
    MOVED_ON,
    about_a_record,
    asks_and_searches,
    drawn_around,
    drifts_from_a_record,
    estimates_slopes,
    evades_in_turn,
    extent,
    flips,
    from_record_to_record,
    generated,
    in_one_region,
    placed,
    steps_by_field,
    visits_records,
    walks_beyond,
    went_out_from_a_record,
)
from detector.scoring.hypotheses.wording import percent, statement
from detector.scoring.hypothesis import Need, Situation


def _searches_one_region(at: Situation) -> bool:
    """Return whether a small region about one record is probed, and not by chance alone."""
    if estimates_slopes(at):
        about = about_a_record(at) or went_out_from_a_record(at)
        return about and at.traits.spread < 0.3
    if not in_one_region(at):
        return False
    if visits_records(at) or drawn_around(at) or generated(at):
        return False
    t = at.traits
    flips_often = t.flips >= (0.15 if t.home >= MOSTLY_HOMELESS else 0.06)
    close = t.local >= 0.1 and (about_a_record(at) or flips_often)
    return close or walks_beyond(at) or drifts_from_a_record(at)


class CoordinateSteps:
    """Steps field by field around natural records."""

    technique = "coordinate_steps"
    attack_class = AttackClass.EVASION
    atlas = ("AML.T0043.001", "AML.T0042")
    needs = frozenset({Need.INPUT, Need.REFERENCE})
    signs = BY_FIELD
    budget = 2500

    def holds(self, at: Situation) -> bool:
        """Return whether steps field by field stay close to natural records."""
        close = at.traits.spread < 0.3 or visits_records(at)
        stays = about_a_record(at) and at.traits.away < MOVED_ON
        return steps_by_field(at) and stays and close

    def evidence(self, at: Situation) -> tuple[Evidence, ...]:
        """Return how the queries were placed."""
        return (placed(at), extent(at))


class BoundaryEvasion:
    """The boundary is searched around a single record, or around some in turn."""

    technique = "boundary_probing"
    attack_class = AttackClass.EVASION
    atlas = ("AML.T0043.001", "AML.T0042")
    needs = frozenset({Need.INPUT, Need.LABEL})
    signs = ARTIFICIAL
    budget = 2500

    def holds(self, at: Situation) -> bool:
        """Return whether one record is searched around, or some in turn as evaders do."""
        one = _searches_one_region(at) and not asks_and_searches(at)
        return evades_in_turn(at) or one

    def evidence(self, at: Situation) -> tuple[Evidence, ...]:
        """Return the flips, and how the queries were placed."""
        return (flips(at), placed(at), extent(at))


class _Membership:
    """What the techniques share."""

    attack_class = AttackClass.MEMBERSHIP
    atlas = ("AML.T0024.000",)
    signs = ARTIFICIAL


class LabelOnlyMembership(_Membership):
    """The boundary is searched around record after record."""

    technique = "label_only_membership"
    needs = frozenset({Need.INPUT, Need.LABEL})
    budget = 25000

    def holds(self, at: Situation) -> bool:
        """Return whether the label flips around record after record."""
        flips_or_is_far = at.traits.flips >= 0.05 or at.traits.lone >= 0.3
        in_turn = asks_and_searches(at) and _searches_one_region(at)
        return in_turn or (from_record_to_record(at) and flips_or_is_far)

    def evidence(self, at: Situation) -> tuple[Evidence, ...]:
        """Return the probing, the flips and the records."""
        return (flips(at), extent(at))


class AugmentationMembership(_Membership):
    """Small artificial changes of one natural record after another."""

    technique = "augmentation_membership"
    needs = frozenset({Need.INPUT})
    budget = 5000

    def holds(self, at: Situation) -> bool:
        """Return whether record after record is being changed, the label hardly ever."""
        return from_record_to_record(at) and at.traits.lines < 0.3

    def evidence(self, at: Situation) -> tuple[Evidence, ...]:
        """Return how many natural records were changed, and how."""
        records = at.traits.homes
        return (
            statement(
                "augmented_records",
                f"{records} natural records were each queried again and again with small "
                f"artificial changes; {percent(at.feature('flip_share'))} of queries flip labels",
                records=records, flip_share=at.feature("flip_share"), queries=at.query,
            ),
            extent(at),
        )  # fmt: skip
