"""Counting distinct keys, and finding the most frequent one, in bounded memory."""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from hashlib import blake2b
from heapq import heappush, heappushpop
from typing import Generic, TypeVar

HASH_BITS = 64

Kept = TypeVar("Kept")


def key_hash(key: str) -> int:
    """Return a 64-bit hash of the key, the same in every process."""
    return int.from_bytes(blake2b(key.encode(), digest_size=HASH_BITS // 8).digest())


class DistinctSample(Generic[Kept]):
    """The keys with the k smallest hashes, with something kept of each.

    The bound that a hash must stay under only falls, so a key of the sample has been in it since it
    was first seen: what is kept of it is complete, and the sample is a uniform one of the distinct
    keys (Beyer et al. 2007, "On synopses for distinct-value estimation under multiset operations").
    """

    def __init__(self, size: int, make: Callable[[], Kept]) -> None:
        """Hold `size` keys at most; `make` returns what is kept of a new one."""
        self._size = size
        self._make = make
        self._kept: dict[int, Kept] = {}
        self._largest_first: list[int] = []

    def __iter__(self) -> Iterator[Kept]:
        """What is kept of each key of the sample."""
        return iter(self._kept.values())

    def __len__(self) -> int:
        """The number of keys in the sample."""
        return len(self._kept)

    def of(self, key: str) -> Kept | None:
        """Return what is kept of the key, to be changed in place; None outside the sample."""
        code = key_hash(key)
        found = self._kept.get(code)
        if found is not None:
            return found
        if len(self._kept) < self._size:
            heappush(self._largest_first, -code)
        elif code > -self._largest_first[0]:
            return None
        else:
            del self._kept[-heappushpop(self._largest_first, -code)]
        return self._kept.setdefault(code, self._make())

    def distinct(self) -> int:
        """Return how many distinct keys there were: exact below k, else to about 1/sqrt(k)."""
        if len(self._kept) < self._size:
            return len(self._kept)
        return ((self._size - 1) << HASH_BITS) // max(-self._largest_first[0], 1)


class MostFrequent:
    """Counts of the most frequent keys (Misra and Gries 1982; Agarwal et al. 2012 for merging).

    No count is too high, and none more than 1/k of all events too low.
    """

    def __init__(self, size: int) -> None:
        """Hold `size` keys at most."""
        self._size = size
        self._counts: Counter[str] = Counter()

    def add(self, counts: Mapping[str, int]) -> None:
        """Take how often each key was seen in a stretch."""
        self._counts.update(counts)
        if len(self._counts) > self._size:
            cut = sorted(self._counts.values(), reverse=True)[self._size]
            self._counts = Counter({k: n - cut for k, n in self._counts.items() if n > cut})

    def largest(self) -> int:
        """Return the count of the most frequent key, 0 without any."""
        return max(self._counts.values(), default=0)
