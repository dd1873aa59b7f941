"""Benign clients that look hostile, made of a reference's rows.

Who works through a small part of the records, or tries other values in them, asks for inputs that
are close to each other all day. How much that looks like probing depends on a model's fields: where
few differ between records, all of it does. Few clients of a reference may work like that, or none,
so their queries are made up.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from detector.events.batch import CATEGORY_CEILING, Floats
from detector.reference.fields import Fields
from detector.reference.samples import alike, distinct_rows, moved, of_many, points, usual_rows

# Evidence of one kind of query grows ever more slowly: longer lives bring little more.
CLIENTS, QUERIES = 32, 480
MOST_CENTRES = 128
COHORTS = (16, 48, 144)
TRIED = (0.5, 0.9)
# One in so many who try values does so in one and the same record, with every query.
ONE_RECORD = 4
# Of a measurement that wanders: how much of its deviation stays, how large shocks are in 10-90%
# ranges, and how much of the way it goes.
MEMORY, SHOCKS, WAY = (0.7, 0.98), (0.01, 0.05), (0.3, 1.0)


@dataclass(frozen=True, slots=True)
class Habit:
    """Clients that work alike: m queries in the order of their clients.

    Attributes:
        rows: (m,) numbers of the rows that the queries are made of.
        cells: (m, d) what is sent.
        changed: (m,) whether that is another input than the row's, of which no answer is known.
        owner: (m,) number of the client.
    """

    rows: NDArray[np.int64]
    cells: Floats
    changed: NDArray[np.bool_]
    owner: NDArray[np.int64]


def habits(fields: Fields, cells: Floats, owner: NDArray[np.int64]) -> Iterator[Habit]:
    """Make clients of (n, d) folded benign cells of the (n,) clients, deterministically.

    Some ask for records of a neighbourhood, again and again, where it is not one client's own; some
    try other values in one field, record after record; some in one or two fields, of the record or
    of what was tried before; of both, some have but one record, whose other fields never change;
    some send a measurement that wanders from one record to another.
    """
    kept, rng = usual_rows(owner), np.random.default_rng(0)
    distinct = distinct_rows(cells, kept)
    places = points(cells[distinct])
    for size in COHORTS:
        rows = _cohorts(distinct, owner, places, size, rng)
        if len(rows):
            yield _habit(rows, cells[rows], np.zeros(len(rows), dtype=np.bool_))
    usual = alike(kept, owner, rng)
    various = np.flatnonzero([len(np.unique(column)) > 1 for column in cells[distinct].T])
    for most in (1, 2) if len(various) else ():
        rows = rng.choice(usual, CLIENTS * QUERIES)
        sent, changed = cells[rows], np.zeros(len(rows), dtype=np.bool_)
        few = min(most, len(various))
        for client, life in enumerate(np.split(np.arange(len(rows)), CLIENTS)):
            if client % ONE_RECORD == 0:
                open_to = rng.choice(various, few, replace=False)
                sent[life] = _one_record(sent[life[0]], cells[usual], open_to, rng)
                changed[life[1:]] = True
                continue
            open_to = rng.choice(various, 1) if most == 1 else various
            changed[life], sent[life] = _tries(sent[life], cells[usual], open_to, most, rng)
        yield _habit(rows, sent, changed)
    ends = rng.choice(usual, (CLIENTS, 2))
    walks = [_wandering(cells[start], cells[end], fields, rng) for start, end in ends]
    rows = np.repeat(ends[:, 0], QUERIES)
    yield _habit(rows, np.concatenate(walks), np.ones(len(rows), dtype=np.bool_))


def _habit(rows: NDArray[np.int64], cells: Floats, changed: NDArray[np.bool_]) -> Habit:
    return Habit(rows, cells, changed, np.arange(len(rows)) // QUERIES)


def _cohorts(
    distinct: NDArray[np.int64], owner: NDArray[np.int64], places: Floats, size: int, rng: Generator
) -> NDArray[np.int64]:
    """Draw each client's rows from those next to one of them, where many ask for such rows.

    Everybody's rows count alike there: an intruder that asks close queries must not fill it.
    Returns the rows of as many clients as there are neighbourhoods for, at most `CLIENTS`.
    """
    drawn: list[NDArray[np.int64]] = []
    for centre in rng.permutation(len(distinct))[:MOST_CENTRES]:
        if len(drawn) == CLIENTS:
            break
        apart = ((places - places[centre]) ** 2).sum(axis=1)
        near = distinct[np.argsort(apart, kind="stable")[:size]]
        if of_many(owner[near]):
            _, whose, counts = np.unique(owner[near], return_inverse=True, return_counts=True)
            drawn.append(rng.choice(near, QUERIES, p=1.0 / (counts[whose] * len(counts))))
    return np.concatenate(drawn) if drawn else distinct[:0]


def _tries(
    records: Floats, values: Floats, open_to: NDArray[np.int64], most: int, rng: Generator
) -> tuple[NDArray[np.bool_], Floats]:
    """Let a client try values of others in up to so many fields at a time.

    Returns which of its (m, d) records give way to a try at the one before, and what is sent.
    """
    often, further = rng.uniform(*TRIED), rng.random() < 0.5
    sent, changed = records.copy(), rng.random(len(records)) < often
    changed[0] = False
    base = records[0]
    most = min(most, len(open_to))
    fields = open_to[rng.random((len(records), len(open_to))).argsort(axis=1)[:, :most]]
    tried = values[rng.integers(len(values), size=fields.shape), fields]
    counts = rng.integers(1, most + 1, len(records))
    for i in range(1, len(records)):
        if changed[i]:
            sent[i] = base
            sent[i, fields[i, : counts[i]]] = tried[i, : counts[i]]
        if further or not changed[i]:
            base = sent[i]
    return changed, sent


def _one_record(
    record: Floats, values: Floats, open_to: NDArray[np.int64], rng: Generator
) -> Floats:
    """Return (`QUERIES`, d) cells of a client whose (d,) record never changes but in some fields.

    These have the values of other records; the first query is the record itself.
    """
    sent = np.tile(record, (QUERIES, 1))
    others = rng.integers(len(values), size=QUERIES - 1)
    sent[1:, open_to] = values[np.ix_(others, open_to)]
    return sent


def _wandering(start: Floats, end: Floats, fields: Fields, rng: Generator) -> Floats:
    """Return (`QUERIES`, d) cells on the way between two (d,) records: a line and AR(1) noise.

    Categories stay those of the start, gaps too.
    """
    memory = rng.uniform(*MEMORY)
    shocks = rng.uniform(*SHOCKS) * fields.scale * rng.standard_normal((QUERIES, len(start)))
    noise = np.zeros_like(shocks)
    for i in range(1, QUERIES):
        noise[i] = memory * noise[i - 1] + shocks[i]
    both = (start >= CATEGORY_CEILING) & (end >= CATEGORY_CEILING)
    way = np.where(both, end - start, 0.0) * np.linspace(0.0, rng.uniform(*WAY), QUERIES)[:, None]
    return moved(np.tile(start, (QUERIES, 1)), way + noise, fields)
