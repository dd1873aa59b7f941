"""Fields taken in turn: steps along every coordinate come before any comes again (compiled).

Gradient estimates and coordinate attacks change one field after another and begin again when all
have had their turn. Somebody who tries things comes back to a field by chance.
"""

from typing import Any

import numpy as np

from detector.kit.compiled import borrowing

IN_TURN = 0.97
GOES_ON = 0.8


@borrowing
def _size(mask: int) -> int:
    count = 0
    while mask != 0:
        mask &= mask - 1
        count += 1
    return count


@borrowing
def _within(fresh: bool, taken: int, known: int) -> float:
    """Return the evidence of a change to a known field while some had no turn in this round."""
    chance = (known - taken) / (known - 1.0)
    if fresh:
        return np.log(IN_TURN / chance)
    return np.log((1.0 - IN_TURN) / (1.0 - chance))


@borrowing
def _beyond(new: bool, known: int, width: int) -> float:
    """Return the evidence of what follows when all known fields had their turn.

    Who chooses among fewer fields than there are takes new ones less often still, so that a new one
    counts against the chance among all; beginning anew never speaks for taking turns.
    """
    chance = (width - known) / (width - 1.0)
    if new:
        return np.log(GOES_ON / chance)
    return min(np.log((1.0 - GOES_ON) / (1.0 - chance)), 0.0)


@borrowing
def follow_turns(field: int, width: int, turns: Any) -> float:
    """Take in a one-field change of another field than the last; return the log evidence gained.

    `turns` holds the fields of this round and all that the client ever changed, as bits. Against
    taking turns stands a choice at random among whatever fields the client uses: the ratio's
    expectation is then at most 1.
    """
    bit = np.int64(1) << np.int64(field)
    taken, known = _size(turns[0]), _size(turns[1])
    fresh, new = turns[0] & bit == 0, turns[1] & bit == 0
    gain = 0.0
    if 0 < taken < known:
        gain = 0.0 if new else _within(fresh, taken, known)
    elif 1 < taken < width:
        gain = _beyond(new, known, width)
    turns[0] = turns[0] | bit if fresh else bit
    turns[1] |= bit
    return gain
