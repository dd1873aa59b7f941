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
    SEVERAL_CENTRES,
    about_one_centre,
    estimates_slopes,
    extent,
    flips,
    from_record_to_record,
    placed,
    steps_by_field,
)
from detector.scoring.hypotheses.wording import percent, statement
from detector.scoring.hypothesis import Need, Situation


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
        return steps_by_field(at) and not estimates_slopes(at)

    def evidence(self, at: Situation) -> tuple[Evidence, ...]:
        """Return how the queries were placed."""
        return (placed(at), extent(at))


class BoundaryEvasion:
    """The boundary is searched around a single record."""

    technique = "boundary_probing"
    attack_class = AttackClass.EVASION
    atlas = ("AML.T0043.001", "AML.T0042")
    needs = frozenset({Need.INPUT, Need.LABEL})
    signs = ARTIFICIAL
    budget = 2500

    def holds(self, at: Situation) -> bool:
        """Return whether one record is closed in on: by lines to it, or along its boundary."""
        t = at.traits
        lines = t.lines >= 0.2 and t.natural >= 0.5 and t.ratio < 0.9
        if lines or not about_one_centre(at):
            return lines
        close = t.local >= 0.1 and (t.natural >= 0.2 or t.flips >= 0.06)
        alternating = t.lone >= 0.3 and t.same < 0.68
        return t.collinear >= 2 or close or alternating or t.low_margin >= 0.45

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
        """Return whether the label flips around a second record, or noise grows around many."""
        t = at.traits
        records = from_record_to_record(at) and t.lines < 0.6
        centres = t.queries >= 40.0 and 0.55 < t.ratio < 0.85 and t.hop < 0.3
        growing = centres and 0.2 <= t.spread < SEVERAL_CENTRES and t.lone >= 0.5 and t.lines < 0.2
        about = t.natural >= 0.3 or t.local < 0.03
        return (records and (t.flips >= 0.05 or t.lone >= 0.3)) or (growing and about)

    def evidence(self, at: Situation) -> tuple[Evidence, ...]:
        """Return the probing, the flips and the records."""
        return (flips(at), extent(at))


class AugmentationMembership(_Membership):
    """Small artificial changes of one natural record after another."""

    technique = "augmentation_membership"
    needs = frozenset({Need.INPUT})
    budget = 5000

    def holds(self, at: Situation) -> bool:
        """Return whether a second natural record is being changed, the label hardly ever."""
        t = at.traits
        return from_record_to_record(at) and t.lines < 0.3

    def evidence(self, at: Situation) -> tuple[Evidence, ...]:
        """Return how many natural records were changed, and how."""
        records = at.traits.records
        return (
            statement(
                "augmented_records",
                f"{records} natural records were each queried again and again with small "
                f"artificial changes; {percent(at.feature('flip_share'))} of queries flip labels",
                records=records, flip_share=at.feature("flip_share"), queries=at.query,
            ),
            extent(at),
        )  # fmt: skip
