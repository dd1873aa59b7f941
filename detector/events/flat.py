"""Plain JSON events read straight into columns, without a Python object for each.

Most records of a log are alike: known fields, ASCII, a row of numbers. Those are taken here; all
others, and all that are wrong, are left to `decode.py`, with which this agrees bit for bit.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from detector.events.batch import MAX_CLASSES, NO_LABEL
from detector.events.bits import pointer
from detector.events.flat_fields import NAMES, SLOTS
from detector.events.json_event import Room, clipped, read_event
from detector.events.json_text import same_bytes
from detector.events.limits import Limits
from detector.kit.compiled import compiled

_TENANT, _MODEL, _CLIENT = (NAMES[name] for name in ("tenant_id", "model_id", "client_id"))
_TIME, _FEATURES, _LABEL, _SCORES = (
    NAMES[name] for name in ("time", "features", "label", "scores")
)
_GIVEN_INPUT, _GIVEN_FEATURES = 1 << NAMES["input"], 1 << _FEATURES
_GIVEN_LABEL, _GIVEN_SCORES = 1 << _LABEL, 1 << _SCORES
_SLOTS = len(SLOTS)

# A zero byte ends each body, and words are read beyond the last.
_PADDING = bytes(16)


@dataclass(frozen=True, slots=True)
class FlatRows:
    """The columns of n records; whatever was not taken has undefined values.

    Attributes:
        taken: (n,) whether the record could be read here.
        text: What the spans below point into: the bodies, a zero byte behind each.
        time_ms: (n,) event times, UTC milliseconds, not yet held against any limit.
        tenant: (n, 2) where `tenant_id` begins and ends in `text`; begin is -1 where it is absent.
        model: (n, 2) the same of `model_id`.
        client: (n, 2) the same of `client_id`.
        same_model: (n,) whether tenant and model are those of the last record taken before.
        has_input: (n,) whether the event has an input; its form is `features`.
        cells: (n, d) input cells, NaN where there is no input. d is how many features the first
            record taken with any has; those with another number of them are not taken.
        labels: (n,) label codes as in `EventBatch`.
        scores: (n, MAX_CLASSES) class scores as in `EventBatch`, NaN where absent.
        lone: (n,) the only score of an answer with a label, NaN elsewhere; its column is the
            label's, for the caller to fill in. `scores` has none then.
    """

    taken: NDArray[np.bool_]
    text: bytes
    time_ms: NDArray[np.int64]
    tenant: NDArray[np.int64]
    model: NDArray[np.int64]
    client: NDArray[np.int64]
    cells: NDArray[np.float64]
    same_model: NDArray[np.bool_]
    has_input: NDArray[np.bool_]
    labels: NDArray[np.int64]
    scores: NDArray[np.float64]
    lone: NDArray[np.float64]


def read_flat(bodies: Sequence[bytes], limits: Limits) -> FlatRows:
    """Return the columns of those bodies that are ordinary plain JSON events.

    Not taken, among others: texts with escapes or beyond ASCII, times as text, inputs other than
    `features`, scores by name, unknown fields, keys given twice, empty objects, and numbers that
    `read_number` or `read_integer` does not read. Every record taken is one that `Decoder` would
    accept but for its time, with the values that `assemble` would make of it. Raises nothing over
    content.
    """
    sizes = np.fromiter(map(len, bodies), dtype=np.int64, count=len(bodies))
    if len(sizes) and sizes.max() > limits.max_bytes:
        bodies = [body if len(body) <= limits.max_bytes else b"" for body in bodies]
        sizes[sizes > limits.max_bytes] = 0
    text = b"\0".join([*bodies, _PADDING])
    columns = _columns(len(sizes))
    data = np.frombuffer(text, dtype=np.uint8)
    cells = _read_all(data, sizes, limits.max_fields, limits.max_classes, columns)
    return FlatRows(text=text, cells=cells, **columns._asdict())


class _Columns(NamedTuple):
    """What the kernel fills in, but for the cells: as in `FlatRows`."""

    taken: NDArray[np.bool_]
    time_ms: NDArray[np.int64]
    tenant: NDArray[np.int64]
    model: NDArray[np.int64]
    client: NDArray[np.int64]
    same_model: NDArray[np.bool_]
    has_input: NDArray[np.bool_]
    labels: NDArray[np.int64]
    scores: NDArray[np.float64]
    lone: NDArray[np.float64]


def _columns(n: int) -> _Columns:
    def flags() -> NDArray[np.bool_]:
        return np.zeros(n, dtype=np.bool_)

    def integers(*shape: int) -> NDArray[np.int64]:
        return np.empty((n, *shape), dtype=np.int64)

    return _Columns(
        flags(), integers(), integers(2), integers(2), integers(2), flags(), flags(), integers(),
        np.empty((n, MAX_CLASSES)), np.empty(n),
    )  # fmt: skip


@compiled
def _place_span(given: int, found: Any, slot: int, span: Any) -> None:
    there = (given >> slot) & 1
    span[0] = found[2 * slot] if there else -1
    span[1] = found[2 * slot + 1] if there else -1


@compiled
def _label(given: int, found: Any, scores: Any) -> Any:
    """The code of the answer's label, else of the class that scores best."""
    if given & _GIVEN_LABEL:
        return found[2 * _LABEL]
    if not given & _GIVEN_SCORES:
        return NO_LABEL
    if found[2 * _SCORES] == 1:
        return 1 if scores[0] >= 0.5 else 0
    return np.argmax(scores[: found[2 * _SCORES]])


