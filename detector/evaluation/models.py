"""Targets: models trained on half of a data set, behind the outputs that an API would show.

The training half are the members, which membership inference is after; nothing else may use it.
"""

import warnings
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Protocol

import numpy as np
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from sklearn.neural_network import MLPClassifier
from sklearn.tree import DecisionTreeClassifier

from detector.evaluation.datasets import (
    Coded,
    Dataset,
    FieldKind,
    Labels,
    significant,
    standardised,
)

ROUNDED_PLACES = 3


class ModelKind(StrEnum):
    """Model families."""

    TREE = "tree"
    FOREST = "forest"
    BOOSTING = "boosting"
    LOGISTIC = "logistic"
    MLP = "mlp"


class OutputForm(StrEnum):
    """How much of the answer the API shows."""

    LABEL = "label"
    TOP1 = "top1"
    FULL = "full"


class Wire(StrEnum):
    """In what units clients send numbers.

    RAW are the data set's own; STANDARDISED are z-scores, as a feature store sends them, with no
    decimal grid left; ROUNDED are z-scores that everybody's client library rounds to
    `ROUNDED_PLACES`, attackers' included.
    """

    RAW = "raw"
    STANDARDISED = "standardised"
    ROUNDED = "rounded"


class Classifier(Protocol):
    """The part of scikit-learn's classifiers that is used."""

    def fit(self, x: Coded, y: Labels) -> Any:
        """Learn from (n, k) inputs and (n,) labels."""
        ...

    def predict_proba(self, x: Coded) -> Coded:
        """Return (n, c) class probabilities."""
        ...


class Forest(RandomForestClassifier):  # type: ignore[misc]  # scikit-learn ships no types
    """A random forest that answers single rows fast, without a pool of threads."""

    def predict_proba(self, X: Coded) -> Coded:  # noqa: N803  # scikit-learn's name
        """Return the (n, c) mean of the trees' class shares."""
        rows = X.astype(np.float32)
        total: Coded = sum(tree.tree_.predict(rows) for tree in self.estimators_)
        return total / len(self.estimators_)


def _classifier(kind: ModelKind, seed: int) -> Classifier:
    made: dict[ModelKind, Classifier] = {
        ModelKind.TREE: DecisionTreeClassifier(min_samples_leaf=4, max_depth=8, random_state=seed),
        ModelKind.FOREST: Forest(25, min_samples_leaf=2, random_state=seed),
        ModelKind.BOOSTING: HistGradientBoostingClassifier(
            max_iter=50, max_leaf_nodes=12, early_stopping=False, random_state=seed
        ),
        ModelKind.LOGISTIC: LogisticRegression(max_iter=2000),
        ModelKind.MLP: MLPClassifier((32,), max_iter=300, alpha=1e-3, random_state=seed),
    }
    return made[kind]


class Encoder:
    """Coded rows to model inputs.

    Trees take codes and missing values as they are; the others get medians for missing numbers,
    standardised numbers and one-hot categories (all zero when missing).
    """

    def __init__(self, dataset: Dataset, rows: Coded, *, as_codes: bool) -> None:
        self._as_codes = as_codes
        categorical = np.array([field.is_categorical for field in dataset.fields])
        self._numeric = np.flatnonzero(~categorical)
        self._groups = [
            (j, np.arange(len(dataset.fields[j].categories))) for j in np.flatnonzero(categorical)
        ]
        numbers = rows[:, self._numeric]
        self._median = np.nanmedian(numbers, axis=0)
        self._scale = np.nanstd(numbers, axis=0)
        self._scale[self._scale == 0] = 1.0

    def __call__(self, rows: Coded) -> Coded:
        """Return the (n, k) inputs of the model."""
        if self._as_codes:
            return rows
        numbers = rows[:, self._numeric]
        numbers = np.where(np.isnan(numbers), self._median, numbers)
        hot = [(rows[:, j, None] == codes).astype(np.float64) for j, codes in self._groups]
        return np.concatenate([(numbers - self._median) / self._scale, *hot], axis=1)


@dataclass(frozen=True, slots=True)
class Answers:
    """What a client gets back for n rows, as arrays.

    Attributes:
        labels: (n,) class indices.
        scores: (n, c) scores as far as the API shows them: all of them, the best one rounded with
            the rest spread evenly, or 1 for the label.
    """

    labels: Labels
    scores: Coded


