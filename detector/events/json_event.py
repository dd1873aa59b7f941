"""A compiled reader of the plain JSON event: one pass over the bytes of a record.

A record that it does not take is not thereby wrong: another parser judges it. What it takes has
known keys, each once, no text but ASCII without escapes, and numbers that it can round.
"""

from typing import Any, NamedTuple

import numpy as np

from detector.events import flat_fields as fields
from detector.events.batch import NUMBER_LIMIT
from detector.events.bits import word_at
from detector.events.decimal import FAILED, read_integer, read_number
from detector.events.json_text import category, checksum, past_space, text_end
from detector.events.json_time import read_time
from detector.kit.compiled import compiled

_QUOTE, _COMMA, _COLON, _N, _MINUS, _DIGIT = (ord(c) for c in '",:n-9')
_OPEN, _CLOSE, _LIST, _LIST_END = (ord(c) for c in "{}[]")

_0, _BELOW = np.uint64(0), np.uint64(0xFFFFFFFF)
_NULL = np.uint64(int.from_bytes(b"null", "little"))
_MASKS = np.array([(1 << 8 * n) - 1 for n in range(9)], dtype=np.uint64)

PADDING = 32
"""Bytes, from the one that ends a record on, that may be looked at."""


class Room(NamedTuple):
    """Where the lists of a record go: pointers, and how many values there may be at most."""

    cells: Any
    scores: Any
    most_cells: int
    most_scores: int


@compiled
def _slot(data: Any, begin: int, end: int, owner: int) -> Any:
    """Return the slot of a key or choice, -1 when there is none."""
    size = end - begin
    if size > fields.LONGEST_KEY:
        return -1
    first = word_at(data, begin) & _MASKS[min(size, 8)]
    second = word_at(data, begin + 8) & _MASKS[max(size - 8, 0)] if size > 8 else _0
    return fields.find(first, second, owner)


@compiled
def clipped(value: float) -> Any:
    """The number as a cell or score may be."""
    return min(max(value, -NUMBER_LIMIT), NUMBER_LIMIT)


@compiled
def _list(data: Any, at: int, mixed: bool, values: Any, room: int) -> Any:
    """Read the list that begins at `at` into `values`.

    Returns how many values there are, at least 1, and where the list ends, or `FAILED`, as when
    there are more than fit. A `mixed` list holds cells: null is NaN, texts are categories, and
    numbers are clipped.
    """
    count = 0
    while True:
        at = past_space(data, at + 1)
        if count == room:
            return 0, FAILED
        byte = data[at]
        if byte <= _DIGIT:
            if byte == _QUOTE:
                begin = at + 1
                at = text_end(data, begin)
                if at < 0 or not mixed:
                    return 0, FAILED
                values[count] = category(data, begin, at)
                at += 1
            else:
                value, at = read_number(data, at)
                if at < 0:
                    return 0, FAILED
                values[count] = clipped(value) if mixed else value
        elif mixed and word_at(data, at) & _BELOW == _NULL:
            values[count] = np.nan
            at += 4
        else:
            return 0, FAILED
        count += 1
        at = past_space(data, at)
        if data[at] != _COMMA:
            return count, (at + 1 if data[at] == _LIST_END else FAILED)


@compiled
def _text(data: Any, at: int, slot: int, found: Any) -> Any:
    """Note where a text lies, as the type of its slot has it; return where it ends."""
    begin, kind = at + 1, fields.KINDS[slot]
    if kind == fields.TIME:
        found[2 * slot], end = read_time(data, begin)
        return end + 1 if end >= 0 else FAILED
    end = text_end(data, begin)
    if end < 0:
        return FAILED
    if kind == fields.CHOICE:
        return end + 1 if _slot(data, begin, end, slot) >= 0 else FAILED
    if kind == fields.LABEL:
        found[2 * slot] = checksum(data, begin, end) & 0x7FFFFFFF
    elif kind == fields.TEXT:
        found[2 * slot], found[2 * slot + 1] = begin, end
    else:
        return FAILED
    return end + 1 if fields.BOUNDS[slot, 0] <= end - begin <= fields.BOUNDS[slot, 1] else FAILED


@compiled
def _number(data: Any, at: int, slot: int, found: Any) -> Any:
    """Note an integer, hold any number against its bounds; return where it ends."""
    kind = fields.KINDS[slot]
    if kind == fields.NUMBER:
        value, end = read_number(data, at)
        return end if fields.BOUNDS[slot, 0] <= value <= fields.BOUNDS[slot, 1] else FAILED
    whole, end = read_integer(data, at)
    if kind == fields.LABEL:
        found[2 * slot] = whole & 0x7FFFFFFF
        return end
    found[2 * slot] = whole
    known = kind == fields.INTEGER or kind == fields.TIME
    sound = fields.BOUNDS[slot, 0] <= whole <= fields.BOUNDS[slot, 1]
    return end if known and sound else FAILED


@compiled
def _value(data: Any, at: int, slot: int, found: Any, room: Any) -> Any:
    """Note the value of a slot, which is neither null nor an object; return where it ends."""
    byte, kind = data[at], fields.KINDS[slot]
    if byte == _QUOTE:
        return _text(data, at, slot, found)
    if byte == _LIST and kind == fields.ROW:
        found[2 * slot], at = _list(data, at, True, room.cells, room.most_cells)
        return at
    if byte == _LIST and kind == fields.SCORES:
        found[2 * slot], at = _list(data, at, False, room.scores, room.most_scores)
        return at
    if byte == _MINUS or _DIGIT - 9 <= byte <= _DIGIT:
        return _number(data, at, slot, found)
    return FAILED


@compiled
def read_event(data: Any, at: int, end: int, found: Any, room: Any) -> int:
    """Read one event from `at` to `end`, where a zero byte stands, and `PADDING` bytes from there.

    Returns a bit for each slot with a value other than null, or `FAILED`. `found` gets two integers
    for each of these slots: where a text begins and ends, or first an integer, a label's code, or
    how many values a list has.
    """
    given, seen, owner = 0, 0, fields.NOBODY
    at = past_space(data, at)
    if data[at] != _OPEN:
        return FAILED
    while True:
        at = past_space(data, at + 1)
        stop = text_end(data, at + 1) if data[at] == _QUOTE else FAILED
        slot = _slot(data, at + 1, stop, owner) if stop >= 0 else -1
        if slot < 0 or (seen >> slot) & 1:
            return FAILED
        seen |= 1 << slot
        at = past_space(data, stop + 1)
        if data[at] != _COLON:
            return FAILED
        at = past_space(data, at + 1)
        if data[at] == _N and fields.NULLABLE[slot] and word_at(data, at) & _BELOW == _NULL:
            at += 4
        else:
            given |= 1 << slot
            if data[at] == _OPEN and fields.KINDS[slot] == fields.OBJECT:
                owner = slot
                continue
            at = _value(data, at, slot, found, room)
            if at < 0:
                return FAILED
        at = past_space(data, at)
        while data[at] == _CLOSE:
            at = past_space(data, at + 1)
            if owner == fields.NOBODY:
                whole = at == end and seen & fields.REQUIRED == fields.REQUIRED
                return given if whole else FAILED
            owner = fields.OWNERS[owner]
        if data[at] != _COMMA:
            return FAILED
