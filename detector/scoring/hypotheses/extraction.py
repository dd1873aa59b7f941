"""Model extraction by synthetic and chosen queries.

Line search (Lowd and Meek 2005; Tramèr et al. 2016) and critical points on random lines (Jagielski
et al. 2020; Carlini et al. 2020); data-free with finite differences (Truong et al. 2021; Kariyappa
et al. 2021); Jacobian augmentation (Papernot et al. 2017; Juuti et al. 2019); active learning
(Chandrasekaran et al. 2020); random queries (Tramèr et al. 2016) and rows of another domain
(Orekondy et al. 2019; Correia-Silva et al. 2018).
"""

from detector.features.observation import Probe
from detector.scoring.finding import AttackClass, Evidence
from detector.scoring.hypotheses.probing import (
    ARTIFICIAL,
    AS_RANDOM,
    BISECTED,
    about_a_record,
    extent,
    placed,
    strange,
)
from detector.scoring.hypotheses.wording import counted, percent, statement
from detector.scoring.hypothesis import Need, Situation


class _Extraction:
    """What the techniques share."""

    attack_class = AttackClass.EXTRACTION
    atlas: tuple[str, ...] = ("AML.T0024.002", "AML.T0005.001")
    signs = ARTIFICIAL
    needs = frozenset({Need.INPUT, Need.REFERENCE})


class LineSearch(_Extraction):
    """Many queries stand on lines between points far apart."""

    technique = "line_search"
    atlas = ("AML.T0024.002",)
    needs = frozenset({Need.INPUT})
    budget = 2000

    def holds(self, at: Situation) -> bool:
        """Return whether lines dominate the close probing and cross the input space."""
        t = at.traits
        about_records = t.homes >= 3 and t.home < BISECTED
        about = about_records or (about_a_record(at) and t.homes >= 1)
        across = t.spread >= 0.2 and not about
        return t.lines >= 0.2 and t.lined >= 0.08 and (across or t.moves >= 0.07)

    def evidence(self, at: Situation) -> tuple[Evidence, ...]:
        """Return how many queries stand on lines and how many flipped the label."""
        lines = counted(at, Probe.COLLINEAR)
        said = statement(
            "collinear_queries",
            f"{lines} of {at.query} queries stand on a line with two earlier ones; "
            f"{percent(at.feature('flip_share'))} of queries flipped the label nearby",
            collinear=lines, queries=at.query, flip_share=at.feature("flip_share"),
        )  # fmt: skip
        return (said, extent(at))


class DataFree(_Extraction):
    """Points all over the input space, each with close neighbours to estimate a gradient."""

    technique = "data_free"
    budget = 20000

    def holds(self, at: Situation) -> bool:
        """Return whether short bursts go around artificial points far from each other."""
        t = at.traits
        artificial = t.spread >= AS_RANDOM and not about_a_record(at)
        return artificial and t.ratio < 0.6 and t.local >= 0.15

    def evidence(self, at: Situation) -> tuple[Evidence, ...]:
        """Return how the queries were placed."""
        return (placed(at), extent(at), strange(at))


class JacobianAugmentation(_Extraction):
    """Artificial steps from many points in turn."""

    technique = "jacobian_augmentation"
    budget = 2000

    def holds(self, at: Situation) -> bool:
        """Return whether close queries go out from another point each time."""
        t = at.traits
        return t.local >= 0.1 and t.switches >= 0.6 and t.spread >= 0.25

    def evidence(self, at: Situation) -> tuple[Evidence, ...]:
        """Return how the queries were placed."""
        return (placed(at), extent(at), strange(at))


class ActiveLearning(_Extraction):
    """Natural inputs chosen where the model is unsure."""

    technique = "active_learning"
    needs = frozenset({Need.INPUT, Need.SCORES, Need.REFERENCE})
    signs = frozenset({"margin"})
    budget = 1000

    def holds(self, at: Situation) -> bool:
        """Return whether nothing else is conspicuous: strange inputs have their own reasons."""
        return at.credible == self.signs

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


class RandomQueries(_Extraction):
    """Points drawn without regard to the data, as for solving equations."""

    technique = "equation_solving"
    budget = 1000

    def holds(self, at: Situation) -> bool:
        """Return whether the points are scattered all over the input space."""
        return at.traits.scattered >= 0.3 and at.traits.spread >= 0.25

    def evidence(self, at: Situation) -> tuple[Evidence, ...]:
        """Return how strange the inputs are."""
        return (strange(at), extent(at))


class OffManifold(_Extraction):
    """Inputs unlike this model's traffic, for whatever surrogate: the last resort."""

    technique = "off_manifold_querying"
    budget = 1000

    def holds(self, at: Situation) -> bool:
        """Return true: what is credible and nothing else explains is a surrogate's training."""
        return True

    def evidence(self, at: Situation) -> tuple[Evidence, ...]:
        """Return how strange the inputs are."""
        return (strange(at), placed(at), extent(at))
