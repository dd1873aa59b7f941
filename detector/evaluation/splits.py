"""What is tuned on and what is held out: data sets, models, attack variants and benign kinds.

Fixed in code before anything was tuned; later only the tuned side grew, by `TUNING_ONLY`. Nobody
looks at a held-out stream while changing a detector; the figures that are reported come from
`held_out` alone. `demo` is held out in its data sets and models only: its log shows attack variants
and benign kinds of both splits, without `TUNING_ONLY`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import cycle

from detector.evaluation import benign
from detector.evaluation.models import ModelKind, OutputForm, Wire


class Split(StrEnum):
    """Which streams a command works on."""

    TUNING = "tuning"
    HELD_OUT = "held_out"
    DEMO = "demo"


@dataclass(frozen=True, slots=True)
class Deployment:
    """One model in service.

    Attributes:
        dataset: What it was trained for.
        kind: Model family.
        form: What its API answers.
        strict: Whether the API rejects fractions in integer fields, so that clients round them.
        wire: In what units clients send numbers.
    """

    dataset: str
    kind: ModelKind
    form: OutputForm
    strict: bool = False
    wire: Wire = Wire.RAW


SEEDS = {Split.TUNING: 1_000, Split.HELD_OUT: 5_000, Split.DEMO: 9_000}

DEPLOYMENTS: dict[Split, tuple[Deployment, ...]] = {
    Split.TUNING: (
        Deployment("wine", ModelKind.MLP, OutputForm.FULL),
        Deployment("wine", ModelKind.LOGISTIC, OutputForm.LABEL, strict=True),
        Deployment("spam7", ModelKind.TREE, OutputForm.FULL),
        Deployment("spam7", ModelKind.BOOSTING, OutputForm.TOP1),
        Deployment("hmda", ModelKind.LOGISTIC, OutputForm.FULL),
        Deployment("hmda", ModelKind.FOREST, OutputForm.LABEL),
        Deployment("wa_churn", ModelKind.TREE, OutputForm.TOP1, strict=True),
        Deployment("wa_churn", ModelKind.BOOSTING, OutputForm.FULL),
        Deployment("mlc_churn", ModelKind.MLP, OutputForm.LABEL, wire=Wire.STANDARDISED),
        Deployment("mlc_churn", ModelKind.TREE, OutputForm.FULL),
        Deployment("lending_club", ModelKind.BOOSTING, OutputForm.FULL, wire=Wire.STANDARDISED),
        Deployment("lending_club", ModelKind.TREE, OutputForm.LABEL),
        Deployment("leaf_id_flavia", ModelKind.MLP, OutputForm.FULL),
        Deployment("leaf_id_flavia", ModelKind.FOREST, OutputForm.TOP1, wire=Wire.ROUNDED),
        Deployment("health_insurance", ModelKind.TREE, OutputForm.LABEL, strict=True),
        Deployment("email", ModelKind.TREE, OutputForm.FULL, strict=True),
        Deployment("nmes", ModelKind.TREE, OutputForm.TOP1, strict=True),
        Deployment("resume", ModelKind.TREE, OutputForm.FULL, strict=True),
        Deployment("oj", ModelKind.LOGISTIC, OutputForm.FULL),
        Deployment("monica", ModelKind.LOGISTIC, OutputForm.TOP1, strict=True),
        Deployment("diamonds", ModelKind.MLP, OutputForm.FULL),
        Deployment("bfi", ModelKind.MLP, OutputForm.LABEL),
        Deployment("gapminder", ModelKind.MLP, OutputForm.TOP1, wire=Wire.ROUNDED),
        Deployment("yrbss", ModelKind.TREE, OutputForm.FULL),
        Deployment("caravan", ModelKind.BOOSTING, OutputForm.FULL),
        Deployment("doctor", ModelKind.TREE, OutputForm.LABEL, strict=True),
        Deployment("medpar", ModelKind.TREE, OutputForm.LABEL),
        Deployment("ncbirths", ModelKind.FOREST, OutputForm.FULL),
    ),
    Split.HELD_OUT: (
        Deployment("credit_data", ModelKind.BOOSTING, OutputForm.FULL),
        Deployment("credit_data", ModelKind.LOGISTIC, OutputForm.FULL, wire=Wire.STANDARDISED),
        Deployment("credit_data", ModelKind.TREE, OutputForm.LABEL, strict=True),
        Deployment("digits", ModelKind.MLP, OutputForm.FULL),
        Deployment("digits", ModelKind.FOREST, OutputForm.LABEL),
        Deployment("breast_cancer", ModelKind.LOGISTIC, OutputForm.LABEL),
        Deployment("breast_cancer", ModelKind.MLP, OutputForm.TOP1, wire=Wire.STANDARDISED),
        Deployment("attrition", ModelKind.FOREST, OutputForm.FULL),
        Deployment("attrition", ModelKind.BOOSTING, OutputForm.LABEL),
        Deployment("cells", ModelKind.BOOSTING, OutputForm.FULL),
        Deployment("cells", ModelKind.MLP, OutputForm.LABEL, wire=Wire.ROUNDED),
        Deployment("stackoverflow", ModelKind.LOGISTIC, OutputForm.TOP1),
        Deployment("stackoverflow", ModelKind.TREE, OutputForm.FULL, strict=True),
        Deployment("olive", ModelKind.TREE, OutputForm.FULL),
        Deployment("olive", ModelKind.MLP, OutputForm.FULL, wire=Wire.ROUNDED),
    ),
    Split.DEMO: (
        Deployment("credit_data", ModelKind.BOOSTING, OutputForm.FULL),
        Deployment("digits", ModelKind.MLP, OutputForm.FULL),
        Deployment("breast_cancer", ModelKind.LOGISTIC, OutputForm.LABEL),
    ),
}

# What models of tables are, in turn.
_MODELS_OF_TABLES = (
    (ModelKind.TREE, OutputForm.LABEL, False, Wire.RAW),
    (ModelKind.LOGISTIC, OutputForm.FULL, False, Wire.STANDARDISED),
    (ModelKind.BOOSTING, OutputForm.TOP1, False, Wire.RAW),
    (ModelKind.MLP, OutputForm.FULL, False, Wire.RAW),
    (ModelKind.FOREST, OutputForm.LABEL, False, Wire.RAW),
    (ModelKind.TREE, OutputForm.FULL, True, Wire.RAW),
    (ModelKind.MLP, OutputForm.LABEL, False, Wire.ROUNDED),
    (ModelKind.LOGISTIC, OutputForm.TOP1, True, Wire.RAW),
    (ModelKind.BOOSTING, OutputForm.FULL, False, Wire.RAW),
)

# Variants that widen what is tuned on, lest rules fit a technique's one variant. The demo goes
# without them: its log is small, and shows every technique of the signature table already.
TUNING_ONLY = frozenset(
    {
        "natural_segments", "nes_random", "es_inversion", "cem_inversion", "latent_walk",
        "rays_distance", "gaussian_augmentation", "neighbourhood", "rays", "evolutionary", "geoda",
        "nes_evasion", "es_evasion", "greedy", "one_pixel", "central", "dfme_batch",
        "subspace_distance", "sign_bits", "axis_crossings", "sorted_rows", "pattern",
        "decision_distance",
    }
)  # fmt: skip
# Every technique of the signature table has a variant on both sides where it has more than one
# form; functionally equivalent extraction, SignOPT and square search are held out whole, descent
# by scores and changes of few fields are tuned on only.
TUNED_ATTACKS = TUNING_ONLY | frozenset(
    {
        "path_finding", "path_finding_natural", "uniform", "uniform_grid", "random_segments",
        "jbda", "copycat", "active_learning", "dfme", "nes", "brep", "latent", "sweep",
        "noise_distance", "augmentation", "roster", "boundary_walk", "zoo", "harvest_burst",
    }
)  # fmt: skip
HELD_OUT_ATTACKS = frozenset(
    {
        "path_finding_incomplete", "path_finding_shuffled", "gaussian", "latin_hypercube",
        "lowd_meek", "functionally_equivalent", "jbrand", "random_sign", "knockoff",
        "active_learning_committee", "maze", "forward", "spsa", "brep_wide", "latent_genetic",
        "sweep_shuffled", "hsj_distance", "augmentation_fields", "roster_slow", "hop_skip_jump",
        "sign_opt", "square", "simba", "harvest_steady",
    }
)  # fmt: skip
TUNED_BENIGN = frozenset(
    {
        "regular", "what_if", "what_if_one_field", "retry", "nightly_batch", "health_check",
        "load_test", "drifting_sensor", "narrow_cohort", "seasonal_newcomer",
    }
)  # fmt: skip
"""Kinds seen while tuning; `what_if_flip`, `noisy` and `paging_user` are held out.

The held-out split has them all.
"""


def deployments_of(tables: Sequence[str]) -> tuple[Deployment, ...]:
    """Return a deployment of each table; kinds, forms and units go in turn."""
    return tuple(
        Deployment(table, kind, form, strict, wire)
        for table, (kind, form, strict, wire) in zip(tables, cycle(_MODELS_OF_TABLES), strict=False)
    )


def benign_kinds_of(split: Split) -> tuple[str, ...]:
    """Return the benign kinds of a split: the tuned ones while tuning, otherwise all."""
    if split is Split.TUNING:
        return tuple(kind for kind in benign.KINDS if kind in TUNED_BENIGN)
    return tuple(benign.KINDS)
