"""What the compiled reader must agree with: the decoder, and the columns of the event it makes."""

from collections.abc import Sequence

import numpy as np

from detector.events.assemble import assemble
from detector.events.batch import ColumnTable
from detector.events.decode import Decoder
from detector.events.flat import FlatRows, read_flat
from detector.events.json_event import PADDING
from detector.events.limits import Limits
from detector.events.located import LocatedEvent
from detector.events.model import PredictionEvent
from detector.events.record import Position, Record
from detector.events.records import Records, Texts

ANY_TIME = {"earliest_ms": -(2**63), "latest_ms": 2**63}
"""Limits for tests that leave times alone, as the compiled reader does."""


def text_of(rows: FlatRows, span: np.ndarray) -> str | None:
    begin, end = span.tolist()
    return None if begin < 0 else rows.text[begin:end].tobytes().decode()


def texts_of(bodies: Sequence[bytes], limits: Limits) -> Texts:
    """The bodies as the compiled reader takes them."""
    records = [Record(Position("log", 0, at), body) for at, body in enumerate(bodies)]
    return Records.of(records).texts(limits.max_bytes, lambda _: True, PADDING)


def bits(values: np.ndarray) -> list[int]:
    """Doubles to be compared bit by bit; NaNs are alike."""
    whole: list[int] = np.where(np.isnan(values), np.nan, values).view(np.int64).tolist()
    return whole


def agree(bodies: Sequence[bytes], limits: Limits | None = None) -> FlatRows:
    """Read the bodies; raise `AssertionError` unless the decoder says the same of those taken."""
    limits = limits or Limits(**ANY_TIME)
    rows = read_flat(texts_of(bodies, limits), limits)
    assert len(rows.taken) == len(rows.starts) - 1 == len(bodies)
    decoder, last = Decoder(limits), None
    for at in np.flatnonzero(rows.taken).tolist():
        decoded = decoder.decode_all([Record(Position("log", 0, at), bodies[at])])
        assert not decoded.dead, (bodies[at], decoded.dead)
        assert not decoded.unknown_fields, bodies[at]
        event = decoded.events[0].event
        _same_columns(rows, at, event)
        assert rows.same_model[at] == (event.model == last)
        last = event.model
    return rows


def _same_columns(rows: FlatRows, at: int, event: PredictionEvent) -> None:
    batch = assemble(event.model, [LocatedEvent(Position("log", 0, at), event)], ColumnTable())
    assert rows.time_ms[at] == event.time_ms
    assert text_of(rows, rows.client[at]) == event.client_id
    assert text_of(rows, rows.model[at]) == event.model_id
    assert (text_of(rows, rows.tenant[at]) or "") == event.tenant_id
    assert rows.has_input[at] == batch.has_input[0]
    cells = rows.cells[rows.starts[at] : rows.starts[at + 1]]
    assert bits(cells) == (bits(batch.cells[0]) if rows.has_input[at] else []), event
    assert rows.labels[at] == batch.labels[0], event
    assert bits(rows.margins[at : at + 1]) == bits(batch.margins[:1]), event
    _same_scores(rows, at, event, batch.scores[0])


def _same_scores(rows: FlatRows, at: int, event: PredictionEvent, scores: np.ndarray) -> None:
    output = event.output
    lone = output is not None and output.label is not None and len(output.scores or ()) == 1
    assert np.isnan(rows.lone[at]) != lone
    if lone:
        assert output is not None
        assert bits(rows.lone[at : at + 1]) == bits(np.array(output.scores, dtype=np.float64))
        assert np.isnan(rows.scores[at]).all()
    else:
        assert bits(rows.scores[at]) == bits(scores), event
