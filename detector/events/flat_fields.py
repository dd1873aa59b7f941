"""What the compiled reader of plain JSON knows of each field, drawn from the event's own types.

Every key of the event, its input and its output has a slot, and so has every text of a choice.
What the types come to say that the reader does not know makes a slot `ODD`: such a value is never
read there.
"""

import math
from typing import Any, NamedTuple

import msgspec.inspect as types
import numpy as np
from numpy.typing import NDArray

from detector.events.model import Input, Output, PredictionEvent
from detector.kit.compiled import compiled

ODD, TEXT, INTEGER, TIME, NUMBER, CHOICE, OBJECT, ROW, LABEL, SCORES = range(10)

NOBODY = -1
LONGEST_KEY = 16
"""Bytes of the longest key or choice that has a slot: two words."""

_CELL = (types.FloatType(), types.StrType(), types.NoneType())
_INT64 = types.IntType(ge=-(2**63), le=2**63 - 1)

_MOST_SLOTS = 63  # bits of a mask
_BUCKETS = 256
_SHIFT = 64 - 8
_MASK = 2**64 - 1


class Slot(NamedTuple):
    """A key, or a text of a choice.

    Attributes:
        owner: Slot whose value may hold it, `NOBODY` for the keys of the event.
        name: The key, or the text.
        kind: What its value must be, one of the constants above.
        nullable: Whether null stands for its absence.
        required: Whether it must be there.
        low: Least number, or least length of a text.
        high: Most.
    """

    owner: int
    name: str
    kind: int = ODD
    nullable: bool = False
    required: bool = False
    low: float = -math.inf
    high: float = math.inf


def _kind(forms: list[types.Type]) -> int:
    match forms:
        case [types.StrType(pattern=None)]:
            return TEXT
        case [types.IntType(multiple_of=None)]:
            return INTEGER
        case [types.IntType(gt=None, ge=None, lt=None, le=None), types.DateTimeType(tz=True)]:
            return TIME
        case [types.FloatType(multiple_of=None)]:
            return NUMBER
        case [types.LiteralType()]:
            return CHOICE
        case [types.StructType(cls=cls)] if cls in (Input, Output):
            return OBJECT
        case [types.StrType(pattern=None), form] if form == _INT64:
            return LABEL
        case [types.ListType(types.UnionType(items), min_length=1, max_length=None)] if (
            items == _CELL
        ):
            return ROW
        case [types.ListType(item, min_length=1, max_length=None), types.DictType()] if (
            item == types.FloatType()
        ):
            return SCORES
    return ODD


def _bounds(form: Any) -> tuple[float, float]:
    """Least and most, of a text's length or of a number."""
    if isinstance(form, types.StrType):
        return form.min_length or 0, math.inf if form.max_length is None else form.max_length
    low, high = -math.inf, math.inf
    if isinstance(form, types.IntType | types.FloatType):
        low = low if form.ge is None else form.ge
        low = low if form.gt is None else math.nextafter(form.gt, math.inf)
        high = high if form.le is None else form.le
        high = high if form.lt is None else math.nextafter(form.lt, -math.inf)
    return low, high


def _forms(whole: types.Type) -> list[types.Type]:
    return list(whole.types) if isinstance(whole, types.UnionType) else [whole]


def _add(slots: list[Slot], struct: types.StructType, owner: int) -> None:
    """Append the slots of a struct's fields, and behind each what it owns."""
    for field in struct.fields:
        forms = _forms(field.type)
        known = [form for form in forms if not isinstance(form, types.NoneType)]
        kind, own = _kind(known), len(slots)
        form, name = known[0], field.encode_name
        slots.append(Slot(owner, name, kind, known != forms, field.required, *_bounds(form)))
        if isinstance(form, types.StructType):
            _add(slots, form, own)
        elif isinstance(form, types.LiteralType):
            slots.extend(Slot(own, value) for value in form.values if isinstance(value, str))


def _slots() -> list[Slot]:
    slots: list[Slot] = []
    event: Any = types.type_info(PredictionEvent)
    _add(slots, event, NOBODY)
    if len(slots) >= _MOST_SLOTS or any(len(slot.name) > LONGEST_KEY for slot in slots):
        raise ValueError("the event has more keys, or longer ones, than the reader can tell apart")
    return slots


def _words(name: str) -> tuple[int, int]:
    padded = name.encode().ljust(LONGEST_KEY, b"\0")
    return int.from_bytes(padded[:8], "little"), int.from_bytes(padded[8:], "little")


def _bucket(slot: Slot, factor: int) -> int:
    first, second = _words(slot.name)
    return ((first ^ (second * 3 & _MASK) ^ (slot.owner + 1)) * factor & _MASK) >> _SHIFT


def _factor(slots: list[Slot]) -> int:
    """Return the first multiplier of a sequence that gives every slot a bucket of its own."""
    factor = 0x9E3779B97F4A7C15
    while len({_bucket(slot, factor) for slot in slots}) < len(slots):
        factor = (factor * 5 + 2) & _MASK
    return factor


SLOTS = _slots()
NAMES = {slot.name: at for at, slot in enumerate(SLOTS) if slot.kind != ODD}
"""Slots by key."""

KINDS = np.array([slot.kind for slot in SLOTS])
OWNERS = np.array([slot.owner for slot in SLOTS])
NULLABLE = np.array([slot.nullable for slot in SLOTS])
BOUNDS = np.array([(slot.low, slot.high) for slot in SLOTS])
REQUIRED = sum(1 << at for at, slot in enumerate(SLOTS) if slot.required)
"""One bit for each slot that must be there."""

_FACTOR = np.uint64(_factor(SLOTS))


def _table() -> NDArray[np.uint64]:
    """Return (buckets, 3): a name in two words, and one more than its slot, 0 where is none."""
    table = np.zeros((_BUCKETS, 3), dtype=np.uint64)
    for at, slot in enumerate(SLOTS):
        table[_bucket(slot, int(_FACTOR))] = (*_words(slot.name), at + 1)
    return table


_TABLE = _table()
_THREE, _BITS = np.uint64(3), np.uint64(_SHIFT)


@compiled
def find(first: Any, second: Any, owner: int) -> Any:
    """Return the slot of a name given as two words, zeros behind it, or -1."""
    bucket = ((first ^ (second * _THREE) ^ np.uint64(owner + 1)) * _FACTOR) >> _BITS
    slot = np.int64(_TABLE[bucket, 2]) - 1
    if slot < 0 or _TABLE[bucket, 0] != first or _TABLE[bucket, 1] != second:
        return -1
    return slot if OWNERS[slot] == owner else -1
