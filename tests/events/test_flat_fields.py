"""What the compiled reader knows of the event's fields is what their types say."""

import msgspec
import pytest

from detector.events import flat_fields as fields
from detector.events.model import Input, Output, PredictionEvent

UNREAD = {"fields", "embedding", "fingerprint"}


def slots_of(owner: int) -> dict[str, fields.Slot]:
    return {slot.name: slot for slot in fields.SLOTS if slot.owner == owner}


@pytest.mark.parametrize(
    ("owner", "struct"),
    [
        (fields.NOBODY, PredictionEvent),
        (fields.NAMES["input"], Input),
        (fields.NAMES["output"], Output),
    ],
)
def test_every_key_has_a_slot(owner: int, struct: type[msgspec.Struct]) -> None:
    known = msgspec.structs.fields(struct)
    slots = slots_of(owner)
    assert list(slots) == [field.encode_name for field in known]
    assert [slot.required for slot in slots.values()] == [field.required for field in known]
    odd = {name for name, slot in slots.items() if slot.kind == fields.ODD}
    assert odd == UNREAD & set(slots)


def test_bounds_are_those_of_the_types() -> None:
    slots = slots_of(fields.NOBODY)
    assert (slots["event_id"].low, slots["event_id"].high) == (1, 128)
    assert (slots["tenant_id"].low, slots["tenant_id"].high) == (0, 256)
    assert (slots["status"].low, slots["status"].high) == (100, 599)
    assert 0 < slots["sampling_rate"].low < 1e-300
    assert slots["sampling_rate"].high == 1
    assert slots["model_version"].nullable
    assert not slots["tenant_id"].nullable


def test_choices_belong_to_their_field() -> None:
    assert set(slots_of(fields.NAMES["identity_source"])) == {
        "principal", "api_key", "header", "ip",
    }  # fmt: skip