@compiled
def _place_scores(given: int, found: Any, scores: Any, row: Any) -> Any:
    """Fill a row of scores; return the lone score of a label, NaN where there is none."""
    row[:] = np.nan
    if not given & _GIVEN_SCORES:
        return np.nan
    count = found[2 * _SCORES]
    if count == 1 and given & _GIVEN_LABEL:
        return scores[0]
    if count == 1:
        row[0], row[1] = clipped(1.0 - scores[0]), clipped(scores[0])
    else:
        for i in range(min(count, MAX_CLASSES)):
            row[i] = clipped(scores[i])
    return np.nan


@compiled
def _place(data: Any, given: int, found: Any, scores: Any, columns: Any, i: int, last: int) -> None:
    """Fill in the columns of record `i`; `last` is the one taken before, or negative."""
    columns.taken[i] = True
    columns.time_ms[i] = found[2 * _TIME]
    columns.has_input[i] = given & _GIVEN_INPUT != 0
    tenant, model = columns.tenant, columns.model
    _place_span(given, found, _TENANT, tenant[i])
    _place_span(given, found, _MODEL, model[i])
    _place_span(given, found, _CLIENT, columns.client[i])
    columns.same_model[i] = (
        last >= 0
        and same_bytes(data, model[i], model[last])
        and same_bytes(data, tenant[i], tenant[last])
    )
    columns.labels[i] = _label(given, found, scores)
    columns.lone[i] = _place_scores(given, found, scores, columns.scores[i])


@compiled
def _read_all(array: Any, sizes: Any, max_fields: int, max_classes: int, columns: Any) -> Any:
    """Fill in the columns and return the cells."""
    n = len(sizes)
    row, scores = np.empty(max_fields), np.empty(max_classes)
    notes, cells = np.empty(2 * _SLOTS, np.int64), np.empty((n, 0))
    data, found = pointer(array), pointer(notes)
    room = Room(pointer(row), pointer(scores), max_fields, max_classes)
    end, last = -1, -1
    for i in range(n):
        begin = end + 1
        end = begin + sizes[i]
        given = read_event(data, begin, end, found, room)
        if given < 0:
            continue
        width = cells.shape[1]
        if given & _GIVEN_FEATURES:
            count = found[2 * _FEATURES]
            if width == 0 and n * count <= len(array):
                width = count
                cells = np.empty((n, width))
                cells[:i] = np.nan
            if count != width:
                continue
            cells[i] = row[:width]
        elif given & _GIVEN_INPUT:
            continue
        else:
            cells[i] = np.nan
        _place(data, given, found, scores, columns, i, last)
        last = i
    return cells
