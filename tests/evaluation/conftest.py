import pytest

from detector.evaluation import datasets, models
from detector.evaluation.models import ModelKind, OutputForm, Target


@pytest.fixture(scope="session")
def cancer_target() -> Target:
    cancer = datasets.load("breast_cancer")
    return models.train(cancer, ModelKind.LOGISTIC, OutputForm.FULL, seed=3)


@pytest.fixture(scope="session")
def digits_target() -> Target:
    return models.train(datasets.load("digits"), ModelKind.MLP, OutputForm.FULL, seed=3)


@pytest.fixture(scope="session")
def churn_target() -> Target:
    """Answer with a tree's scores over numbers and categories."""
    return models.train(datasets.load("wa_churn"), ModelKind.TREE, OutputForm.FULL, seed=3)
