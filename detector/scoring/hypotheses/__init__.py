"""Signatures of attacks, one file each; `ALL` is the order in which evidence is held."""

from detector.scoring.hypotheses.attribute_sweep import AttributeSweep
from detector.scoring.hypotheses.boundary_hugging import BoundaryHugging
from detector.scoring.hypotheses.boundary_probing import (
    BoundaryEvasion,
    BoundaryWalk,
    LabelOnlyMembership,
)
from detector.scoring.hypotheses.line_search import LineSearch
from detector.scoring.hypotheses.off_manifold import OffManifoldQuerying
from detector.scoring.hypotheses.path_finding import TreePathFinding
from detector.scoring.hypotheses.perturbation import (
    AugmentationMembership,
    ConfidenceAscent,
    CoordinateEvasion,
    JacobianAugmentation,
)
from detector.scoring.hypothesis import Hypothesis

ALL: tuple[Hypothesis, ...] = (
    TreePathFinding(),
    AttributeSweep(),
    LineSearch(),
    OffManifoldQuerying(),
    BoundaryHugging(),
    ConfidenceAscent(),
    JacobianAugmentation(),
    BoundaryEvasion(),
    LabelOnlyMembership(),
    AugmentationMembership(),
    CoordinateEvasion(),
    BoundaryWalk(),
)
