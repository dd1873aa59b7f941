"""`querywatch replay` on a real log, through the whole pipeline."""

import gzip
import io
import json
import os
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
import zstandard

from tests.cli.conftest import Cli
from tests.events.test_schemas import validator
from tests.logs import MODEL, THIEF


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
    (tmp_path / "LOG.GZ").write_bytes(gzip.compress(body))
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=io.BytesIO(body)))
    found = [
        [item["incident_id"] for item in json.loads(result.out)["incidents"]]
        for name in (
            attacked_log,
            tmp_path / "log.gz",
            tmp_path / "log.zst",
            tmp_path / "LOG.GZ",
            "-",
        )
        for result in [cli("replay", name, "--json", "-")]
    ]
    assert found[0]
    assert found.count(found[0]) == 5


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
        ((".",), 2, ".: is a folder"),
        (("LOG", "LOG"), 2, "attacked.jsonl: is named twice"),
        (("LOG", "--resume"), 2, "--resume: nothing was kept without a database"),
        (("LOG", "--database-url", "mysql://host/db"), 2, "are supported, not mysql"),
        (("LOG", "--database-url", "not a url"), 2, "not of the form"),
        (("LOG", "--alarm-budget", "2"), 2, "--alarm-budget: must be a number between 0 and 1"),
        (("LOG", "--reference", "absent.jsonl"), 2, "absent.jsonl: no such file"),
        (("-", "--reference", "-"), 2, "standard input can be read only once"),
        (("LOG", "--json", "absent/out.json"), 2, "absent/out.json"),
    ],
)
def test_failure_is_one_clear_line(
    cli: Cli, attacked_log: Path, tmp_path: Path, arguments: tuple[str, ...], code: int, words: str
) -> None:
    given = [str(attacked_log) if item == "LOG" else item for item in arguments]
    result = cli("replay", *given)
    assert result.code == code
    assert result.out == ""
    [line] = result.err.splitlines()
    assert line.startswith("querywatch: ")
    assert words in line


@pytest.mark.parametrize("json_too", [False, True])
def test_what_stands_before_damage_is_judged_and_shown(
    cli: Cli, attacked_log: Path, tmp_path: Path, json_too: bool
) -> None:
    cut = tmp_path / "cut.gz"
    lines = sorted(
        attacked_log.read_bytes().splitlines(), key=lambda line: THIEF.encode() not in line
    )
    cut.write_bytes(gzip.compress(b"\n".join(lines) + b"\n" + os.urandom(200_000))[:-90_000])
    result = cli("replay", cut, *(("--json", "-") if json_too else ()))
    assert result.code == 1
    assert THIEF in result.out
    [line] = result.err.splitlines()
    assert "cut.gz, line " in line


@pytest.mark.parametrize("command", ["replay", "inspect"])
@pytest.mark.parametrize(
    ("body", "hint"),
    [
        (b"time,client,x\n1,ana,2\n", "log.txt looks like CSV"),
        (gzip.compress(b"{}\n" * 99), "log.txt is gzip data"),
        (zstandard.compress(b"{}\n" * 99), "log.txt is zstd data"),
        (b'[{"event_id": "e"},\n', "log.txt looks like one JSON array"),
        (b"{}\n", "one JSON object a line"),
        (b"", "holds no record at all"),
    ],
    ids=["csv", "gzip", "zstd", "array", "other", "empty"],
)
def test_a_log_of_which_nothing_was_judged_is_no_all_clear(
    cli: Cli, command: str, body: bytes, hint: str
) -> None:
    Path("log.txt").write_bytes(body)
    result = cli(command, "log.txt")
    assert result.code == 1
    assert "No incidents" not in result.out
    assert hint in result.err


def test_compressed_standard_input_is_told(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    body = io.BytesIO(gzip.compress(b"{}\n"))
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=body))
    assert "standard input is gzip data" in cli("replay", "-").err


def test_a_resumed_replay_with_nothing_new_is_no_failure(cli: Cli, attacked_log: Path) -> None:
    again = ("replay", attacked_log, "--resume", "--database-url", "sqlite:///q.db")
    assert cli(*again).code == 0
    assert cli(*again).code == 0


def test_models_that_could_not_be_judged_are_named(
    cli: Cli, attacked_log: Path, benign_log: Path
) -> None:
    """Also those that the reference is not of."""
    other = "\n".join(attacked_log.read_text().splitlines()[:300]).replace(MODEL, "other")
    Path("other.jsonl").write_text(other)
    result = cli("replay", "other.jsonl", "--reference", benign_log)
    told = " ".join(result.out.split())
    assert "model other: no reference, still learning (256 of 5,000 events, 31 of 50 cl" in told
    assert f"model {MODEL}" not in result.out
    document = json.loads(cli("replay", "other.jsonl", "--json", "-").out)
    validator("replay").validate(document)
    [learning] = document["learning"]
    # No client counts with more than its share.
    assert (learning["model_id"], learning["events"]) == ("other", 256)
    judged = cli("replay", attacked_log, "--reference", benign_log)
    assert "still learning" not in judged.out


def test_fields_that_nothing_looks_at_are_named(cli: Cli, attacked_log: Path) -> None:
    lines = attacked_log.read_text().splitlines()[:50]
    Path("odd.jsonl").write_text("\n".join(lines).replace('"input"', '"inputs"'))
    assert "Unknown fields, ignored: $.inputs 50" in cli("replay", "odd.jsonl").out
    document = json.loads(cli("replay", "odd.jsonl", "--json", "-").out)
    assert document["unknown_fields"] == {"$.inputs": 50}


def test_the_first_line_of_each_reason_is_told(cli: Cli, attacked_log: Path) -> None:
    lines = attacked_log.read_text().splitlines()[:20]
    Path("s.jsonl").write_text("\n".join([*lines, "{", '{"event_id": 1}', "{"]))
    kept = cli("replay", "s.jsonl", "--database-url", "sqlite:///q.db").out
    assert "3 records rejected: malformed_json 2 (first in line 21 of s.jsonl)" in kept
    assert "(first in line 22 of s.jsonl)" in kept
    assert "querywatch dlq list" in kept
    assert "dlq" not in cli("replay", "s.jsonl").out


def test_reference_log_without_enough_traffic_is_refused(
    cli: Cli, attacked_log: Path, tmp_path: Path
) -> None:
    short = tmp_path / "short.jsonl"
    short.write_text("\n".join(attacked_log.read_text().splitlines()[:20]))
    result = cli("replay", attacked_log, "--reference", short)
    assert result.code == 2
    assert "a reference needs at least" in result.err
