"""`querywatch inspect` on real logs, for people and as JSON."""

import json
from importlib.resources import files
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from detector.scoring.hypotheses import ALL
from tests.cli.conftest import Cli
from tests.logs import MODEL

ROOT = files("detector._schemas") / "capability"
SCHEMA: dict[str, Any] = json.loads((ROOT / "v1.schema.json").read_bytes())
EXAMPLES = sorted(path.name for path in (ROOT / "examples").iterdir())


def validate(document: object) -> None:
    checker = jsonschema.Draft202012Validator.FORMAT_CHECKER
    jsonschema.Draft202012Validator(SCHEMA, format_checker=checker).validate(document)


def test_the_schema_is_one() -> None:
    jsonschema.Draft202012Validator.check_schema(SCHEMA)


@pytest.mark.parametrize("name", EXAMPLES)
def test_an_example_is_valid(name: str) -> None:
    validate(json.loads((ROOT / "examples" / name).read_bytes()))


def test_the_json_is_the_contract(cli: Cli, benign_log: Path) -> None:
    result = cli("inspect", benign_log, "--json", "-")
    assert result.code == 0
    document = json.loads(result.out)
    validate(document)
    [model] = document["models"]
    assert document["events"] == model["events"] == len(benign_log.read_text().splitlines())
    assert model["model_id"] == MODEL
    assert model["identity"]["clients"] == 60
    assert [field["name"] for field in model["inputs"]["listed"]] == [
        "age", "amount", "months", "purpose",
    ]  # fmt: skip
    assert [item["technique"] for item in model["hypotheses"]] == [h.technique for h in ALL]
    assert {item["support"] for item in model["hypotheses"]} == {"full"}


def test_the_tables_are_for_people(cli: Cli, benign_log: Path) -> None:
    result = cli("inspect", benign_log)
    assert result.code == 0
    assert max(map(len, result.out.splitlines())) <= 100
    for technique in (item.technique for item in ALL):
        assert technique in result.out
    assert "3 rounded to 1" in result.out
    assert result.err == ""


def poor_log(path: Path) -> Path:
    """Outputs alone, of clients known by address, with bad records and misspelt fields."""
    event = {"client_id": "198.51.100.7", "identity_source": "ip", "sampling_rate": 0.5}
    lines = [
        json.dumps(
            {**event, "event_id": str(i), "time": 1_772_020_800_000, "model_id": f"m{i % 2}"}
            | {"output": {"label": "a[b]", "score": 1}}
        )
        for i in range(20)
    ]
    path.write_text("\n".join([*lines, "{", '{"event_id": "x"}']))
    return path


def test_a_poor_log_is_told_what_to_add(cli: Cli, tmp_path: Path) -> None:
    log = poor_log(tmp_path / "poor.jsonl")
    text = " ".join(cli("inspect", log).out.split())
    for words in (
        "2 records rejected: malformed_json 1 (first in line 21 of",
        "Unknown fields, ignored: $.output.score 20",
        "weak: ip 100%",
        "Log input.fields or input.features",
        "50.0% of predictions are logged",
        "→ all techniques",
    ):
        assert words in text
    document = json.loads(cli("inspect", log, "--json", "-").out)
    validate(document)
    assert [model["model_id"] for model in document["models"]] == ["m0", "m1"]


def test_one_model_is_looked_at_alone(cli: Cli, tmp_path: Path) -> None:
    log = poor_log(tmp_path / "poor.jsonl")
    assert cli("inspect", log, "--model", "m1", "--json", "out.json").out == ""
    document = json.loads((tmp_path / "out.json").read_text())
    assert [model["model_id"] for model in document["models"]] == ["m1"]
    assert (document["events"], document["left_out"]) == (20, 10)


def test_a_log_without_a_usable_event_says_why(cli: Cli, tmp_path: Path) -> None:
    (tmp_path / "bad.jsonl").write_text("{\n{\n")
    result = cli("inspect", "bad.jsonl")
    assert result.code == 1
    assert "0 events of 0 models" in result.out
    assert "2 records rejected: malformed_json 2 (first in line 1 of bad.jsonl)" in result.out
    assert "looks like JSON over several lines" in result.err


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (("absent.jsonl",), 2, "absent.jsonl: no such file"),
        (("LOG", "--model", "none"), 2, "the log holds no event of model none"),
        (("LOG", "--json", "absent/out.json"), 2, "absent/out.json"),
    ],
)
def test_failure_is_one_clear_line(
    cli: Cli, benign_log: Path, arguments: tuple[str, ...], code: int, words: str
) -> None:
    given = [str(benign_log) if item == "LOG" else item for item in arguments]
    result = cli("inspect", *given)
    assert (result.code, result.out) == (code, "")
    [line] = result.err.splitlines()
    assert words in line
