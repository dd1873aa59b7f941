"""What is tuned on and what is held out, fixed before anything was tuned.

Nobody looks at a held-out stream while changing a detector. `demo` is held out.
"""

from dataclasses import dataclass
from enum import StrEnum

from detector.evaluation.models import ModelKind, OutputForm


class Split(StrEnum):
    """Which streams a command works on."""

    TUNING = "tuning"
    DEMO = "demo"


@dataclass(frozen=True, slots=True)
class Deployment:
    """One model in service: data set, family, output form, whether integers are enforced."""

    dataset: str
    kind: ModelKind
    form: OutputForm
    strict: bool = False


SEEDS = {Split.TUNING: 1_000, Split.DEMO: 9_000}

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
        Deployment("mlc_churn", ModelKind.MLP, OutputForm.LABEL),
        Deployment("mlc_churn", ModelKind.TREE, OutputForm.FULL),
        Deployment("lending_club", ModelKind.BOOSTING, OutputForm.FULL),
        Deployment("lending_club", ModelKind.TREE, OutputForm.LABEL),
    ),
    Split.DEMO: (
        Deployment("credit_data", ModelKind.BOOSTING, OutputForm.FULL),
        Deployment("digits", ModelKind.MLP, OutputForm.FULL),
        Deployment("breast_cancer", ModelKind.LOGISTIC, OutputForm.LABEL),
    ),
}
