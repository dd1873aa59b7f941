"""The chain shows any entry that was changed, moved, left out or cut off."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone

import pytest

from detector.incidents.atlas import TECHNIQUES, mitigations, techniques
from detector.incidents.model import GENESIS_HASH, TimelineEntry, TimelineKind
from detector.incidents.timeline import Note, seal, verify_timeline
from detector.scoring.finding import AttackClass

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
Entries = tuple[TimelineEntry, ...]


@pytest.fixture
def entries() -> Entries:
    notes = [Note(TimelineKind.COMMENTED, f"remark {n}", {"n": n / 10}) for n in range(4)]
    return seal("incident", notes, NOW, 0, GENESIS_HASH)


def test_an_untouched_chain_holds(entries: Entries) -> None:
    assert verify_timeline(entries) is None
    assert verify_timeline(entries, entries[-1].entry_hash) is None
    assert verify_timeline((), GENESIS_HASH) is None


def test_the_zone_a_time_is_written_in_does_not_matter(entries: Entries) -> None:
    elsewhere = timezone(timedelta(hours=5))
    moved = tuple(replace(entry, at=entry.at.astimezone(elsewhere)) for entry in entries)
    assert verify_timeline(moved) is None


@pytest.mark.parametrize(
    ("tamper", "broken"),
    [
        (lambda e: (e[0], replace(e[1], summary="other"), *e[2:]), 2),
        (lambda e: (replace(e[0], actor="ana"), *e[1:]), 1),
        (lambda e: (*e[:3], replace(e[3], data={"n": 9})), 4),
        (lambda e: (*e[:3], replace(e[3], at=NOW + timedelta(microseconds=1))), 4),
        (lambda e: (e[0], e[2], e[3]), 2),
        (lambda e: (e[1], e[0], e[2], e[3]), 1),
        (lambda e: e[1:], 1),
    ],
)
def test_tampering_shows_where(
    entries: Entries, tamper: Callable[[Entries], Entries], broken: int
) -> None:
    assert verify_timeline(tamper(entries)) == broken


def test_cutting_off_the_end_shows_against_the_head(entries: Entries) -> None:
    assert verify_timeline(entries[:3]) is None
    assert verify_timeline(entries[:3], entries[-1].entry_hash) == 4


def test_every_class_has_mitigations_and_unknown_ids_are_left_out() -> None:
    assert all(mitigations(attack_class) for attack_class in AttackClass)
    assert [item.name for item in techniques(["AML.T0024.002", "AML.T9999"])] == [
        "Extract AI Model"
    ]
    assert all(key == item.atlas_id for key, item in TECHNIQUES.items())
