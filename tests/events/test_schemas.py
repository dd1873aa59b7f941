"""Every published example is valid by its schema, and the decoder agrees with the schema."""

import json
from collections import Counter
from datetime import UTC, datetime
from importlib.resources import files
from typing import Any

import jsonschema
import msgspec
import pytest
from referencing import Registry, Resource

from detector.cli.document import replay_document, to_json
from detector.events.decode import Decoder
from detector.events.model import Input, Output, PredictionEvent
from detector.events.record import Position, Record
from detector.incidents.contract import INCIDENT_FIELDS
from detector.kit.errors import DecodeError
from detector.stream.stats import Stats
from tests.events.corpus.kinds import KINDS, Kind

NAMES = ("prediction-event", "incident", "replay", "capability", "evaluation")
ROOT = files("detector._schemas")
SCHEMAS: dict[str, Any] = {
    name: json.loads((ROOT / name / "v1.schema.json").read_bytes()) for name in NAMES
}
REGISTRY: Registry[Any] = Registry().with_resources(
    (schema["$id"], Resource.from_contents(schema)) for schema in SCHEMAS.values()
)
EXAMPLES = [
    pytest.param(name, example.read_bytes(), id=f"{name}/{example.name}")
    for name in NAMES
    for example in sorted((ROOT / name / "examples").iterdir(), key=lambda path: path.name)
]


def validator(name: str) -> jsonschema.Draft202012Validator:
    return jsonschema.Draft202012Validator(SCHEMAS[name], registry=REGISTRY)


@pytest.mark.parametrize("name", NAMES)
def test_the_schema_is_one(name: str) -> None:
    jsonschema.Draft202012Validator.check_schema(SCHEMAS[name])


@pytest.mark.parametrize(("name", "body"), EXAMPLES)
def test_an_example_is_valid(name: str, body: bytes) -> None:
    validator(name).validate(json.loads(body))


@pytest.mark.parametrize(("name", "body"), [e for e in EXAMPLES if e.values[0] == NAMES[0]])
def test_an_example_event_decodes(name: str, body: bytes) -> None:
    event = Decoder().decode(Record(Position(name, 0, 0), body))
    source = json.loads(body)
    assert event.event_id == source["event_id"]
    again = Decoder().decode(Record(Position(name, 0, 0), msgspec.json.encode(event)))
    assert again == event
    validator(name).validate(json.loads(msgspec.json.encode(event)))


def test_there_are_enough_example_events() -> None:
    assert sum(example.values[0] == NAMES[0] for example in EXAMPLES) >= 10


def test_the_schema_names_the_fields_of_the_model() -> None:
    schema = SCHEMAS["prediction-event"]
    for struct, described in (
        (PredictionEvent, schema),
        (Input, schema["$defs"]["input"]),
        (Output, schema["$defs"]["output"]),
    ):
        fields = msgspec.structs.fields(struct)
        assert list(described["properties"]) == [field.encode_name for field in fields]
        required = [field.encode_name for field in fields if field.required]
        assert described.get("required", []) == required


def test_the_incident_schema_requires_what_the_commands_print() -> None:
    schema = SCHEMAS["incident"]
    assert list(schema["properties"]) == schema["required"] == list(INCIDENT_FIELDS)


def test_a_printed_replay_is_valid() -> None:
    stats = Stats(datetime(2026, 3, 1, tzinfo=UTC))
    stats.events, stats.rejected = 3, Counter({"too_deep": 1})
    validator("replay").validate(json.loads(to_json(replay_document(stats, ()))))


def double_if_long(digits: str) -> int | float:
    return int(digits) if len(digits) < 4000 else float(digits)


def plain_json(kind: Kind) -> bool:
    if kind.headers or kind.value is None or b"specversion" in kind.value:
        return False
    try:
        json.dumps(json.loads(kind.value.decode()), allow_nan=False)
    except (ValueError, RecursionError):
        return False
    return True


# What a JSON Schema cannot say: text rules, the size of a double, instants behind an offset.
BEYOND = {
    "nul_character", "lone_surrogate", "too_deep", "not_finite", "time_out_of_range",
    "time_in_future",
}  # fmt: skip
# Its patterns know the form of a time, not the calendar, and Python's `$` forgives a last newline.
FORGIVEN = {
    "time: month 13",
    "time: 29 February of a common year",
    "input: newline after it",
}


@pytest.mark.parametrize(
    "kind",
    [k for k in KINDS if plain_json(k) and k.reason not in BEYOND and k.name not in FORGIVEN],
    ids=lambda kind: kind.name,
)
def test_the_schema_refuses_what_the_decoder_refuses(kind: Kind) -> None:
    value = json.loads((kind.value or b"").decode(), parse_int=double_if_long)
    assert not validator("prediction-event").is_valid(value)
    with pytest.raises(DecodeError):
        Decoder().decode(Record(Position("log", 0, 0), kind.value, headers=kind.headers))
