"""`querywatch replay` on a real log, through the whole pipeline."""

import gzip
import io
import json
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
import zstandard

from tests.cli.conftest import Cli
from tests.events.test_schemas import validator
from tests.logs import THIEF


def test_json_on_standard_output_is_the_contract(
    cli: Cli, attacked_log: Path, benign_log: Path
) -> None:
    result = cli("replay", attacked_log, "--reference", benign_log, "--json", "-")
    assert result.code == 0
    document = json.loads(result.out)
    validator("replay").validate(document)
    assert document["events"] == len(attacked_log.read_text().splitlines())
    assert document["rejected"] == {}
    assert document["clients"] == 31
    [incident] = [item for item in document["incidents"] if item["client_id"] == THIEF]
    assert incident["attack_class"] == "extraction"
    assert incident["severity"] != "info"
    assert incident["evidence"][0]["ranges"][0]["topic"] == str(attacked_log)


@pytest.mark.parametrize(("limit", "expected"), [("1", True), ("0", False)])
def test_no_more_suspects_than_asked_for_have_a_surrogate(
    cli: Cli, attacked_log: Path, benign_log: Path, limit: str, expected: bool
) -> None:
    document = json.loads(
        cli(
            "replay", attacked_log, "--reference", benign_log, "--max-suspects", limit,
            "--json", "-",
        ).out
    )  # fmt: skip
    [incident] = [item for item in document["incidents"] if item["client_id"] == THIEF]
    kinds = {evidence["kind"] for evidence in incident["evidence"]}
    assert ("stolen_fidelity" in kinds) is expected


def test_table_is_for_people(cli: Cli, attacked_log: Path) -> None:
    result = cli("replay", attacked_log)
    assert result.code == 0
    assert THIEF in result.out
    assert "extraction" in result.out
    assert max(map(len, result.out.splitlines())) <= 100


def test_compressed_files_and_standard_input_give_the_same_incidents(
    cli: Cli, attacked_log: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    body = attacked_log.read_bytes()
    (tmp_path / "log.gz").write_bytes(gzip.compress(body))
    (tmp_path / "log.zst").write_bytes(zstandard.compress(body))
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=io.BytesIO(body)))
    found = [
        [item["incident_id"] for item in json.loads(result.out)["incidents"]]
        for name in (attacked_log, tmp_path / "log.gz", tmp_path / "log.zst", "-")
        for result in [cli("replay", name, "--json", "-")]
    ]
    assert found[0]
    assert found.count(found[0]) == 4


def test_repeating_it_on_a_database_changes_nothing(
    cli: Cli, attacked_log: Path, tmp_path: Path
) -> None:
    url = f"sqlite:///{tmp_path}/q.db"
    documents = []
    for name in ("one.json", "two.json"):
        assert cli("replay", attacked_log, "--database-url", url, "--json", name).code == 0
        documents.append(json.loads((tmp_path / name).read_text()))
    assert documents[0]["events"] == documents[1]["events"]
    exported = json.loads(cli("incidents", "export", "--database-url", url).out)
    assert exported == documents[0]["incidents"]
    ids = [incident["incident_id"] for incident in documents[1]["incidents"]]
    assert ids == [incident["incident_id"] for incident in exported]


def test_bad_records_are_counted_and_neighbours_judged(
    cli: Cli, attacked_log: Path, tmp_path: Path
) -> None:
    lines = attacked_log.read_text().splitlines()
    spoilt = tmp_path / "spoilt.jsonl"
    spoilt.write_text("\n".join([*lines[:50], "{", '{"event_id": 1}', *lines[50:]]))
    document = json.loads(cli("replay", spoilt, "--json", "-").out)
    assert document["events"] == len(lines)
    assert sum(document["rejected"].values()) == 2
    assert THIEF in {item["client_id"] for item in document["incidents"]}


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (("absent.jsonl",), 2, "absent.jsonl: no such file"),
        (("LOG", "--database-url", "mysql://host/db"), 2, "are supported, not mysql"),
        (("LOG", "--database-url", "not a url"), 2, "not of the form"),
        (("LOG", "--alarm-budget", "2"), 2, "--alarm-budget: must be a number between 0 and 1"),
        (("LOG", "--reference", "absent.jsonl"), 2, "absent.jsonl: no such file"),
        (("-", "--reference", "-"), 2, "standard input can be read only once"),
        (("cut.gz",), 1, "cut.gz, line "),
        (("LOG", "--json", "absent/out.json"), 1, "absent/out.json"),
    ],
)
def test_failure_is_one_clear_line(
    cli: Cli, attacked_log: Path, tmp_path: Path, arguments: tuple[str, ...], code: int, words: str
) -> None:
    (tmp_path / "cut.gz").write_bytes(gzip.compress(attacked_log.read_bytes())[:5000])
    given = [str(attacked_log) if item == "LOG" else item for item in arguments]
    result = cli("replay", *given)
    assert result.code == code
    assert result.out == ""
    [line] = result.err.splitlines()
    assert line.startswith("querywatch: ")
    assert words in line


def test_reference_log_without_enough_traffic_is_refused(
    cli: Cli, attacked_log: Path, tmp_path: Path
) -> None:
    short = tmp_path / "short.jsonl"
    short.write_text("\n".join(attacked_log.read_text().splitlines()[:20]))
    result = cli("replay", attacked_log, "--reference", short)
    assert result.code == 2
    assert "a reference needs at least" in result.err
