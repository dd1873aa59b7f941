import json
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import zstandard
from jsonschema import Draft202012Validator

from detector.evaluation import demo_data
from detector.evaluation.splits import HELD_OUT_ATTACKS, TUNED_ATTACKS
from detector.scoring.finding import AttackClass

SCHEMA = Path(__file__).parents[2] / "schemas" / "prediction-event" / "v1.schema.json"
PAGE = Path(__file__).parents[2] / "docs" / "demo.md"
COLUMNS = 6  # of the page's table: class, technique, tuned on, held out, between bars
MEBIBYTE = 1024 * 1024


def lines(path: Path) -> Iterator[dict[str, Any]]:
    with zstandard.open(path, "rt", encoding="utf-8") as file:
        yield from map(json.loads, file)


@pytest.fixture(scope="module")
def log() -> list[dict[str, Any]]:
    return list(lines(demo_data.log_path()))


@pytest.fixture(scope="module")
def truth() -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads(demo_data.truth_path().read_text(encoding="utf-8"))
    return loaded


def test_the_truth_knows_every_client_and_counts_their_queries(
    log: list[dict[str, Any]], truth: dict[str, Any]
) -> None:
    counted = Counter((event["client_id"], event["model_id"]) for event in log)
    assert counted == {(who, t["model_id"]): t["queries"] for who, t in truth.items()}


def test_events_are_unique_and_in_time_order(log: list[dict[str, Any]]) -> None:
    assert len({event["event_id"] for event in log}) == len(log)
    times = [event["time"] for event in log]
    assert times == sorted(times)


def test_events_follow_the_schema(log: list[dict[str, Any]]) -> None:
    schema = Draft202012Validator(json.loads(SCHEMA.read_text(encoding="utf-8")))
    for event in [*log[::500], *list(lines(demo_data.reference_path()))[::500]]:
        schema.validate(event)


def test_every_class_is_there_among_many_more_benign_clients(truth: dict[str, Any]) -> None:
    attacks = [t for t in truth.values() if t["attack_class"] is not None]
    expected = {AttackClass.EXTRACTION, AttackClass.INVERSION, AttackClass.MEMBERSHIP}
    assert expected < {t["attack_class"] for t in attacks}
    assert len({t["technique"] for t in attacks}) >= 8
    assert len(truth) - len(attacks) >= 300


def test_the_page_says_which_of_its_variants_are_held_out(truth: dict[str, Any]) -> None:
    rows = [line.split("|") for line in PAGE.read_text(encoding="utf-8").splitlines()]
    tuned, held_out = (
        {
            name
            for row in rows
            if len(row) == COLUMNS
            for name in re.findall(r"`(\w+)`", row[column])
        }
        for column in (3, 4)
    )
    variants = {t["variant"] for t in truth.values()} - {None}
    assert tuned == variants & TUNED_ATTACKS
    assert held_out == variants & HELD_OUT_ATTACKS


def test_the_reference_is_of_other_clients_and_earlier(
    log: list[dict[str, Any]], truth: dict[str, Any]
) -> None:
    reference = list(lines(demo_data.reference_path()))
    assert truth.keys().isdisjoint(event["client_id"] for event in reference)
    assert max(event["time"] for event in reference) < log[0]["time"]


def test_it_fits_the_package() -> None:
    paths = (demo_data.log_path(), demo_data.reference_path(), demo_data.truth_path())
    assert sum(path.stat().st_size for path in paths) <= 5 * MEBIBYTE
