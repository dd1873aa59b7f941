"""Signatures of attacks, one file a family; the first in `ALL` that fits explains a client.

So the order goes from what is told apart by a plain fact to what is left. `LAST_RESORT` explains
what nothing else does, and replaces no explanation that stands but a `WEAK` one, which only ever
held because there was no other sign.
"""

from detector.scoring.hypotheses.boundary import (
    AugmentationMembership,
    BoundaryEvasion,
    CoordinateSteps,
    LabelOnlyMembership,
)
from detector.scoring.hypotheses.extraction import (
    ActiveLearning,
    DataFree,
    JacobianAugmentation,
    LineSearch,
    OffManifold,
    RandomQueries,
)
from detector.scoring.hypotheses.harvesting import Harvesting
from detector.scoring.hypotheses.inversion import ConfidenceAscent, LatentSearch, SphereSampling
from detector.scoring.hypotheses.searches import AttributeSweep, TreePathFinding
from detector.scoring.hypothesis import Hypothesis

ALL: tuple[Hypothesis, ...] = (
    AttributeSweep(),
    TreePathFinding(),
    CoordinateSteps(),
    ConfidenceAscent(),
    LineSearch(),
    SphereSampling(),
    BoundaryEvasion(),
    LabelOnlyMembership(),
    AugmentationMembership(),
    LatentSearch(),
    DataFree(),
    JacobianAugmentation(),
    ActiveLearning(),
    Harvesting(),
    RandomQueries(),
    OffManifold(),
)
LAST_RESORT = frozenset({RandomQueries.technique, OffManifold.technique})
WEAK = frozenset({Harvesting.technique, ActiveLearning.technique})
