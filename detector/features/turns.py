"""Fields taken in turn: steps along every coordinate come before any comes again (compiled).

Gradient estimates and coordinate attacks change one field after another and begin again when all
have had their turn. Somebody who tries things comes back to a field by chance.
"""

from typing import Any

import numpy as np

from detector.kit.compiled import compiled

IN_TURN = 0.97


@compiled
def _size(mask: int) -> int:
    count = 0
    while mask != 0:
        mask &= mask - 1
        count += 1
    return count


@compiled
def follow_turns(field: int, width: int, turns: Any) -> float:
    """Take in a one-field change of another field than the last; return the log evidence gained.

    `turns` holds the fields of this round and all that the client ever changed, as bits. Against
    taking turns stands a choice at random among the fields that the client has been seen to change
    (or among all `width` when it takes a new one); who prefers some fields repeats sooner yet.
    """
    bit = np.int64(1) << np.int64(field)
    taken, known = _size(turns[0]), _size(turns[1])
    fresh = turns[0] & bit == 0
    fields = known if turns[1] & bit != 0 else width
    gain = 0.0
    if taken > 0 and fields > 1 and (fresh or taken < known):
        chance = (fields - taken) / (fields - 1.0)
        if fresh:
            gain = np.log(IN_TURN / max(chance, 0.02))
        else:
            gain = np.log((1.0 - IN_TURN) / max(1.0 - chance, 0.02))
    turns[0] = turns[0] | bit if fresh else bit
    turns[1] |= bit
    return gain
