"""Whoever breaks relations only: new groups of clients, noisy instruments, made-up records."""

from dataclasses import replace
from functools import cache

import numpy as np
import pytest
from numpy.random import Generator
from numpy.typing import NDArray

from detector.events.model import PredictionEvent
from detector.pipeline.learn import learn
from detector.pipeline.watch import ModelWatch
from detector.reference.picture import Reference
from detector.scoring.finding import AttackClass
from detector.scoring.tables import ScoringPolicy
from tests.scoring.traffic import MODEL, event, interleave, located

FIELDS, GROUPS, ASKED = 16, 8, 300
NEW = GROUPS - 1
Rows = NDArray[np.float64]


def records(groups: NDArray[np.int64], rng: Generator) -> Rows:
    """Whole numbers that all follow two hidden ones, loosely; groups differ in those."""
    fixed = np.random.default_rng(17)
    mixing, centres = fixed.normal(size=(2, FIELDS)), fixed.normal(size=(GROUPS, 2))
    hidden = centres[groups] + rng.normal(size=(len(groups), 2))
    rows: Rows = np.round(
        100 + 20 * (hidden @ mixing + 0.4 * rng.normal(size=(len(groups), FIELDS)))
    )
    return rows


def client(name: str, rows: Rows) -> list[PredictionEvent]:
    return [
        event(name, i, {f"field-{j}": int(value) for j, value in enumerate(row)})
        for i, row in enumerate(rows)
    ]


def usual(n: int, rng: Generator) -> Rows:
    return records(rng.integers(NEW, size=n), rng)


def made_up(n: int, rng: Generator) -> Rows:
    """Records with six fields of another one each."""
    rows, others = usual(n, rng), usual(n, rng)
    rows[:, :6] = others[:, :6]
    return rows


@cache
def reference() -> Reference:
    streams = [client(f"benign-{k}", usual(80, np.random.default_rng(k))) for k in range(40)]
    return learn(MODEL, interleave(streams))


def loose(n: int, rng: Generator, centre: float = 5.0, high: float = 0.05) -> Rows:
    """Whole numbers that have nothing to do with each other: there is no relation to break."""
    middle = np.where(rng.random((n, 7)) < high, 12.0, centre)
    rows: Rows = np.clip(np.round(middle + 1.2 * rng.normal(size=(n, 7))), 0, 16)
    return rows


@cache
def loose_reference() -> Reference:
    streams = [client(f"benign-{k}", loose(80, np.random.default_rng(k))) for k in range(40)]
    return learn(MODEL, interleave(streams))


def suspected(rows: Rows, against: Reference) -> bool:
    watch = ModelWatch(MODEL, against, ScoringPolicy(), 8)
    events = located(client("someone", rows))
    found = [watch.process(events[i : i + 50]).findings for i in range(0, len(events), 50)]
    return any(f.attack_class is not AttackClass.ANOMALY for part in found for _, f in part)


@pytest.mark.parametrize("seed", range(3))
def test_made_up_records_are_found_by_their_relations_alone(seed: int) -> None:
    rows = made_up(ASKED, np.random.default_rng(100 + seed))
    nulls = {name: null for name, null in reference().nulls.items() if name != "relations"}
    assert suspected(rows, reference())
    assert not suspected(rows, replace(reference(), nulls=nulls))


@pytest.mark.parametrize("seed", range(3))
def test_a_group_that_the_reference_lacks_is_not_suspected(seed: int) -> None:
    rows = records(np.full(ASKED, NEW), np.random.default_rng(200 + seed))
    assert not suspected(rows, reference())


@pytest.mark.parametrize("seed", range(3))
def test_a_client_that_measures_badly_is_not_suspected(seed: int) -> None:
    rng = np.random.default_rng(300 + seed)
    rows = usual(ASKED, rng)
    noisy = np.round(rows + 0.1 * 50 * rng.normal(size=rows.shape))
    assert not suspected(noisy, reference())


@pytest.mark.parametrize("seed", range(3))
def test_records_drawn_at_random_are_found_by_how_scattered_they_are_alone(seed: int) -> None:
    rows = np.random.default_rng(400 + seed).integers(0, 17, (ASKED, 7)).astype(float)
    others = dict.fromkeys(loose_reference().nulls, 1e9)
    assert not suspected(rows, replace(loose_reference(), ceilings=others))
    del others["scatter"]
    assert suspected(rows, replace(loose_reference(), ceilings=others))


@pytest.mark.parametrize("seed", range(3))
def test_strange_records_that_are_like_each_other_are_not_suspected(seed: int) -> None:
    rng = np.random.default_rng(500 + seed)
    assert not suspected(loose(ASKED, rng, 9.0), loose_reference())
    assert not suspected(loose(ASKED, rng, 12.0), loose_reference())


def test_how_broken_new_groups_are_is_learnt_from_how_groups_differ() -> None:
    alone = [
        client(f"benign-{k}", records(np.zeros(80, dtype=np.int64), np.random.default_rng(k)))
        for k in range(40)
    ]
    assert reference().shattered > learn(MODEL, interleave(alone)).shattered >= 1.5
