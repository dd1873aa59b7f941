"""Benign clients of a prediction API, hostile-looking ones included.

Each kind is a function from a `Scene` and a number of queries to a `Plan`: the rows and the seconds
between them. Clients of one kind differ from each other: every client draws its own mixture of
segments, pace and habits. All values lie on the fields' natural grid.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.random import Generator

from detector.evaluation.datasets import Coded
from detector.evaluation.models import Target
from detector.evaluation.population import Population

LIFETIME = (20, 2000)


@dataclass(frozen=True, slots=True)
class Scene:
    """What a benign client is: where its rows come from and what it asks.

    Attributes:
        population: Supply of natural rows.
        target: The model asked; hunting clients look at its answers.
        weights: (s,) this client's own mixture of segments.
        newcomer: The segment that no reference client has.
        rng: This client's source of chance.
    """

    population: Population
    target: Target
    weights: Coded
    newcomer: int
    rng: Generator

    def rows(self, n: int) -> Coded:
        """Return n natural rows of this client's mixture."""
        return self.population.draw(n, self.weights, self.rng)


@dataclass(frozen=True, slots=True)
class Plan:
    """Rows to ask, (n, d), and the seconds of waiting before each, (n,).

    `office` clients work by day only; the others run around the clock.
    """

    rows: Coded
    gaps: Coded
    office: bool = True


def mixture(population: Population, newcomer: int, rng: Generator) -> Coded:
    """Return a client's own segment weights: population shares, tilted by a Dirichlet draw."""
    shares = np.array([len(s) for s in population.segments], dtype=np.float64)
    shares[newcomer] = 0.0
    present = shares > 0
    weights = np.zeros(len(shares))
    concentration = float(rng.choice([2.0, 6.0, 20.0]))
    weights[present] = rng.dirichlet(concentration * shares[present] / shares.max() + 0.05)
    return weights


def lifetime(rng: Generator, cap: int) -> int:
    """Return a client's number of queries: log-normal, median 110, within `LIFETIME` and cap."""
    return int(np.clip(rng.lognormal(np.log(110), 1.0), LIFETIME[0], min(cap, LIFETIME[1])))


def _pace(scene: Scene, n: int, low: float, high: float) -> Coded:
    """Exponential gaps around a client's own mean between low and high seconds."""
    mean = float(np.exp(scene.rng.uniform(np.log(low), np.log(high))))
    gaps: Coded = scene.rng.exponential(mean, n)
    return gaps


def _editable(scene: Scene) -> list[int]:
    """Fields that take more than one natural value."""
    fields = scene.population.dataset.fields
    return [j for j, field in enumerate(fields) if field.high > field.low]


def regular(scene: Scene, n: int) -> Plan:
    """Ask about the records that come in."""
    return Plan(scene.rows(n), _pace(scene, n, 5, 600))


def what_if(scene: Scene, n: int) -> Plan:
    """Change one or two fields of a record at a time, up to 80% of the queries."""
    rng = scene.rng
    rate, pairs, keep = rng.uniform(0.3, 0.8), rng.uniform(0, 0.5), rng.random() < 0.5
    fresh, fields = scene.rows(n), _editable(scene)
    rows, current = fresh.copy(), fresh[0]
    for i in range(1, n):
        if rng.random() >= rate:
            current = fresh[i]
            continue
        changed = current.copy()
        count = min(1 + int(rng.random() < pairs), len(fields))
        for j in rng.choice(fields, count, replace=False):
            changed[j] = scene.population.value(int(j), rng)
        rows[i] = changed
        current = changed if keep else current
    return Plan(rows, _pace(scene, n, 4, 60))


def what_if_one_field(scene: Scene, n: int) -> Plan:
    """Try other values of the one field that this client can influence, record after record."""
    rng = scene.rng
    column, rate = int(rng.choice(_editable(scene))), rng.uniform(0.4, 0.8)
    rows = scene.rows(n)
    for i in range(1, n):
        if rng.random() < rate:
            rows[i] = rows[i - 1]
            rows[i, column] = scene.population.value(column, rng)
    return Plan(rows, _pace(scene, n, 4, 60))


def what_if_flip(scene: Scene, n: int) -> Plan:
    """Move one number of a rejected record stepwise until the decision flips, then the next.

    Where there are no numbers, try other categories.
    """
    rng, population = scene.rng, scene.population
    columns = [int(j) for j in population.numeric if population.spread[j] > 0]
    if not columns:
        return what_if(scene, n)
    favourite = rng.choice(columns, min(3, len(columns)), replace=False)
    rows: list[Coded] = []
    while len(rows) < n:
        rows.extend(scene.rows(int(rng.integers(1, 5))))
        column, start = int(rng.choice(favourite)), scene.rows(1)
        step = rng.choice([-1, 1]) * rng.uniform(0.1, 0.5) * population.spread[column]
        trail = np.repeat(start, int(rng.integers(4, 10)), axis=0)
        trail[:, column] += step * np.arange(len(trail))
        trail = population.dataset.natural(trail)
        labels = scene.target.answer(trail).labels
        flipped = np.flatnonzero(labels != labels[0])
        rows.extend(trail[: flipped[0] + 1] if len(flipped) else trail)
    return Plan(np.array(rows[:n]), _pace(scene, n, 4, 40))


def retry(scene: Scene, n: int) -> Plan:
    """Send a record again, in bursts, when the network fails."""
    rng = scene.rng
    chance, longest = rng.uniform(0.2, 0.6), int(rng.integers(2, 8))
    repeats = np.where(rng.random(n) < chance, rng.integers(2, longest + 1, n), 1)
    rows = np.repeat(scene.rows(n), repeats, axis=0)[:n]
    gaps = _pace(scene, n, 5, 300)
    again = np.concatenate([np.arange(r) > 0 for r in repeats])[:n]
    gaps[again] = rng.exponential(1.0, int(again.sum()))
    return Plan(rows, gaps)


