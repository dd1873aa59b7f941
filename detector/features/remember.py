"""A client's memory: what it holds, and which queries it keeps (compiled).

The first half of the slots is a ring of the newest queries. What leaves the ring moves to the
second half: conspicuous queries and those they relate to first, so that an attack is still
recognised when ordinary queries come between its own; what is left of the room goes to a
fixed-seed sample of the others, so that returning to an old query shows.
"""

from typing import Any, NamedTuple

from detector.features.state import AT_HOME, KEPT, Stat
from detector.kit.compiled import borrowing

_MEMORY_COUNT = int(Stat.MEMORY_COUNT)
_KEPT, _AT_HOME = KEPT, AT_HOME


class Memory(NamedTuple):
    """One client's remembered queries, an entry of each array a slot.

    Attributes:
        queries: (k, d) scaled cells.
        lines: (k, 2) their projections.
        order: (k,) ordinals from 1, 0 for an empty slot.
        labels: (k,) labels.
        roots: (k,) ordinal of the query that each one's family goes out from.
        marks: (k,) bits `KEPT`, `NATURAL_ROOT`, `RECORD`, `AT_HOME`.
    """

    queries: Any
    lines: Any
    order: Any
    labels: Any
    roots: Any
    marks: Any


@borrowing
def differs(label: int, slot: int, labels: Any) -> bool:
    """Whether the label differs from that of the remembered query; not where one is unknown."""
    return bool(slot >= 0 and label >= 0 and labels[slot] >= 0 and label != labels[slot])


@borrowing
def _scatter(count: int, room: int) -> int:
    """Return a slot number below `room`, spread evenly over the counts (Knuth's hash)."""
    return int((count * 2654435761) >> 9) % room


@borrowing
def _has_empty(order: Any, ring: int) -> bool:
    """Whether the second half has a slot that was never used."""
    empty = 0
    for slot in range(ring, len(order)):
        empty += order[slot] == 0
    return empty > 0


@borrowing
def _next(slot: int, ring: int, end: int) -> int:
    """Return the slot after this one in the second half, round and round."""
    return slot + 1 if slot + 1 < end else ring


@borrowing
def _place_for(kept: bool, count: int, ring: int, order: Any, marks: Any) -> int:
    """Return the slot of the second half for a query that leaves the ring, or -1."""
    room = len(order) - ring
    start = _scatter(count, room)
    if _has_empty(order, ring):
        slot = ring + start
        while order[slot] != 0:
            slot = _next(slot, ring, len(order))
        return slot
    # The longer the life, the rarer an ordinary query enters (Vitter 1985, algorithm R).
    if not kept and _scatter(7 * count + 3, count) >= room:
        return -1
    slot = ring + start
    for _ in range(room):
        if not marks[slot] & (_KEPT | _AT_HOME):
            return slot
        slot = _next(slot, ring, len(order))
    if marks[slot] & _AT_HOME:
        slot = _next(slot, ring, len(order))
    return slot if kept else -1


@borrowing
def _move(slot: int, place: int, held: Any) -> None:
    """Copy what one slot holds to another."""
    for j in range(held.queries.shape[1]):
        held.queries[place, j] = held.queries[slot, j]
    for j in range(held.lines.shape[1]):
        held.lines[place, j] = held.lines[slot, j]
    held.order[place] = held.order[slot]
    held.labels[place] = held.labels[slot]
    held.roots[place] = held.roots[slot]
    held.marks[place] = held.marks[slot]


@borrowing
def remember(z: Any, label: int, line: Any, root: int, mark: int, held: Any, stats: Any) -> None:
    """Put z in the ring; `root` 0 makes it the root of its own family."""
    ring = len(held.order) // 2
    count = int(stats[_MEMORY_COUNT])
    slot = count % ring
    if held.order[slot] > 0:
        kept = (held.marks[slot] & (_KEPT | _AT_HOME)) > 0
        place = _place_for(kept, count, ring, held.order, held.marks)
        if place >= 0:
            _move(slot, place, held)
    for j in range(len(z)):
        held.queries[slot, j] = z[j]
    held.lines[slot, 0] = line[0]
    held.lines[slot, 1] = line[1]
    held.order[slot] = count + 1
    held.labels[slot] = label
    held.roots[slot] = root if root > 0 else count + 1
    held.marks[slot] = mark
    stats[_MEMORY_COUNT] += 1
