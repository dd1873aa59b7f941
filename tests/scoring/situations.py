"""Clients as hypotheses meet them, made by real queries through the real kernel."""

from functools import cache

import numpy as np

from detector.events.assemble import assemble
from detector.events.batch import ColumnTable
from detector.events.located import LocatedEvent
from detector.features.lens import make_lens, view_cells
from detector.features.observe import observe
from detector.features.state import ClientTable
from detector.features.view import RowView
from detector.scoring.hypothesis import Situation
from detector.scoring.judge import Moment
from detector.scoring.signs import SIGNS
from tests.scoring.traffic import ATTACKS, MODEL, benign, event, located, person, reference

STREAMS = {attack.__name__: attack for attack in ATTACKS} | {"benign": benign}
NAMES = (*STREAMS, "no_input")
QUERIES = 150
CREDIBLE = frozenset(sign.name for sign in SIGNS)


def _events(name: str) -> list[LocatedEvent]:
    if name == "no_input":
        rng = np.random.default_rng(1)
        rows = [person(rng) if i % 9 == 0 else None for i in range(QUERIES)]
        return located(event("client", i, row, output=None) for i, row in enumerate(rows))
    return located(STREAMS[name]("client", QUERIES, 1))


@cache
def moment(name: str) -> Moment:
    """The client of that name at its last query."""
    picture = reference()
    columns = ColumnTable(picture.names, len(picture.names))
    batch = assemble(MODEL, _events(name), columns)
    table = ClientTable(len(picture.names), 1)
    z, lens = view_cells(batch.cells, picture), make_lens(picture, len(picture.names))
    p_values, broken = picture.judge(batch.cells)
    for i in range(len(batch)):
        observe(
            table.row(0), z[i], batch.cells[i], bool(batch.has_input[i]), batch.labels[i],
            batch.scores[i], batch.margins[i], batch.time_ms[i], p_values[i], broken[i], lens,
        )  # fmt: skip
    view = RowView(table, 0, len(picture.centroids))
    return Moment(lambda: batch.located[-1], view, picture.names, True)


def situation(name: str) -> Situation:
    """The same client before a hypothesis, when every sign is credible."""
    at = moment(name)
    return Situation(at.view, at.names, QUERIES, True, CREDIBLE)
