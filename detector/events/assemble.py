"""From decoded events to an `EventBatch`.

Events that were read straight into columns keep them; the others' are made of their values. The
result is the same, and does not depend on which other events are assembled with an event.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from detector.events.batch import (
    MAX_CLASSES,
    NO_LABEL,
    NUMBER_LIMIT,
    ColumnTable,
    EventBatch,
    Floats,
    label_code,
)
from detector.events.located import LocatedEvent
from detector.events.model import Input, ModelKey, Output
from detector.events.stretch import EventStretch
from detector.kit.compiled import compiled


def _label(output: Output | None) -> int:
    if output is None:
        return NO_LABEL
    if output.label is not None:
        return label_code(output.label)
    if isinstance(output.scores, Mapping) and output.scores:
        return label_code(max(output.scores, key=output.scores.__getitem__))
    if isinstance(output.scores, list) and output.scores:
        if len(output.scores) == 1:
            return int(output.scores[0] >= 0.5)
        return int(np.argmax(output.scores))
    return NO_LABEL


def _score_pairs(output: Output | None, label: int, table: ColumnTable) -> list[tuple[int, float]]:
    """Return (column, score) of each class; a lone score is the label's, or of class 1 without one.

    Of more than `MAX_CLASSES` classes several share a column.
    """
    if output is None or not output.scores:
        return []
    if isinstance(output.scores, Mapping):
        return [(table.class_column(label_code(k)), float(v)) for k, v in output.scores.items()]
    if len(output.scores) > 1:
        return [(i % MAX_CLASSES, float(score)) for i, score in enumerate(output.scores)]
    score = float(output.scores[0])
    if output.label is None:
        return [(0, 1.0 - score), (1, score)]
    return [(table.class_column(label), score)]


def _put(pairs: Sequence[tuple[int, float]], row: Floats) -> float:
    """Put scores into their columns, the best where classes share one; return their margin."""
    scores = np.clip([[score for _, score in pairs]], -NUMBER_LIMIT, NUMBER_LIMIT)
    for (column, _), score in zip(pairs, scores[0], strict=True):
        row[column] = np.fmax(row[column], score)
    return float(_margins(scores)[0])


def _scores(
    outputs: Sequence[Output | None], labels: Sequence[int], table: ColumnTable
) -> tuple[Floats, Floats]:
    """Return (n, MAX_CLASSES) scores and (n,) margins, at once when all list as many classes."""
    matrix = np.full((len(outputs), MAX_CLASSES), np.nan)
    listed = [output.scores for output in outputs if output and isinstance(output.scores, list)]
    if len(listed) == len(outputs) and len(set(map(len, listed))) == 1 < len(listed[0]):
        known = np.clip(np.array(listed, dtype=np.float64), -NUMBER_LIMIT, NUMBER_LIMIT)
        for begin in range(0, known.shape[1], MAX_CLASSES):
            part = known[:, begin : begin + MAX_CLASSES]
            matrix[:, : part.shape[1]] = np.fmax(matrix[:, : part.shape[1]], part)
        return matrix, _margins(known)
    margins = np.full(len(outputs), np.nan)
    for i, (output, label) in enumerate(zip(outputs, labels, strict=True)):
        margins[i] = _put(_score_pairs(output, label, table), matrix[i])
    return matrix, margins


@compiled
def _margins(scores: Any) -> Any:
    """Best minus second-best score; of a lone score p the lower bound 2p - 1, at least 0."""
    margins = np.full(len(scores), np.nan)
    for i in range(len(scores)):
        best = second = -np.inf
        for j in range(scores.shape[1]):
            score = scores[i, j]
            # No comparison holds for an absent one.
            if score > best:
                best, second = score, best
            elif score > second:
                second = score
        if second > -np.inf:
            margins[i] = best - second
        elif best > -np.inf:
            margins[i] = max(2.0 * best - 1.0, 0.0)
    return margins


def assemble(model: ModelKey, located: Sequence[LocatedEvent], table: ColumnTable) -> EventBatch:
    """Return the columns of one model's events; `table` learns names not seen before."""
    stretch = EventStretch.of(located)
    if table.is_full and len(stretch.made) < len(stretch):
        cells, labels, scores, margins = _from_columns(stretch, table)
    else:
        # A table that grows must see the names in the order of the events.
        events = [item.event for item in stretch]
        cells = table.cells([event.input for event in events])
        known = [_label(event.output) for event in events]
        labels = np.array(known, dtype=np.int64)
        scores, margins = _scores([event.output for event in events], known, table)
    return EventBatch(
        model=model,
        located=stretch,
        clients=stretch.clients,
        offsets=stretch.offsets,
        cells=cells,
        names=table.names,
        has_input=_has_known_input(stretch, cells, table),
        labels=labels,
        scores=scores,
        margins=margins,
        time_ms=stretch.time_ms,
    )


