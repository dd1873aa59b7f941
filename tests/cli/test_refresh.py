"""`querywatch reference refresh` against a real database file."""

import json
from pathlib import Path

import pytest

from tests.cli.conftest import Cli
from tests.logs import MODEL, THIEF, write_attacked_log, write_benign_log


@pytest.fixture
def built(cli: Cli, benign_log: Path) -> Cli:
    """The command line, with version 1 built and active."""
    assert cli("reference", "build", benign_log, "--model", MODEL).code == 0
    return cli


def moved_log(path: Path, factor: float) -> Path:
    """Benign traffic of a world with other amounts."""
    lines = []
    for line in write_benign_log(path, seed=7).read_text().splitlines():
        event = json.loads(line)
        event["input"]["fields"]["amount"] = round(event["input"]["fields"]["amount"] * factor)
        lines.append(json.dumps(event))
    path.write_text("\n".join(lines))
    return path


def facts(cli: Cli, *arguments: str) -> dict[str, str]:
    shown = cli("reference", "show", "--model", MODEL, *arguments).out.splitlines()
    pairs = (line.split(maxsplit=1) for line in shown if line.strip())
    return {pair[0]: pair[1].strip() for pair in pairs if len(pair) == 2}


def test_it_is_stored_with_its_lineage_and_not_activated_unasked(
    built: Cli, tmp_path: Path
) -> None:
    log = write_benign_log(tmp_path / "recent.jsonl", seed=5)
    result = built("reference", "refresh", log, "--model", MODEL)
    assert result.code == 0
    assert "Reference 2 of model credit" in result.out
    assert "inactive, refresh" in result.out
    assert "What moved" in result.out
    first, second = facts(built), facts(built, "--version", "2")
    assert first["version"] == "1"
    assert second["anchor_version"] == "1"
    assert second["anchor_digest"] == first["digest"]
    assert second["follows_version"] == "1"


def test_refreshes_keep_the_anchor_of_the_first(built: Cli, tmp_path: Path) -> None:
    for seed in (5, 6):
        log = write_benign_log(tmp_path / f"{seed}.jsonl", seed=seed)
        assert built("reference", "refresh", log, "--model", MODEL, "--activate").code == 0
    third = facts(built)
    assert third["version"] == "3"
    assert third["anchor_version"] == "1"
    assert third["follows_version"] == "2"


def test_it_says_who_was_left_out_and_why(built: Cli, tmp_path: Path) -> None:
    log = write_attacked_log(tmp_path / "attacked.jsonl")
    result = built("reference", "refresh", log, "--model", MODEL)
    assert result.code == 0
    [line] = [line for line in result.out.splitlines() if THIEF in line]
    assert "suspected of" in line


def test_a_far_world_is_refused_until_a_person_approves(built: Cli, tmp_path: Path) -> None:
    for step in range(12):
        log = moved_log(tmp_path / f"{step}.jsonl", 1.07**step)
        result = built("reference", "refresh", log, "--model", MODEL, "--activate")
        if result.code:
            break
    assert result.code == 2
    assert "amount: " in result.err
    assert "at most" in result.err
    assert "Traceback" not in result.err
    asked = built("reference", "refresh", log, "--model", MODEL, "--activate", "--approve-drift")
    assert asked.code == 0
    assert "active, approved drift" in asked.out
    approved = facts(built)
    assert "anchor_version" not in approved
    again = built("reference", "refresh", log, "--model", MODEL)
    assert again.code == 0
    newest = str(int(approved["version"]) + 1)
    assert facts(built, "--version", newest)["anchor_version"] == approved["version"]


def test_it_explains_itself(cli: Cli) -> None:
    result = cli("reference", "refresh", "--help")
    assert result.code == 0
    assert "--approve-drift" in result.out


def test_without_a_reference_there_is_nothing_to_refresh(cli: Cli, benign_log: Path) -> None:
    assert cli("migrate").code == 0
    result = cli("reference", "refresh", benign_log, "--model", MODEL)
    assert result.code == 2
    assert "has no active reference" in result.err


def test_another_models_traffic_teaches_nothing(built: Cli, tmp_path: Path) -> None:
    log = tmp_path / "other.jsonl"
    log.write_text(write_benign_log(log, seed=5).read_text().replace('"credit"', '"churn"'))
    result = built("reference", "refresh", log, "--model", MODEL)
    assert result.code == 2
    assert "a refresh needs at least 500 events" in result.err
