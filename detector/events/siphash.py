"""SipHash-2-4 with 128 bits of result (Aumasson and Bernstein 2012), for kernels.

A keyed hash: who does not know the key can neither foresee a value nor make two texts share one.
"""

from typing import Any

import numpy as np

from detector.events.bits import word_at
from detector.kit.compiled import borrowing

WORD_BYTES = 8

_u64 = np.uint64
_WORD_BITS = _u64(64)
_BYTE_BITS = _u64(8)
_STATE = tuple(
    _u64(int.from_bytes(part, "big"))
    for part in (b"somepseu", b"dorandom", b"lygenera", b"tedbytes")
)
_FIRST_HALF, _SECOND_HALF = _u64(0xEE), _u64(0xDD)


@borrowing
def siphash(text: Any, begin: Any, end: Any, k0: Any, k1: Any) -> Any:
    """Return the two halves of the hash of the bytes from `begin` to `end` under the key's halves.

    `text` is a pointer; `WORD_BYTES` bytes behind the end are read too, and do not matter.
    """
    v0, v1, v2, v3 = k0 ^ _STATE[0], k1 ^ _STATE[1] ^ _FIRST_HALF, k0 ^ _STATE[2], k1 ^ _STATE[3]
    at = begin
    while end - at >= WORD_BYTES:
        v0, v1, v2, v3 = _absorb(v0, v1, v2, v3, word_at(text, at))
        at += WORD_BYTES
    # The rest of the bytes, and the length's lowest byte on top of them.
    beyond = _WORD_BITS - _BYTE_BITS * _u64(end - at)
    rest = word_at(text, at) << beyond >> beyond if end > at else _u64(0)
    rest |= _u64(end - begin) << _u64(56)
    v0, v1, v2, v3 = _absorb(v0, v1, v2, v3, rest)
    v0, v1, v2, v3 = _finish(v0, v1, v2 ^ _FIRST_HALF, v3)
    first = v0 ^ v1 ^ v2 ^ v3
    v0, v1, v2, v3 = _finish(v0, v1 ^ _SECOND_HALF, v2, v3)
    return first, v0 ^ v1 ^ v2 ^ v3


@borrowing
def _absorb(v0: Any, v1: Any, v2: Any, v3: Any, word: Any) -> Any:
    v3 ^= word
    v0, v1, v2, v3 = _mix(v0, v1, v2, v3)
    v0, v1, v2, v3 = _mix(v0, v1, v2, v3)
    return v0 ^ word, v1, v2, v3


@borrowing
def _finish(v0: Any, v1: Any, v2: Any, v3: Any) -> Any:
    v0, v1, v2, v3 = _mix(v0, v1, v2, v3)
    v0, v1, v2, v3 = _mix(v0, v1, v2, v3)
    v0, v1, v2, v3 = _mix(v0, v1, v2, v3)
    return _mix(v0, v1, v2, v3)


@borrowing
def _mix(v0: Any, v1: Any, v2: Any, v3: Any) -> Any:
    v0 += v1
    v2 += v3
    v1 = _turned(v1, _u64(13)) ^ v0
    v3 = _turned(v3, _u64(16)) ^ v2
    v0 = _turned(v0, _u64(32))
    v2 += v1
    v0 += v3
    v1 = _turned(v1, _u64(17)) ^ v2
    v3 = _turned(v3, _u64(21)) ^ v0
    v2 = _turned(v2, _u64(32))
    return v0, v1, v2, v3


@borrowing
def _turned(word: Any, bits: Any) -> Any:
    return word << bits | word >> (_WORD_BITS - bits)