def _has_known_input(stretch: EventStretch, cells: Floats, table: ColumnTable) -> NDArray[np.bool_]:
    """Return (n,) whether an event has an input and the table a column for any field of it.

    Inputs without such a field would all look equal. Known fields without a value are equal.
    """
    given = stretch.has_input.copy()
    for i in np.flatnonzero(given & np.isnan(cells).all(axis=1)).tolist():
        given[i] = table.knows_any(stretch[i].event.input)
    return given


def _from_columns(
    stretch: EventStretch, table: ColumnTable
) -> tuple[Floats, NDArray[np.int64], Floats, Floats]:
    """Return cells, labels, scores, margins: the stretch's columns, and what was made."""
    rows, places, made = stretch.rows, stretch.places, stretch.made
    cells = _cells(stretch, table)
    labels, scores, lone = rows.labels[places], rows.scores[places], rows.lone[places]
    margins = rows.margins[places]
    if len(made):
        outputs: list[tuple[Input | None, Output | None]] = [
            (item.event.input, item.event.output) for item in stretch.made_events
        ]
        cells[made] = table.cells([given for given, _ in outputs])
        labels[made] = [_label(output) for _, output in outputs]
        scores[made], lone[made] = np.nan, np.nan
    _place_lone(scores, margins, labels, lone, stretch, table)
    return cells, labels, scores, margins


def _cells(stretch: EventStretch, table: ColumnTable) -> Floats:
    """Return the (n, d) cells of the events that are in the columns, NaN for all others."""
    widths = set(stretch.widths.tolist())
    if len(widths) == 1 and stretch.has_input.all():
        return _of_width(stretch, np.arange(len(stretch)), widths.pop(), table)
    cells = np.full((len(stretch), len(table.names)), np.nan)
    for width in widths - {0}:
        alike = np.flatnonzero(stretch.widths == width)
        cells[alike] = _of_width(stretch, alike, width, table)
    return cells


def _of_width(
    stretch: EventStretch, indices: NDArray[np.intp], width: int, table: ColumnTable
) -> Floats:
    return table.arrange(stretch.block(indices, width), table.positions(width))


def _place_lone(
    scores: Floats, margins: Floats, labels: NDArray[np.int64], lone: Floats,
    stretch: EventStretch, table: ColumnTable,
) -> None:  # fmt: skip
    """Put scores that stand alone, and those of made events, into their classes' columns."""
    alone = np.flatnonzero(~np.isnan(lone))
    codes, which = np.unique(labels[alone], return_inverse=True)
    columns = table.class_columns(codes.tolist())
    if columns is not None and not len(stretch.made):
        column = np.array(columns, dtype=np.intp)[which]
        scores[alone, column] = np.clip(lone[alone], -NUMBER_LIMIT, NUMBER_LIMIT)
        return
    # Classes get their columns in the order of the events.
    made = set(stretch.made.tolist())
    for i in sorted(made.union(alone.tolist())):
        pairs = _score_pairs(stretch[i].event.output, int(labels[i]), table)
        margins[i] = _put(pairs, scores[i])
