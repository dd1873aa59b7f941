"""`docs/events.md` says what the code does: every field, limit and reason, no other."""

import ast
import inspect
import re
from dataclasses import fields
from pathlib import Path

import msgspec
import pytest

from detector.events import reasons
from detector.events.decode import Decoder
from detector.events.limits import Limits
from detector.events.model import Input, Output, PredictionEvent
from detector.events.reasons import Reason
from detector.events.record import Position, Record

PAGE = (Path(__file__).parents[2] / "docs" / "events.md").read_text()


def rows(section: str) -> dict[str, list[str]]:
    body = PAGE.split(f"## {section}\n")[1].split("\n## ")[0]
    found = re.findall(r"^\| `([\w.]+)` \| (.*) \|$", body, flags=re.MULTILINE)
    return {name: rest.split(" | ") for name, rest in found}


def test_every_field_is_listed_in_order() -> None:
    expected = [
        prefix + field.encode_name
        for prefix, struct in (("", PredictionEvent), ("input.", Input), ("output.", Output))
        for field in msgspec.structs.fields(struct)
    ]
    assert list(rows("Fields")) == expected


@pytest.mark.parametrize("limit", fields(Limits), ids=lambda limit: limit.name)
def test_every_limit_is_listed_with_its_default(limit: object) -> None:
    name = getattr(limit, "name", "")
    assert rows("Limits")[name][0] == str(getattr(Limits(), name))


def test_the_example_in_messagepack_decodes() -> None:
    example: dict[str, bytes] = {}
    exec(PAGE.split("```python\n")[1].split("```")[0], example)  # noqa: S102 -- our own page
    event = Decoder().decode(Record(Position("log", 0, 0), example["body"]))
    assert event.input is not None
    assert [*(event.input.features or ())] == [0.25, -1.5, 3.0]


def test_no_other_limit_is_listed() -> None:
    assert list(rows("Limits")) == [limit.name for limit in fields(Limits)]


def test_every_reason_is_listed_with_its_docstring() -> None:
    (enum,) = (n for n in ast.parse(inspect.getsource(reasons)).body if isinstance(n, ast.ClassDef))
    docs = [
        " ".join(node.value.value.split())
        for node in enum.body[1:]
        if isinstance(node, ast.Expr)
        and isinstance(node.value, ast.Constant)
        and isinstance(node.value.value, str)
    ]
    assert {name: cells[0] for name, cells in rows("Reasons").items()} == dict(
        zip(map(str, Reason), docs, strict=True)
    )
