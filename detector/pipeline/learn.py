"""Learning a reference from benign traffic, as a use case."""

from collections.abc import Iterable, Sequence
from dataclasses import replace

import numpy as np

from detector.events.assemble import assemble
from detector.events.batch import ColumnTable
from detector.events.located import LocatedEvent
from detector.events.model import ModelKey
from detector.features.lens import view_cells
from detector.kit.errors import ConfigurationError
from detector.pipeline.shared_fields import shared_fields
from detector.reference.draw import draw_answers
from detector.reference.fit import BenignRows, fit
from detector.reference.layout import table_layout
from detector.reference.picture import Reference
from detector.scoring.calibrate import calibrate
from detector.scoring.lives import BenignLog
from detector.scoring.signs import SIGNS

MIN_EVENTS = 200
MIN_CLIENTS = 5


class ReferenceBuilder:
    """Collects benign events of one model and freezes them into a reference."""

    def __init__(self, model: ModelKey) -> None:
        self._model = model
        self._events: list[LocatedEvent] = []

    def add(self, events: Iterable[LocatedEvent]) -> None:
        """Take the events of the builder's model that carry an input; others are passed over."""
        self._events.extend(
            item
            for item in events
            if item.event.model == self._model and item.event.input is not None
        )

    def build(self) -> Reference:
        """Return the reference; raises `ConfigurationError` when there is too little traffic."""
        clients = {item.event.client_id for item in self._events}
        if len(self._events) < MIN_EVENTS or len(clients) < MIN_CLIENTS:
            raise ConfigurationError(
                f"model {self._model.model_id!r}: a reference needs at least {MIN_EVENTS} events "
                f"with inputs from {MIN_CLIENTS} clients, found {len(self._events)} events from "
                f"{len(clients)} clients"
            )
        return learn(self._model, self._events)


def learn(
    model: ModelKey, events: Sequence[LocatedEvent], like: Reference | None = None
) -> Reference:
    """Return a reference learnt from these events; deterministic in their order.

    With `like` it has that reference's fields, in its layout. Inputs without any of the fields
    teach nothing.
    """
    table = _table(events, like)
    batch = assemble(model, events, table)
    asked = np.flatnonzero(batch.has_input)
    numbers: dict[str, int] = {}
    owner = np.array(
        [numbers.setdefault(client, len(numbers)) for client in batch.clients.take(asked)],
        dtype=np.int64,
    )
    cells, margins, labels = batch.cells[asked], batch.margins[asked], batch.labels[asked]
    scores = batch.scores[asked]
    layout = like.layout if like else table_layout(table, scores)
    reference = fit(model, BenignRows(cells, batch.names, owner, margins, layout))
    folded, _ = reference.layout.fold(cells, batch.names)
    z = view_cells(folded, reference)
    reference = replace(reference, answers=draw_answers(z, labels, owner))
    shares = layout.shares(scores)
    log = BenignLog(z, folded, labels, shares, margins, batch.time_ms[asked], owner)
    return calibrate(reference, log, SIGNS)


def _table(events: Sequence[LocatedEvent], like: Reference | None) -> ColumnTable:
    if like is not None:
        return like.layout.table(like.names)
    fields = shared_fields(events)
    return ColumnTable(fields.names, len(fields.names), by_position=fields.by_position)
