"""The home of conspicuous queries: the ordinary record that they go out from or lead to (compiled).

Who attacks a record asks about it as anybody would and then about points around it, or on the way
to it. Who makes up inputs has no home. A burst about another record is seen by its new home; where
records are close to each other and the points far from them, by the record that was asked just
before: a visit.
"""

from typing import Any, NamedTuple

import numpy as np

from detector.features import geometry
from detector.features.remember import differs
from detector.features.state import AT_HOME, RECORD, Stat
from detector.kit.compiled import borrowing

_RECORD, _AT_HOME = RECORD, AT_HOME
_STAY, _HOMES = int(Stat.STAY), int(Stat.HOMES)
_ASKED, _VISIT, _VISITS = int(Stat.ASKED), int(Stat.VISIT), int(Stat.VISITS)

# Another record takes over where it is plainly closer: on the way between two, neither is.
CLOSER = 0.7
HOMELESS = 1.0
# One query may be closer to another record by chance; so many in a row are about it.
LONG_STAY = 8


class Home(NamedTuple):
    """Where a conspicuous query stands to its home.

    Attributes:
        distance: Root mean square in shares of the fields' ranges; `HOMELESS` where there is none.
        new: Another record is the home than before.
        beyond: The label differs from the home's.
    """

    distance: float
    new: bool
    beyond: bool


@borrowing
def _beside(z: Any, held: Any, lens: Any) -> tuple[int, float, int, float]:
    """Return slot and distance of the home, and of the nearest record."""
    home, nearest = -1, -1
    away, smallest = np.inf, np.inf
    for m in range(len(held.order)):
        if held.order[m] == 0 or not held.marks[m] & _RECORD:
            continue
        distance = geometry.stride(z, held.queries[m], lens.span)
        if held.marks[m] & _AT_HOME:
            home, away = m, distance
        if distance < smallest:
            nearest, smallest = m, distance
    return home, away, nearest, smallest


@borrowing
def follow_home(z: Any, label: int, held: Any, stats: Any, lens: Any) -> Any:
    """Return where a conspicuous query stands to its home, which may be a new one."""
    home, away, nearest, smallest = _beside(z, held, lens)
    if nearest < 0:
        return Home(HOMELESS, False, False)
    moves = home >= 0 and smallest < CLOSER * away
    if moves:
        held.marks[home] ^= _AT_HOME
    if moves or home < 0:
        held.marks[nearest] |= _AT_HOME
        stats[_STAY] = 0.0
        home, away = nearest, smallest
    stats[_STAY] += 1.0
    stats[_HOMES] += stats[_STAY] == LONG_STAY
    return Home(away, moves, differs(label, home, held.labels))


@borrowing
def follow_asked(stats: Any) -> None:
    """Take in an ordinary query about a record of its own, which may begin a visit."""
    stats[_ASKED] += 1.0
    stats[_VISIT] = 1.0


@borrowing
def follow_visit(stats: Any) -> None:
    """Take in a conspicuous query: so many right behind a record are a visit to it."""
    if stats[_VISIT] == 0.0:
        return
    stats[_VISIT] += 1.0
    if stats[_VISIT] > LONG_STAY:
        stats[_VISITS] += 1.0
        stats[_VISIT] = 0.0
