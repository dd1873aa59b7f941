"""Profiles as the kernel notes them: what a client looked like at one of its queries."""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from detector.features.catalogue import CATALOGUE
from detector.features.reading import read_row
from detector.features.state import Stat
from detector.kit.compiled import borrowing

_LIFE = np.array([Stat.QUERIES, Stat.FIRST_MS, Stat.LAST_MS])


class Profiles(NamedTuple):
    """Room for n profiles, filled from the front.

    Attributes:
        filled: (1,) how many there are.
        at: (n,) the event that each was noted at.
        unexplained: (n,) whether no sign of the client had ever been credible.
        life: (n, 3) its queries, and the times of its first and its latest one, UTC milliseconds.
        features: (n, f) in catalogue order, NaN where the log does not allow one.
        log_e: (n, s) the log evidence of each sign.
    """

    filled: NDArray[np.int64]
    at: NDArray[np.int64]
    unexplained: NDArray[np.bool_]
    life: NDArray[np.float64]
    features: NDArray[np.float64]
    log_e: NDArray[np.float32]


def room(size: int, signs: int) -> Profiles:
    """Return room for so many profiles with so many signs."""
    return Profiles(
        np.zeros(1, dtype=np.int64), np.empty(size, dtype=np.int64),
        np.empty(size, dtype=np.bool_), np.empty((size, len(_LIFE))),
        np.empty((size, len(CATALOGUE))), np.empty((size, signs), dtype=np.float32),
    )  # fmt: skip


def noted(profiles: Profiles) -> Profiles:
    """Return those that there are."""
    count = int(profiles.filled[0])
    return Profiles._make([profiles.filled, *(array[:count] for array in profiles[1:])])


@borrowing
def note(
    i: int, client: Any, unexplained: bool, cells: int, evidence: Any, log_e: int, profiles: Any
) -> None:  # fmt: skip
    """Note a client's profile at event `i`, once.

    `client` is its `ClientRow`, `cells` the number of cells of the model's input space, `log_e` the
    column of its `evidence` (s, w) that is told.
    """
    k = profiles.filled[0]
    if k > 0 and profiles.at[k - 1] == i:
        return
    profiles.filled[0] = k + 1
    profiles.at[k] = i
    profiles.unexplained[k] = unexplained
    for j in range(len(_LIFE)):
        profiles.life[k, j] = client.stats[_LIFE[j]]
    read_row(client, cells, profiles.features[k])
    for s in range(len(evidence)):
        profiles.log_e[k, s] = evidence[s, log_e]
