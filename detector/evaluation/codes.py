"""Simulated events back into numbers, for methods that see inputs as vectors."""

from collections.abc import Sequence

import numpy as np

from detector.evaluation.datasets import Coded, Dataset, Field, Labels
from detector.evaluation.streams import Event
from detector.events.model import Cell


def coded_rows(dataset: Dataset, events: Sequence[Event]) -> Coded:
    """Return the inputs of n events as (n, d) coded rows."""
    form = "features" if dataset.positional else "fields"
    keys: list[int | str] = [
        j if dataset.positional else field.name for j, field in enumerate(dataset.fields)
    ]
    columns = [
        _column(field, [event["input"][form][key] for event in events])
        for field, key in zip(dataset.fields, keys, strict=True)
    ]
    return np.stack(columns, axis=1)


def _column(field: Field, values: Sequence[Cell]) -> Coded:
    if not field.is_categorical:
        return np.array([np.nan if v is None else v for v in values], dtype=np.float64)
    codes = {name: float(i) for i, name in enumerate(field.categories)}
    return np.array([np.nan if v is None else codes[str(v)] for v in values])


def class_indices(dataset: Dataset, events: Sequence[Event]) -> Labels:
    """Return the (n,) class indices that the events' labels stand for."""
    index = {name: i for i, name in enumerate(dataset.classes)}
    return np.array([index[event["output"]["label"]] for event in events], dtype=np.int64)
