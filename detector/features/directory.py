"""Numbers looked up by fingerprint: a table with open addressing, small enough to stay in caches.

A place of the table is 16 bytes: one half of a fingerprint, four bytes of the other, and the number
and one in the last four; 0 there where nothing stands. So names are told apart by 96 bits: of 10
million names two are taken for one with a chance of 1 in 10**15.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from detector.events.names import Names
from detector.kit.compiled import borrowing
from detector.kit.prefetch import prefetch

NOBODY = -1

AHEAD = 8
"""Names between asking for a place and searching from there: enough for memory."""

_ROOM = 2
"""Places for each name at least, so that searches stay short."""

_u64 = np.uint64
_LOWER = _u64(0xFFFFFFFF)
_ONE = _u64(1)

Places = NDArray[np.uint64]


class Directory:
    """Gives numbers below 2**32 - 1 for names; there is room for `room` of them, and no more."""

    def __init__(self, room: int) -> None:
        self.places = _places(room)

    def find(self, names: Names) -> NDArray[np.int64]:
        """Return the (n,) numbers of names, `NOBODY` for one that is not here."""
        numbers = np.empty(len(names), dtype=np.int64)
        _find(names.fingerprints, self.places, numbers)
        return numbers

    def put(self, names: Names, numbers: NDArray[np.int64]) -> None:
        """Enter names that are not here, each with its number."""
        _put(names.fingerprints, self.places, numbers)

    def enlarge(self, room: int) -> None:
        """Make room for so many names, if there is less."""
        places = _places(room)
        if len(places) > len(self.places):
            former, self.places = self.places, places
            _move(former, self.places, np.zeros(0, dtype=np.bool_))

    def drop(self, gone: NDArray[np.bool_]) -> None:
        """Forget the names of all numbers that are marked in (k,) `gone`; those from k on stay."""
        former, self.places = self.places, np.zeros_like(self.places)
        _move(former, self.places, gone)


def _places(room: int) -> Places:
    return np.zeros((1 << (_ROOM * max(room, 1) - 1).bit_length(), 2), dtype=np.uint64)


@borrowing
def expect(places: Any, first: Any) -> None:
    """Have the place where a fingerprint's search begins brought near."""
    prefetch(places, first & _u64(len(places) - 1))


@borrowing
def place_of(places: Any, first: Any, second: Any) -> Any:
    """Return where the fingerprint with these halves stands, or where it would.

    Raises `IndexError` when it is not here and everything is full, which is a mistake of the
    caller's: looking on would never end, and nothing could interrupt it.
    """
    last = _u64(len(places) - 1)
    at = first & last
    for _ in range(len(places)):
        if places[at, 1] == 0 or (places[at, 0] == first and places[at, 1] ^ second <= _LOWER):
            return at
        at = (at + _ONE) & last
    raise IndexError("the directory is full")


@borrowing
def number_at(places: Any, at: Any) -> Any:
    """Return the number at a place, `NOBODY` where nothing stands."""
    return np.int64(places[at, 1] & _LOWER) - 1


@borrowing
def enter(places: Any, at: Any, first: Any, second: Any, number: Any) -> None:
    """Let the fingerprint stand at a free place that `place_of` returned."""
    places[at, 0] = first
    places[at, 1] = (second & ~_LOWER) | _u64(number + 1)


@borrowing
def _find(prints: Any, places: Any, numbers: Any) -> None:
    for i in range(len(prints)):
        numbers[i] = number_at(places, place_of(places, prints[i, 0], prints[i, 1]))


@borrowing
def _put(prints: Any, places: Any, numbers: Any) -> None:
    for i in range(len(prints)):
        at = place_of(places, prints[i, 0], prints[i, 1])
        enter(places, at, prints[i, 0], prints[i, 1], numbers[i])


@borrowing
def _move(former: Any, places: Any, gone: Any) -> None:
    """Enter what stands in the former places, save the numbers marked in `gone`, if any are."""
    for old in range(len(former)):
        number = number_at(former, old)
        if number != NOBODY and not (number < len(gone) and gone[number]):
            first, second = former[old, 0], former[old, 1]
            enter(places, place_of(places, first, second), first, second, number)