def nightly_batch(scene: Scene, n: int) -> Plan:
    """Score the day's records in sorted order, night after night."""
    rng = scene.rng
    rows, nights = scene.rows(n), int(rng.integers(1, 6))
    column = int(rng.choice(_editable(scene)))
    parts = [part[np.argsort(part[:, column])] for part in np.array_split(rows, nights)]
    gaps = _pace(scene, n, 0.02, 0.5)
    for start in np.cumsum([len(part) for part in parts])[:-1]:
        gaps[start] = 86_400.0 - gaps[max(0, start - 50) : start].sum()
    return Plan(np.concatenate(parts), gaps, office=False)


def health_check(scene: Scene, n: int) -> Plan:
    """Ask about the same record, or a few in turn, on a timer."""
    count = int(scene.rng.choice([1, 1, 2, 3, 5]))
    rows = np.tile(scene.rows(count), (n // count + 1, 1))[:n]
    period = float(scene.rng.choice([10.0, 30.0, 60.0]))
    return Plan(rows, period + scene.rng.normal(0, 0.05, n), office=False)


def load_test(scene: Scene, n: int) -> Plan:
    """Repeat a few records as fast as it goes."""
    rows = scene.rows(int(scene.rng.integers(3, 40)))
    order = scene.rng.integers(len(rows), size=n)
    return Plan(rows[order], _pace(scene, n, 0.005, 0.1))


def drifting_sensor(scene: Scene, n: int) -> Plan:
    """Send a measurement that wanders slowly from one record to another, outputs following.

    Every numeric field is an AR(1) process about a line between two natural rows.
    """
    rng, population = scene.rng, scene.population
    start, end = scene.rows(2)
    numeric = population.numeric
    path = np.repeat(start[None], n, axis=0)
    line = np.linspace(0, rng.uniform(0.3, 1.0), n)[:, None] * (end - start)[numeric]
    memory, scale = rng.uniform(0.7, 0.98), rng.uniform(0.01, 0.05) * population.spread[numeric]
    noise = np.zeros((n, len(numeric)))
    for i in range(1, n):
        noise[i] = memory * noise[i - 1] + rng.normal(0, scale)
    path[:, numeric] += np.where(np.isnan(line), 0.0, line) + noise
    period = float(rng.choice([1.0, 10.0, 60.0, 300.0]))
    return Plan(population.dataset.natural(path), np.full(n, period), office=False)


def narrow_cohort(scene: Scene, n: int) -> Plan:
    """Ask only about a small neighbourhood of records."""
    population, rng = scene.population, scene.rng
    centre = rng.choice(population.segments[int(rng.choice(len(scene.weights), p=scene.weights))])
    near = population.neighbours[centre]
    wider = np.unique(population.neighbours[near])
    return Plan(population.varied(rng.choice(wider, n), rng), _pace(scene, n, 5, 300))


def noisy(scene: Scene, n: int) -> Plan:
    """Ask about natural records with measurement noise in every number."""
    population, rng = scene.population, scene.rng
    scale = rng.uniform(0.02, 0.1) * population.spread
    rows = scene.rows(n)
    return Plan(
        population.dataset.natural(rows + rng.normal(0, 1, rows.shape) * scale),
        _pace(scene, n, 5, 300),
    )


def seasonal_newcomer(scene: Scene, n: int) -> Plan:
    """Bring a segment that the reference has never seen, mixed with the usual ones."""
    share = scene.rng.uniform(0.3, 1.0)
    weights = scene.weights * (1 - share)
    weights[scene.newcomer] += share
    return Plan(scene.population.draw(n, weights, scene.rng), _pace(scene, n, 5, 300))


def paging_user(scene: Scene, n: int) -> Plan:
    """Page through records in the order of a key, now and then a page again or one text edited."""
    rng, size = scene.rng, int(scene.rng.integers(8, 31))
    again, edits = rng.uniform(0.02, 0.2), rng.uniform(0.02, 0.2)
    fresh, fields = scene.rows(n), scene.population.dataset.fields
    fresh = fresh[np.argsort(fresh[:, int(rng.choice(_editable(scene)))], kind="stable")]
    texts = [j for j in _editable(scene) if fields[j].is_categorical] or _editable(scene)
    pages: list[Coded] = []
    while sum(map(len, pages)) < n:
        if pages and rng.random() < again:
            pages.append(pages[-1])
            continue
        page, fresh = fresh[:size], fresh[size:]
        edited = page[rng.random(len(page)) < edits]
        for row in edited:
            column = int(rng.choice(texts))
            row[column] = scene.population.value(column, rng)
        pages.append(np.concatenate([page, edited]))
    gaps = _pace(scene, n, 0.05, 1.0)
    turns = np.cumsum([len(page) for page in pages[:-1]]).astype(np.intp)
    gaps[turns] = _pace(scene, len(turns), 5, 60)
    return Plan(np.concatenate(pages)[:n], gaps)


KINDS: dict[str, Callable[[Scene, int], Plan]] = {
    "regular": regular,
    "what_if": what_if,
    "what_if_one_field": what_if_one_field,
    "what_if_flip": what_if_flip,
    "retry": retry,
    "nightly_batch": nightly_batch,
    "health_check": health_check,
    "load_test": load_test,
    "drifting_sensor": drifting_sensor,
    "narrow_cohort": narrow_cohort,
    "noisy": noisy,
    "seasonal_newcomer": seasonal_newcomer,
    "paging_user": paging_user,
}
