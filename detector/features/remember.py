"""Which queries a client's memory keeps (compiled).

The first half of the slots is a ring of the newest queries. What leaves the ring moves to the
second half: conspicuous queries and those they relate to first, so that an attack is still
recognised when ordinary queries come between its own; what is left of the room goes to a
fixed-seed sample of the others, so that returning to an old query shows.
"""

from typing import Any

from detector.features.state import KEPT, Stat
from detector.kit.compiled import compiled

_MEMORY_COUNT = int(Stat.MEMORY_COUNT)
_KEPT = KEPT


@compiled
def _scatter(count: int, room: int) -> int:
    """Return a slot number below `room`, spread evenly over the counts (Knuth's hash)."""
    return int((count * 2654435761) >> 9) % room


@compiled
def _place_for(kept: bool, count: int, ring: int, order: Any, marks: Any) -> int:
    """Return the slot of the second half for a query that leaves the ring, or -1."""
    room = len(order) - ring
    start = _scatter(count, room)
    for i in range(room):
        slot = ring + (start + i) % room
        if order[slot] == 0:
            return slot
    for i in range(room):
        slot = ring + (start + i) % room
        if not marks[slot] & _KEPT:
            # The longer the life, the rarer an ordinary query enters (Vitter 1985, algorithm R).
            return slot if kept or _scatter(7 * count + 3, count) < room else -1
    return ring + start if kept else -1


@compiled
def remember(
    z: Any, label: int, line: Any, root: int, kin: int, mark: int, memory: Any, lines: Any,
    order: Any, labels: Any, roots: Any, kins: Any, marks: Any, stats: Any,
) -> None:  # fmt: skip
    """Put z in the ring; `root` 0 makes it the root of its own family."""
    ring = len(order) // 2
    count = int(stats[_MEMORY_COUNT])
    slot = count % ring
    if order[slot] > 0:
        place = _place_for((marks[slot] & _KEPT) > 0, count, ring, order, marks)
        if place >= 0:
            memory[place] = memory[slot]
            lines[place] = lines[slot]
            order[place] = order[slot]
            labels[place] = labels[slot]
            roots[place] = roots[slot]
            kins[place] = kins[slot]
            marks[place] = marks[slot]
    memory[slot] = z
    lines[slot, 0] = line[0]
    lines[slot, 1] = line[1]
    order[slot] = count + 1
    labels[slot] = label
    roots[slot] = root if root > 0 else count + 1
    kins[slot] = kin
    marks[slot] = mark
    stats[_MEMORY_COUNT] += 1
