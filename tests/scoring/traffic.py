"""Clients of a small credit model, benign and hostile, as located events with known truth."""

from collections.abc import Callable, Iterable, Sequence
from functools import cache
from itertools import zip_longest
from math import exp
from typing import Any

import numpy as np
from numpy.random import Generator

from detector.events.located import LocatedEvent
from detector.events.model import Cell, Input, ModelKey, Output, PredictionEvent
from detector.events.record import Position
from detector.pipeline.learn import ReferenceBuilder
from detector.reference.picture import Reference

MODEL = ModelKey("", "credit")
START_MS = 1_750_000_000_000
NUMBERS = ("age", "amount", "months", "income", "debt", "rate")
PURPOSES = ("car", "house", "other")

Row = dict[str, Cell]


def person(rng: Generator) -> Row:
    """Fields that correlate, half of them whole numbers and half without a grid."""
    age = int(rng.integers(18, 81))
    income = float(rng.lognormal(7.5, 0.3) * (0.7 + age / 100))
    return {
        "age": age,
        "amount": int(income * rng.uniform(1, 6)),
        "months": int(rng.choice([6, 12, 24, 36, 60])),
        "income": income,
        "debt": float(income * rng.beta(2, 5)),
        "rate": float(rng.normal(4.0, 0.8)),
        "purpose": str(rng.choice(PURPOSES)),
    }


def score(row: Row) -> float:
    """Probability of class 1; missing and wild values are answered too."""

    def number(name: str, otherwise: float) -> float:
        value = row.get(name)
        return float(value) if isinstance(value, int | float) else otherwise

    sum_ = 0.05 * (number("age", 45) - 45) + 2.5 - number("amount", 0) / 3000
    sum_ += 0.3 * (4.0 - number("rate", 4.0))
    return float(1.0 / (1.0 + exp(-min(max(sum_, -30.0), 30.0))))


def plain(row: Row) -> Row:
    """The row as a parser would have it, without numpy's scalars."""
    values: dict[str, Any] = dict(row)
    return {k: v.item() if isinstance(v, np.generic) else v for k, v in values.items()}


def event(
    client: str, number: int, row: Row | None, model: ModelKey = MODEL, **changes: object
) -> PredictionEvent:
    """One prediction of the credit model; `changes` replace whole attributes."""
    good = score(row or {})
    fields: dict[str, object] = {
        "event_id": f"{client}-{number}",
        "time_ms": START_MS + 2000 * number,
        "client_id": client,
        "model_id": model.model_id,
        "tenant_id": model.tenant_id,
        "input": None if row is None else Input(fields=plain(row)),
        "output": Output(label=int(good >= 0.5), scores=[1.0 - good, good]),
    }
    return PredictionEvent(**(fields | changes))  # type: ignore[arg-type]


def located(events: Iterable[PredictionEvent]) -> list[LocatedEvent]:
    """Give events their places in one partition."""
    return [LocatedEvent(Position("log", 0, i), item) for i, item in enumerate(events)]


def interleave(streams: Sequence[Sequence[PredictionEvent]]) -> list[LocatedEvent]:
    """Take one event of each client in turn."""
    turns = zip_longest(*streams)
    return located(item for turn in turns for item in turn if item is not None)


def stream(client: str, rows: Iterable[Row]) -> list[PredictionEvent]:
    """One client's events."""
    return [event(client, i, row) for i, row in enumerate(rows)]


def benign(client: str, n: int, seed: int) -> list[PredictionEvent]:
    """A client that asks about people."""
    rng = np.random.default_rng(seed)
    return stream(client, [person(rng) for _ in range(n)])


