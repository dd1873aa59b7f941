"""Names as columns: their bytes, and the fingerprints by which they are looked up.

A fingerprint is 128 bits of SipHash under a key that each process draws for itself. Two names share
one by accident only, 1 in 2**128 for a pair, and nobody who cannot read the process's memory can
make two that do: so names are told apart by their fingerprints alone.
"""

import secrets
from collections.abc import Iterator, Sequence
from functools import cached_property
from typing import Any, overload

import numpy as np
from numpy.typing import NDArray

from detector.events.bits import pointer
from detector.events.records import gathered
from detector.events.siphash import WORD_BYTES, siphash
from detector.kit.compiled import borrowing

_CODEC = "utf-8", "surrogatepass"
_PADDING = np.zeros(WORD_BYTES, dtype=np.uint8)

_KEY = np.frombuffer(secrets.token_bytes(16), dtype=np.uint64)


class Names(Sequence[str]):
    """Names in the order given, each made when it is asked for."""

    def __init__(self, data: NDArray[np.uint8], spans: NDArray[np.int64]) -> None:
        """Take the names at (n, 2) `spans` of UTF-8 `data`, `WORD_BYTES` longer than the last.

        A span that begins at a negative place is an empty name.
        """
        self._data = data
        self._spans = spans

    @classmethod
    def of(cls, names: Sequence[str]) -> "Names":
        """Return names that are made already as columns."""
        if isinstance(names, Names):
            return names
        raw = "".join(names).encode(*_CODEC)
        sizes = np.fromiter(map(len, names), np.int64, len(names))
        if sizes.sum() != len(raw):
            sizes = np.array([len(name.encode(*_CODEC)) for name in names], dtype=np.int64)
        ends = np.cumsum(sizes)
        data = np.frombuffer(raw, dtype=np.uint8)
        return cls(np.concatenate([data, _PADDING]), np.stack([ends - sizes, ends], axis=1))

    def __len__(self) -> int:
        """Return the number of names."""
        return len(self._spans)

    @overload
    def __getitem__(self, at: int) -> str: ...

    @overload
    def __getitem__(self, at: slice) -> "Names": ...

    def __getitem__(self, at: int | slice) -> "str | Names":
        """Return one name, or some of them."""
        if isinstance(at, slice):
            part = Names(self._data, self._spans[at])
            part.fingerprints = self.fingerprints[at]
            return part
        begin, end = self._spans[at].tolist()
        return self._data[begin:end].tobytes().decode(*_CODEC) if begin >= 0 else ""

    def __iter__(self) -> Iterator[str]:
        """Return the names one by one."""
        data, spans = self._packed()
        raw, pieces = data.tobytes(), spans.tolist()
        if raw.isascii():
            text = raw.decode("ascii")
            return iter([text[begin:end] for begin, end in pieces])
        return iter([raw[begin:end].decode(*_CODEC) for begin, end in pieces])

    def _packed(self) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
        """The names side by side, where they stay near, and their spans."""
        sizes = np.where(self._spans[:, 0] < 0, 0, self._spans[:, 1] - self._spans[:, 0])
        ends = np.cumsum(sizes + 1) - 1
        return gathered(self._data, self._spans, sizes), np.stack([ends - sizes, ends], axis=1)

    def replaced(self, at: NDArray[np.int64], names: "Names") -> "Names":
        """Return the names with others in the (k,) places `at`."""
        data, spans = self._packed()
        spans[at] = names._spans + len(data)
        return Names(np.concatenate([data, names._data]), spans)

    def take(self, indices: NDArray[np.int64]) -> "Names":
        """Return the names at the (k,) indices, in that order."""
        return Names(self._data, self._spans[indices])

    @cached_property
    def fingerprints(self) -> NDArray[np.uint64]:
        """(n, 2) the halves of each name's fingerprint."""
        prints = np.empty((len(self), 2), dtype=np.uint64)
        _fingerprint(self._data, self._spans, _KEY, prints)
        return prints


@borrowing
def _fingerprint(data: Any, spans: Any, key: Any, prints: Any) -> None:
    text = pointer(data)
    for i in range(len(spans)):
        begin, end = spans[i, 0], spans[i, 1]
        if begin < 0:
            begin = end = 0
        prints[i, 0], prints[i, 1] = siphash(text, begin, end, key[0], key[1])
