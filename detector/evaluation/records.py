"""Where an attack on records turns from one record to the next."""

import numpy as np

from detector.evaluation.codes import coded_rows
from detector.evaluation.models import Target
from detector.evaluation.space import Space
from detector.evaluation.streams import Stream

RECORD_BY_RECORD = frozenset({"boundary_distance", "augmentation_bursts"})


class Records:
    """The rows of a data set as an attacker would send them first."""

    def __init__(self, target: Target) -> None:
        self._target = target
        space = Space(target.dataset)
        rows = np.concatenate([target.members, target.outside])
        sent = target.as_sent(space.decode(space.encode(rows)))
        self._known = {row.tobytes() for row in sent + 0.0}  # no negative zeros

    def second_end(self, stream: Stream) -> int | None:
        """Return the ordinal of the last query about the second record.

        None for an attack that does not take records one by one. A record begins where its own row
        is asked for the first time.
        """
        if stream.attack is None or stream.attack.technique not in RECORD_BY_RECORD:
            return None
        begun: set[bytes] = set()
        for number, row in enumerate(coded_rows(self._target.dataset, stream.events) + 0.0):
            key = row.tobytes()
            if key in self._known and key not in begun:
                begun.add(key)
                if len(begun) == 3:
                    return number
        return len(stream.events)
