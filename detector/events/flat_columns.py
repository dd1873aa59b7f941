"""The compiled way from the bytes of many plain JSON events to their columns."""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from detector.events.batch import MAX_CLASSES, NO_LABEL
from detector.events.bits import pointer
from detector.events.decimal import FAILED
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


class Columns(NamedTuple):
    """What is filled in for each of n records, as in `FlatRows`: arrays, or pointers to them."""

    taken: Any
    time_ms: Any
    tenant: Any
    model: Any
    client: Any
    same_model: Any
    has_input: Any
    labels: Any
    scores: Any
    margins: Any
    lone: Any
    starts: Any


def empty_columns(n: int) -> Columns:
    """Return the columns of n records none of which is taken yet."""
    taken, same_model, has_input = np.zeros((3, n), dtype=np.bool_)
    time_ms, labels = np.empty((2, n), dtype=np.int64)
    # Empty texts where nothing is taken.
    tenant, model, client = np.zeros((3, n, 2), dtype=np.int64)
    scores, (margins, lone) = np.empty((n, MAX_CLASSES)), np.empty((2, n))
    starts = np.zeros(n + 1, dtype=np.int64)
    return Columns(
        taken, time_ms, tenant, model, client, same_model, has_input, labels, scores, margins,
        lone, starts,
    )  # fmt: skip


@compiled
def _pointers(columns: Any) -> Any:
    return Columns(
        pointer(columns.taken.view(np.uint8)),
        pointer(columns.time_ms),
        pointer(columns.tenant),
        pointer(columns.model),
        pointer(columns.client),
        pointer(columns.same_model.view(np.uint8)),
        pointer(columns.has_input.view(np.uint8)),
        pointer(columns.labels),
        pointer(columns.scores),
        pointer(columns.margins),
        pointer(columns.lone),
        pointer(columns.starts),
    )


@compiled
def _place_span(given: int, found: Any, slot: int, spans: Any, i: int) -> None:
    there = (given >> slot) & 1
    spans[2 * i] = found[2 * slot] if there else -1
    spans[2 * i + 1] = found[2 * slot + 1] if there else -1


@compiled
def _label(given: int, found: Any, scores: Any) -> Any:
    """The code of the answer's label, else of the class that scores best."""
    if given & _GIVEN_LABEL:
        return found[2 * _LABEL]
    if not given & _GIVEN_SCORES:
        return NO_LABEL
    if found[2 * _SCORES] == 1:
        return 1 if scores[0] >= 0.5 else 0
    best = 0
    for k in range(1, found[2 * _SCORES]):
        if scores[k] > scores[best]:
            best = k
    return best


@compiled
def _margin(scores: Any, count: int) -> Any:
    """The margin of that many classes; of a lone score p the lower bound 2p - 1, at least 0."""
    if count == 0:
        return np.nan
    best, second = clipped(scores[0]), -np.inf
    if count == 1:
        return max(2.0 * best - 1.0, 0.0)
    for k in range(1, count):
        score = clipped(scores[k])
        if score > best:
            best, second = score, best
        elif score > second:
            second = score
    return best - second


@compiled
def _place_scores(given: int, found: Any, scores: Any, out: Any, i: int) -> Any:
    """Fill in the scores of record `i`; of more classes several share a column."""
    count = found[2 * _SCORES] if given & _GIVEN_SCORES else 0
    row = MAX_CLASSES * i
    for k in range(MAX_CLASSES):
        out.scores[row + k] = clipped(scores[k]) if k < count else np.nan
    for k in range(MAX_CLASSES, count):
        place = row + k % MAX_CLASSES
        out.scores[place] = max(out.scores[place], clipped(scores[k]))
    out.margins[i] = _margin(scores, count)
    out.lone[i] = np.nan
    if count == 1 and given & _GIVEN_LABEL:
        out.scores[row] = np.nan
        out.lone[i] = scores[0]
    elif count == 1:
        no, yes = clipped(1.0 - scores[0]), clipped(scores[0])
        out.scores[row] = no
        out.scores[row + 1] = yes
        out.margins[i] = abs(yes - no)


@compiled
def _place(data: Any, given: int, found: Any, scores: Any, out: Any, i: int, last: int) -> None:
    """Fill in record `i`; `last` is the one taken before, or negative."""
    out.taken[i] = 1
    out.time_ms[i] = found[2 * _TIME]
    out.has_input[i] = given & _GIVEN_INPUT != 0
    _place_span(given, found, _TENANT, out.tenant, i)
    _place_span(given, found, _MODEL, out.model, i)
    _place_span(given, found, _CLIENT, out.client, i)
    out.same_model[i] = (
        last >= 0 and same_bytes(data, out.model, i, last) and same_bytes(data, out.tenant, i, last)
    )
    out.labels[i] = _label(given, found, scores)
    _place_scores(given, found, scores, out, i)


def fill_columns(
    data: NDArray[np.uint8], sizes: NDArray[np.int64], limits: Limits, columns: Columns
) -> NDArray[np.float64]:
    """Fill in the columns of the records that can be taken, and return all cells in one row.

    `data` holds the records, of `sizes`, a zero byte behind each and `PADDING` in the end.
    """
    row, scores = np.empty(limits.max_fields), np.empty(limits.max_classes)
    found = np.empty(2 * _SLOTS, dtype=np.int64)
    # A value takes two bytes at least, with its comma.
    cells = np.empty(len(data) // 2)
    return cells[: _fill(data, sizes, row, scores, found, cells, columns)]


@compiled
def _fill(
    array: Any, sizes: Any, cells_row: Any, scores: Any, notes: Any, cells: Any, columns: Any
) -> Any:
    data, found, row, out = pointer(array), pointer(notes), pointer(cells_row), _pointers(columns)
    room = Room(row, pointer(scores), len(cells_row), len(scores))
    end, last, total = -1, -1, 0
    for i in range(len(sizes)):
        begin = end + 1
        end = begin + sizes[i]
        given = read_event(data, begin, end, found, room)
        count = found[2 * _FEATURES] if given & _GIVEN_FEATURES else 0
        out.starts[i + 1] = total
        if given == FAILED or (given & _GIVEN_INPUT and count == 0):
            continue
        for k in range(count):
            cells[total + k] = row[k]
        total += count
        out.starts[i + 1] = total
        _place(data, given, found, room.scores, out, i, last)
        last = i
    return total