def path_finding(client: str, n: int, seed: int) -> list[PredictionEvent]:
    """Bisect field after field of one record (Tramèr et al. 2016)."""
    rng = np.random.default_rng(seed)
    base = person(rng)
    rows: list[Row] = []
    while len(rows) < n:
        for name, low, high in (("age", 18.0, 80.0), ("amount", 100.0, 2e4), ("rate", 1.0, 8.0)):
            rows += [base | {name: low}, base | {name: high}]
            below, above = low, high
            for _ in range(12):
                middle = (below + above) / 2
                rows.append(base | {name: middle})
                below, above = (middle, above) if rng.random() < 0.5 else (below, middle)
        base = person(rng)
    return stream(client, rows[:n])


def line_search(client: str, n: int, seed: int) -> list[PredictionEvent]:
    """Points between two people, in all numbers at once (Lowd and Meek 2005)."""
    rng = np.random.default_rng(seed)
    rows: list[Row] = []
    while len(rows) < n:
        a, b = person(rng), person(rng)
        for share in rng.uniform(0.0, 1.0, 15):
            mixed = {k: float(a[k]) * share + float(b[k]) * (1.0 - share)  # type: ignore[arg-type]
                     for k in NUMBERS}  # fmt: skip
            rows.append({**mixed, "purpose": a["purpose"]})
    return stream(client, rows[:n])


def random_querying(client: str, n: int, seed: int) -> list[PredictionEvent]:
    """Uniform inputs in the fields' ranges (equation solving)."""
    rng = np.random.default_rng(seed)
    ranges = {"age": 80, "amount": 60_000, "months": 60, "income": 9_000, "debt": 8_000, "rate": 9}
    rows: list[Row] = [
        {k: float(rng.uniform(0, high)) for k, high in ranges.items()}
        | {"purpose": str(rng.choice(PURPOSES))}
        for _ in range(n)
    ]
    return stream(client, rows)


def attribute_sweep(client: str, n: int, seed: int) -> list[PredictionEvent]:
    """Try the same values of one field on record after record (Fredrikson et al. 2014)."""
    rng = np.random.default_rng(seed)
    rows = [
        base | {"months": m} for base in (person(rng) for _ in range(n)) for m in (6, 12, 24, 36)
    ]
    return stream(client, rows[:n])


def sphere(client: str, n: int, seed: int) -> list[PredictionEvent]:
    """Mirrored steps about a moving centre while class 1 climbs (zeroth-order ascent)."""
    rng = np.random.default_rng(seed)
    centre = np.array([40.0, 9000.0, 30.0, 2500.0, 700.0, 5.0])
    size = np.array([2.0, 300.0, 2.0, 90.0, 40.0, 0.1])
    rows: list[Row] = []
    while len(rows) < n:
        step = rng.normal(size=6) * size
        rows += [
            {**dict(zip(NUMBERS, map(float, point), strict=True)), "purpose": "car"}
            for point in (centre + step, centre - step)
        ]
        centre = centre + np.array([0.1, -120.0, 0.0, 1.0, 0.5, -0.01])
    return stream(client, rows[:n])


def close_points(record: Row, n: int, rng: Generator, reach: float = 1.0) -> list[Row]:
    """Points about a record, changed in all numbers at once; a little, times `reach`."""
    size = reach * np.array([1.0, 150.0, 1.0, 45.0, 20.0, 0.05])
    centre = np.array([float(record[name]) for name in NUMBERS])  # type: ignore[arg-type]
    points = centre + size * rng.normal(size=(n, len(NUMBERS)))
    return [record | dict(zip(NUMBERS, map(float, point), strict=True)) for point in points]


Attack = Callable[[str, int, int], list[PredictionEvent]]
ATTACKS: tuple[Attack, ...] = (
    path_finding,
    line_search,
    random_querying,
    attribute_sweep,
    sphere,
)


@cache
def benign_log(clients: int = 40, each: int = 60, seed: int = 100) -> tuple[LocatedEvent, ...]:
    """Benign clients in turn."""
    return tuple(interleave([benign(f"benign-{c}", each, seed + c) for c in range(clients)]))


@cache
def reference() -> Reference:
    """What is learnt from the benign log."""
    builder = ReferenceBuilder(MODEL)
    builder.add(benign_log())
    return builder.build()
