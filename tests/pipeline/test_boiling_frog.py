"""Thirty days in which somebody teaches the references, or the whole world moves."""

from collections.abc import Callable, Collection
from functools import cache

import pytest

from detector.events.located import LocatedEvent
from detector.pipeline.learn import learn
from detector.pipeline.refresh import ReferenceRefresher, RefreshPolicy
from detector.reference.moves import DriftRefusedError
from detector.reference.picture import Reference
from detector.scoring.tables import ScoringPolicy
from tests.pipeline.world import alarmed, day_of, thief
from tests.scoring.traffic import MODEL

DAYS = 30
ALONE, THREE, SIX = (0,), (0, 1, 2), range(6)
# Nobody is suspected and nobody is too strange to teach: the bounds alone must hold.
UNGATED = RefreshPolicy(scoring=ScoringPolicy(alarm_budget=1e-300), strangest=0.0)

Days = Callable[[int], list[LocatedEvent]]


@cache
def anchor() -> Reference:
    """What a person built before it all began."""
    return learn(MODEL, day_of(0))


def refreshed(
    days: Days, count: int = DAYS, policy: RefreshPolicy | None = None
) -> tuple[list[Reference], DriftRefusedError | None]:
    """The version of each day, up to the first that was refused, and the refusal."""
    versions = [anchor()]
    for day in range(1, count + 1):
        refresher = ReferenceRefresher(versions[-1], policy)
        refresher.add(days(day))
        try:
            versions.append(refresher.refresh(anchor()).reference)
        except DriftRefusedError as refusal:
            return versions, refusal
    return versions, None


def luring(frogs: Collection[int]) -> Days:
    """Every day the frogs go a little farther."""
    return lambda day: day_of(day, frogs=frogs, pull=day / DAYS)


@pytest.mark.parametrize("frogs", [ALONE, THREE], ids=["alone", "three of forty"])
def test_frogs_do_not_hide_an_attack_from_where_they_lead(frogs: Collection[int]) -> None:
    versions, refusal = refreshed(luring(frogs))
    assert refusal is None
    assert len(versions) == DAYS + 1
    assert alarmed(versions[-1], thief()) == {"thief"}
    assert alarmed(versions[-1], day_of(100)) == set()


@pytest.mark.parametrize("frogs", [ALONE, THREE], ids=["alone", "three of forty"])
def test_nor_do_they_when_nobody_keeps_them_from_teaching(frogs: Collection[int]) -> None:
    versions, _ = refreshed(luring(frogs), policy=UNGATED)
    assert len(versions) > DAYS / 3
    assert alarmed(versions[-1], thief()) == {"thief"}
    assert alarmed(versions[-1], day_of(100)) == set()


def test_a_reference_learnt_from_their_traffic_as_it_is_would_be_blind() -> None:
    """Otherwise the tests above would show nothing; three no longer suffice for it."""
    late = [item for day in range(25, 31) for item in luring(SIX)(day)]
    assert alarmed(learn(MODEL, late), thief()) == set()


def test_a_world_that_moves_slowly_is_followed_without_an_alarm() -> None:
    versions, refusal = refreshed(lambda day: day_of(day, shift=0.01 * day))
    assert refusal is None
    for day in range(1, DAYS + 1, 4):
        assert alarmed(versions[day], day_of(day, shift=0.01 * day, seed=1)) == set()
    start, end = anchor().fields.center, versions[-1].fields.center
    rate = anchor().names.index("rate")
    assert end[rate] - start[rate] == pytest.approx(2 * 0.01 * DAYS, rel=0.25)
    assert alarmed(versions[-1], thief()) == {"thief"}


def test_a_world_that_moves_far_asks_for_a_person() -> None:
    def days(day: int) -> list[LocatedEvent]:
        return day_of(day, shift=0.03 * day)

    versions, refusal = refreshed(days, 60)
    assert refusal is not None
    assert 10 <= len(versions) <= 40
    assert any(name in str(refusal) for name in ("amount:", "rate:"))
    asked = len(versions)
    refresher = ReferenceRefresher(versions[-1])
    refresher.add(days(asked))
    approved = refresher.approve().reference
    assert alarmed(approved, day_of(asked, shift=0.03 * asked, seed=1)) == set()
    later = ReferenceRefresher(approved)
    later.add(days(asked + 1))
    assert later.refresh(approved).moves
