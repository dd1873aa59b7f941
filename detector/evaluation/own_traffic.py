"""A user's own log as a data set: its fields, their ranges and categories, and natural rows."""

from collections import Counter
from collections.abc import Iterable, Sequence

import numpy as np

from detector.evaluation.datasets import Coded, Dataset, Field, categorical_field, numeric_field
from detector.events.model import Cell, Input, PredictionEvent
from detector.kit.errors import ConfigurationError

MOST_ROWS = 20_000
FEWEST_ROWS = 200


def own_dataset(events: Iterable[PredictionEvent]) -> Dataset:
    """Return the natural traffic of a log of one model; classes are not known yet.

    Inputs may be `features` or `fields`; the commoner of both counts. Clients, times and answers
    are not looked at.

    Raises:
        ConfigurationError: The log holds several models, or too few inputs.
    """
    models: set[str] = set()
    inputs: list[Input] = []
    for event in events:
        models.add(event.model_id)
        if event.input is not None and len(inputs) < MOST_ROWS:
            inputs.append(event.input)
    if len(models) > 1:
        raise ConfigurationError(f"--benign: the log holds {len(models)} models, not one")
    rows, positional = _rows(inputs)
    if len(rows) < FEWEST_ROWS:
        raise ConfigurationError(
            f"--benign: {len(rows)} usable inputs (features or fields) are fewer than {FEWEST_ROWS}"
        )
    names = tuple(dict.fromkeys(name for row in rows for name in row))
    made = [_field(name, [row.get(name) for row in rows]) for name in names]
    return Dataset(
        name=models.pop(),
        fields=tuple(field for field, _ in made),
        rows=np.stack([column for _, column in made], axis=1),
        labels=np.zeros(len(rows), dtype=np.int64),
        classes=(),
        positional=positional,
    )


def _rows(inputs: Sequence[Input]) -> tuple[list[dict[str, Cell]], bool]:
    """Return the inputs of the commoner form and length by field name, and whether it is a list."""
    named = [item.fields for item in inputs if item.fields is not None]
    listed = [item.features for item in inputs if item.features is not None]
    if len(named) >= len(listed):
        return named, False
    [(length, _)] = Counter(map(len, listed)).most_common(1)
    return [
        {str(i): value for i, value in enumerate(row)} for row in listed if len(row) == length
    ], True


def _field(name: str, values: Sequence[Cell]) -> tuple[Field, Coded]:
    """Return a field and its (n,) column; one text among the values makes categories of all."""
    if any(isinstance(value, str) for value in values):
        return categorical_field(name, [None if v is None else str(v) for v in values])
    numbers = np.array([np.nan if v is None else float(v) for v in values])
    if np.isnan(numbers).all():
        raise ConfigurationError(f"--benign: field {name} has no value in any record")
    return numeric_field(name, numbers), numbers
