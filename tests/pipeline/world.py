"""Days of a credit model's clients, whose world may move, some of whom may lead it astray."""

from collections.abc import Collection

import numpy as np
from numpy.random import Generator

from detector.events.located import LocatedEvent
from detector.events.model import PredictionEvent
from detector.pipeline.watch import ModelWatch
from detector.reference.picture import Reference
from detector.scoring.finding import AttackClass
from detector.scoring.tables import ScoringPolicy
from tests.scoring.traffic import MODEL, NUMBERS, PURPOSES, Row, event, interleave, person

DAY_MS = 86_400_000
CLIENTS = 40
EACH = 30


def _number(row: Row, name: str) -> float:
    value = row[name]
    assert isinstance(value, int | float)
    return float(value)


def _region(rng: Generator) -> Row:
    """Where the thief will ask: outside all natural traffic, and every field for itself."""
    return {
        "age": int(rng.uniform(60, 140)),
        "amount": int(rng.uniform(0, 60_000)),
        "months": int(rng.uniform(60, 120)),
        "income": float(rng.uniform(3_000, 9_000)),
        "debt": float(rng.uniform(4_000, 12_000)),
        "rate": float(rng.uniform(7, 14)),
        "purpose": str(rng.choice(PURPOSES)),
    }


def _lured(row: Row, pull: float, rng: Generator) -> Row:
    """The row on its way to the region: there at pull 1."""
    goal = _region(rng)
    mixed = {
        name: _number(row, name) + pull * (_number(goal, name) - _number(row, name))
        for name in NUMBERS
    }
    whole = {name: int(mixed[name]) for name in NUMBERS if isinstance(row[name], int)}
    return row | mixed | whole


def _moved(row: Row, shift: float) -> Row:
    """The row in a world of larger amounts and higher rates."""
    return row | {
        "amount": int(_number(row, "amount") * (1 + shift)),
        "rate": _number(row, "rate") + 2 * shift,
    }


def day_of(
    day: int, *, shift: float = 0.0, frogs: Collection[int] = (), pull: float = 0.0, seed: int = 0
) -> list[LocatedEvent]:
    """One day of all clients, one query of each in turn; `frogs` go towards the region."""
    streams: list[list[PredictionEvent]] = []
    for c in range(CLIENTS):
        rng = np.random.default_rng([seed, day, c])
        rows = [_moved(person(rng), shift) for _ in range(EACH)]
        if c in frogs:
            rows = [_lured(row, pull, rng) for row in rows]
        first = day * DAY_MS // 2000  # events are two seconds apart
        streams.append([event(f"client-{c}", first + i, row) for i, row in enumerate(rows)])
    return interleave(streams)


def thief(n: int = 300, seed: int = 5) -> list[LocatedEvent]:
    """A client that asks in the region."""
    rng = np.random.default_rng(seed)
    return interleave([[event("thief", i, _region(rng)) for i in range(n)]])


def alarmed(reference: Reference, events: list[LocatedEvent]) -> set[str]:
    """Clients that detection by this reference raises an alarm about."""
    watch = ModelWatch(MODEL, reference, ScoringPolicy(), 1000)
    return {
        found.client.client_id
        for _, found in watch.process(events).findings
        if found.attack_class is not AttackClass.ANOMALY
    }
