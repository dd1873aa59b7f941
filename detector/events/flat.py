"""Plain JSON events read straight into columns, without a Python object for each.

Most records of a log are alike: known fields, ASCII, a row of numbers. Those are taken here; all
others, and all that are wrong, are left to `decode.py`, with which this agrees bit for bit.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from detector.events.flat_columns import empty_columns, fill_columns
from detector.events.limits import Limits
from detector.events.records import Texts


@dataclass(frozen=True, slots=True)
class FlatRows:
    """The columns of n records; whatever was not taken has undefined values.

    Attributes:
        taken: (n,) whether the record could be read here.
        text: What the spans below point into: the texts, a zero byte behind each.
        time_ms: (n,) event times, UTC milliseconds, not yet held against any limit.
        tenant: (n, 2) where `tenant_id` begins and ends in `text`; begin is -1 where it is absent.
        model: (n, 2) the same of `model_id`.
        client: (n, 2) the same of `client_id`.
        same_model: (n,) whether tenant and model are those of the last record taken before.
        has_input: (n,) whether the event has an input; its form is `features`.
        cells: (m,) the input cells of all records taken, one after another.
        starts: (n + 1,) where each record's cells begin in `cells`, and where the last one's end.
        labels: (n,) label codes as in `EventBatch`.
        scores: (n, MAX_CLASSES) class scores as in `EventBatch`, NaN where absent.
        margins: (n,) margins as in `EventBatch`.
        lone: (n,) the only score of an answer with a label, NaN elsewhere; its column is the
            label's, for the caller to fill in. `scores` has none then.
    """

    taken: NDArray[np.bool_]
    text: NDArray[np.uint8]
    time_ms: NDArray[np.int64]
    tenant: NDArray[np.int64]
    model: NDArray[np.int64]
    client: NDArray[np.int64]
    cells: NDArray[np.float64]
    starts: NDArray[np.int64]
    same_model: NDArray[np.bool_]
    has_input: NDArray[np.bool_]
    labels: NDArray[np.int64]
    scores: NDArray[np.float64]
    margins: NDArray[np.float64]
    lone: NDArray[np.float64]


def read_flat(texts: Texts, limits: Limits) -> FlatRows:
    """Return the columns of those texts that are ordinary plain JSON events.

    `PADDING` zero bytes at least stand in the end of them, and none is longer than is allowed.

    Not taken, among others: texts with escapes or beyond ASCII, inputs other than `features`,
    scores by name, unknown fields, keys given twice, empty objects, and what `read_number`,
    `read_integer` and `read_time` do not read. Every record taken is one that `Decoder` would
    accept but for its time, with the values that `assemble` would make of it. Raises nothing over
    content.
    """
    columns = empty_columns(len(texts.sizes))
    cells = fill_columns(texts.data, texts.sizes, limits, columns)
    return FlatRows(text=texts.data, cells=cells, **columns._asdict())
