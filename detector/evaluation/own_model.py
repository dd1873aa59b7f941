"""A user's own model as a target: called through Python or over HTTP, within a bound of queries."""

import importlib
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import numpy as np

from detector.evaluation.datasets import Coded, Dataset, Labels
from detector.evaluation.models import Classifier, Encoder, ModelKind, OutputForm, Target, Wire
from detector.kit.errors import ConfigurationError, QuerywatchError

Predict = Callable[[Coded], Any]
PROBE_ROWS = 100
OTHER = "other"
"""The class of labels that no probe brought; a model that answers labels alone may have more."""


class QueriesSpentError(QuerywatchError):
    """The user's model has been asked as often as the user allows."""


class OwnModel:
    """Asks a model and holds it to one shape of answers.

    Args:
        predict: Takes (n, d) coded rows and returns (n,) labels or (n, c) scores.
        budget: Rows that may be asked in all.
    """

    def __init__(self, predict: Predict, budget: int) -> None:
        self._predict = predict
        self._left = budget
        self._fill: Coded | None = None
        self.spent = False
        self._classes: dict[Any, int] = {}
        self.form = OutputForm.FULL
        self.classes: tuple[str | int, ...] = ()

    def meet(self, rows: Coded) -> None:
        """Ask about a few natural rows to learn what the answers look like.

        Where none of the rows lacks a value, the model need not know what to do about gaps: those
        that attackers leave are filled with the field's median before the model sees them.
        """
        if not np.isnan(rows).any():
            self._fill = np.quantile(rows, 0.5, axis=0, method="nearest")
        answers = self._ask(rows[:PROBE_ROWS])
        if answers.ndim == 2:
            self.classes = tuple(range(answers.shape[1]))
            return
        self.form = OutputForm.LABEL
        seen = sorted({_plain(label) for label in answers}, key=str)
        self._classes = {label: i for i, label in enumerate(seen)}
        self.classes = (*seen, OTHER)

    def predict_proba(self, x: Coded) -> Coded:
        """Return (n, c) scores; 1 for the label where the model answers labels alone."""
        answers = self._ask(x)
        expected = (len(x),) if self.form is OutputForm.LABEL else (len(x), len(self.classes))
        if answers.shape != expected:
            raise QuerywatchError(
                f"the model answered in the shape {answers.shape}, not {expected}"
            )
        if self.form is OutputForm.FULL:
            return answers
        other = len(self._classes)
        scores = np.zeros((len(x), len(self.classes)))
        at = [self._classes.get(_plain(label), other) for label in answers]
        scores[np.arange(len(x)), at] = 1.0
        return scores

    def _ask(self, rows: Coded) -> np.ndarray[Any, Any]:
        if len(rows) > self._left:
            self.spent = True
            raise QueriesSpentError("the model has been asked as often as allowed")
        self._left -= len(rows)
        try:
            answers = self._predict(self._filled(rows))
        except QuerywatchError:
            raise
        except Exception as error:
            # Whatever a user's model raises is for the user to read, in a line.
            raise QuerywatchError(f"the model failed: {type(error).__name__}: {error}") from error
        return _checked(answers, len(rows))

    def _filled(self, rows: Coded) -> Coded:
        return rows if self._fill is None else np.where(np.isnan(rows), self._fill, rows)


def _checked(answers: Any, count: int) -> np.ndarray[Any, Any]:
    """Return answers as (n,) labels or (n, c) finite scores; raises `QuerywatchError` otherwise."""
    try:
        array = np.asarray(answers)
    except ValueError as error:
        raise QuerywatchError(f"the model's answers do not all look alike: {error}") from error
    fits = array.ndim in (1, 2) and len(array) == count
    if not fits or (array.ndim == 2 and array.shape[1] < 2):
        raise QuerywatchError(
            f"the model answered {count} rows in the shape {array.shape}; it must be ({count},)"
            f" labels or ({count}, classes) scores"
        )
    if array.ndim == 1:
        return array
    try:
        scores = array.astype(np.float64)
    except (TypeError, ValueError) as error:
        raise QuerywatchError("the model's scores are not numbers") from error
    if not np.isfinite(scores).all():
        raise QuerywatchError("the model's scores are not all finite")
    return scores


def _plain(label: Any) -> str | int:
    """Return a label as it stands in a log: an integer, or else a text."""
    if isinstance(label, int | np.integer | np.bool_) or (
        isinstance(label, float | np.floating) and float(label).is_integer()
    ):
        return int(label)
    return str(label)


def callable_of(name: str) -> Predict:
    """Return the function that `module:function` names; modules of the working directory count.

    Raises:
        ConfigurationError: There is no such module or function.
    """
    module_name, _, attribute = name.partition(":")
    if not module_name or not attribute:
        raise ConfigurationError(f"--model {name!r}: must be of the form module:function")
    here = str(Path.cwd())
    if here not in sys.path:
        sys.path.insert(0, here)
    try:
        found: Any = importlib.import_module(module_name)
    except ImportError as error:
        raise ConfigurationError(f"--model {name!r}: {error}") from error
    for part in attribute.split("."):
        found = getattr(found, part, None)
    if not callable(found):
        raise ConfigurationError(f"--model {name!r}: {module_name} has no function {attribute}")
    return cast("Predict", found)


def own_target(dataset: Dataset, model: OwnModel, rng: np.random.Generator) -> Target:
    """Return the model as a target over natural rows of its log.

    Which rows it was trained on is not known: attacks on membership take any half of the log.
    """
    model.meet(dataset.rows)
    known = replace(dataset, classes=model.classes)
    order = rng.permutation(len(dataset.rows))
    half = len(order) // 2
    unknown: Labels = np.zeros(len(order) - half, dtype=np.int64)
    return Target(
        model_id=dataset.name,
        kind=ModelKind.FOREST,
        form=model.form,
        strict=False,
        wire=Wire.RAW,
        dataset=known,
        members=dataset.rows[order[:half]],
        outside=dataset.rows[order[half:]],
        outside_labels=unknown,
        _encoder=Encoder(known, dataset.rows, as_codes=True),
        _classifier=cast("Classifier", model),  # asked, never trained
    )
