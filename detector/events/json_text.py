"""Compiled pieces that read JSON's texts and the white space between its tokens.

`data` is a pointer to bytes. A zero byte must stand behind what is read, and seven bytes more.
"""

from typing import Any
from zlib import crc32

import numpy as np

from detector.events.bits import trailing_zeros, word_at
from detector.events.decimal import FAILED
from detector.kit.compiled import compiled

_QUOTE = ord('"')
_SPACE, _TAB, _LINE, _RETURN = (ord(c) for c in " \t\n\r")

_U = np.uint64
_0, _3, _8, _BYTE, _BELOW = _U(0), _U(3), _U(8), _U(0xFF), _U(0xFFFFFFFF)
_TOPS, _ONES, _SPACES = (_U(byte * 0x0101010101010101) for byte in (0x80, 0x01, 0x20))
_QUOTES, _SLASHES = (_U(byte * 0x0101010101010101) for byte in (0x22, 0x5C))
# The register holds ones when the first byte comes in, and is inverted in the end.
_CRC = np.array([crc32(bytes([n ^ 0xFF])) ^ 0xFF000000 for n in range(256)], dtype=np.uint64)


@compiled
def past_space(data: Any, at: int) -> int:
    """Return where the first byte stands, from `at` on, that is no white space."""
    while data[at] <= _SPACE:
        byte = data[at]
        if byte != _SPACE and byte != _LINE and byte != _RETURN and byte != _TAB:
            break
        at += 1
    return at


@compiled
def text_end(data: Any, at: Any) -> Any:
    """Return where the quote stands that ends the text from `at` on, or `FAILED`.

    A text with anything but ASCII, with control characters or with escapes is refused.
    """
    while True:
        word = word_at(data, at)
        quotes, slashes = word ^ _QUOTES, word ^ _SLASHES
        # The highest bit of each byte that may not stand in a text; borrows reach only bytes
        # behind the first of them.
        stops = (
            ((quotes - _ONES) & ~quotes) | ((slashes - _ONES) & ~slashes)
            | ((word - _SPACES) & ~word) | word
        ) & _TOPS  # fmt: skip
        if stops != _0:
            break
        at += 8
    at += np.int64(trailing_zeros(stops) >> _3)
    return at if data[at] == _QUOTE else FAILED


@compiled
def checksum(data: Any, begin: int, end: int) -> Any:
    """The CRC-32 of some bytes, as in zlib."""
    register = _BELOW
    for i in range(begin, end):
        register = _CRC[(register ^ _U(data[i])) & _BYTE] ^ (register >> _8)
    return np.int64(register ^ _BELOW)


@compiled
def category(data: Any, begin: int, end: int) -> Any:
    """The cell of a text, as `category_code` gives it."""
    share = (checksum(data, begin, end) & 0x7FFFFF) / 0x800000
    return np.float64(np.float32(-1e30 * (1.0 + share)))


@compiled
def same_bytes(data: Any, spans: Any, i: int, j: int) -> bool:
    """Whether two spans hold the same bytes; `spans` is a pointer to begins and ends in turn."""
    size = spans[2 * i + 1] - spans[2 * i]
    if size != spans[2 * j + 1] - spans[2 * j]:
        return False
    k = 0
    while k < size and data[spans[2 * i] + k] == data[spans[2 * j] + k]:
        k += 1
    return bool(k == size)