@dataclass(frozen=True, slots=True, eq=False)
class Target:
    """A deployed model.

    Attributes:
        model_id: Its name in the log.
        kind: Model family.
        form: What its API answers.
        strict: Whether the API rejects fractions in integer fields, so that clients round them.
        wire: In what units clients send numbers; `dataset` and all rows have them.
        dataset: What it was trained for.
        members: (m, d) coded rows it was trained on.
        outside: (n - m, d) coded rows it has never seen.
    """

    model_id: str
    kind: ModelKind
    form: OutputForm
    strict: bool
    wire: Wire
    dataset: Dataset
    members: Coded
    outside: Coded
    outside_labels: Labels
    _encoder: Encoder
    _classifier: Classifier

    def as_sent(self, rows: Coded) -> Coded:
        """Return the rows as they go over the wire: six significant digits, integers if strict.

        `Wire.ROUNDED` leaves three decimal places.
        """
        sent = significant(rows)
        if self.wire is Wire.ROUNDED:
            sent = np.round(sent, ROUNDED_PLACES) + 0.0
        if self.strict:
            whole = [f.kind is FieldKind.INTEGER for f in self.dataset.fields]
            sent[:, whole] = np.round(sent[:, whole])
        return sent

    def proba(self, rows: Coded) -> Coded:
        """Return the model's own (n, c) class probabilities."""
        return self._classifier.predict_proba(self._encoder(rows))

    def answer(self, rows: Coded) -> Answers:
        """Return what the API answers to (n, d) rows, as a client can use it."""
        proba = self.proba(rows)
        labels = proba.argmax(axis=1).astype(np.int64)
        at = np.arange(len(rows)), labels
        if self.form is OutputForm.FULL:
            return Answers(labels, np.round(proba, 6))
        best = np.round(proba[at], 2) if self.form is OutputForm.TOP1 else np.ones(len(rows))
        rest = (1.0 - best) / (proba.shape[1] - 1)
        scores = np.repeat(rest[:, None], proba.shape[1], axis=1)
        scores[at] = best
        return Answers(labels, scores)

    def outputs(self, answers: Answers) -> list[dict[str, Any]]:
        """Return the answers as the `output` objects of canonical events."""
        names = self.dataset.classes
        shown = []
        for label, scores in zip(answers.labels.tolist(), answers.scores.tolist(), strict=True):
            output: dict[str, Any] = {"label": names[label]}
            if self.form is OutputForm.TOP1:
                output["scores"] = [scores[label]]
            elif self.form is OutputForm.FULL:
                plain = isinstance(names[0], int)
                output["scores"] = scores if plain else dict(zip(names, scores, strict=True))
            shown.append(output)
        return shown


def _wired(dataset: Dataset, wire: Wire) -> Dataset:
    if wire is Wire.RAW:
        return dataset
    if wire is Wire.ROUNDED:
        return standardised(dataset, ROUNDED_PLACES)
    return standardised(dataset)


def train(
    dataset: Dataset,
    kind: ModelKind,
    form: OutputForm,
    *,
    seed: int,
    strict: bool = False,
    wire: Wire = Wire.RAW,
) -> Target:
    """Train on a random half of the data set; the same seed gives the same model."""
    dataset = _wired(dataset, wire)
    order = np.random.default_rng(seed).permutation(len(dataset.rows))
    inside, outside = order[: len(order) // 2], order[len(order) // 2 :]
    members = dataset.rows[inside]
    as_codes = kind in (ModelKind.TREE, ModelKind.FOREST, ModelKind.BOOSTING)
    encoder = Encoder(dataset, members, as_codes=as_codes)
    classifier = _classifier(kind, seed)
    with warnings.catch_warnings():
        # A target that stopped a little early is as good a target.
        warnings.simplefilter("ignore", ConvergenceWarning)
        classifier.fit(encoder(members), dataset.labels[inside])
    variants = ["strict"] * strict + ([] if wire is Wire.RAW else [wire])
    return Target(
        model_id="-".join([dataset.name, kind, form, *variants]),
        kind=kind,
        form=form,
        strict=strict,
        wire=wire,
        dataset=dataset,
        members=members,
        outside=dataset.rows[outside],
        outside_labels=dataset.labels[outside],
        _encoder=encoder,
        _classifier=classifier,
    )
