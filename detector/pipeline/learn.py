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
from detector.reference.draw import draw_answers
from detector.reference.fit import BenignRows, fit
from detector.reference.picture import Reference
from detector.reference.sketch import fold
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


def learn(model: ModelKey, events: Sequence[LocatedEvent]) -> Reference:
    """Return a reference learnt from these events; deterministic in their order."""
    table = ColumnTable()
    batch = assemble(model, events, table)
    numbers: dict[str, int] = {}
    owner = np.array(
        [numbers.setdefault(client, len(numbers)) for client in batch.clients],
        dtype=np.int64,
    )
    reference = fit(model, BenignRows(batch.cells, batch.names, owner, batch.margins))
    folded, _ = fold(batch.cells, batch.names)
    z = view_cells(folded, reference)
    reference = replace(reference, answers=draw_answers(z, batch.labels, owner))
    log = BenignLog(z, folded, batch.labels, batch.scores, batch.margins, batch.time_ms, owner)
    return calibrate(reference, log, SIGNS)
