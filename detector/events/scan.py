"""A compiled look over MessagePack text, before anything is built of it.

The strict parser proves a clean JSON record shallow and finite; of MessagePack it takes NaN and
U+0000 too. One pass over a batch says which records are free of all that.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from detector.kit.compiled import compiled

CLEAN, SUSPECT, MALFORMED, TOO_DEEP, ODD_KEY = range(5)

_PLAIN, _TEXT, _BYTES, _FLOAT32, _FLOAT64, _ARRAY, _MAP, _NONE = range(8)


def _table() -> NDArray[np.int64]:
    """Return (256, 3): what a first byte announces, how many bytes of length follow, and a size.

    The size is that of the payload without the bytes that the length counts, or for short texts,
    arrays and maps the length itself. From the MessagePack specification, section "Formats".
    """
    table = np.zeros((256, 3), dtype=np.int64)
    table[0x80:0x90, 0], table[0x80:0x90, 2] = _MAP, np.arange(16)
    table[0x90:0xA0, 0], table[0x90:0xA0, 2] = _ARRAY, np.arange(16)
    table[0xA0:0xC0, 0], table[0xA0:0xC0, 2] = _TEXT, np.arange(32)
    table[0xC1, 0] = _NONE
    for first, kind, sizes in (
        (0xC4, _BYTES, (0, 0, 0)), (0xC7, _PLAIN, (1, 1, 1)), (0xD9, _TEXT, (0, 0, 0)),
    ):  # fmt: skip
        table[first : first + 3] = [(kind, 1 << i, size) for i, size in enumerate(sizes)]
    for first, kind in ((0xDC, _ARRAY), (0xDE, _MAP)):
        table[first : first + 2] = [(kind, 2, 0), (kind, 4, 0)]
    table[0xCA], table[0xCB] = (_FLOAT32, 0, 4), (_FLOAT64, 0, 8)
    table[0xCC:0xD0, 2] = table[0xD0:0xD4, 2] = (1, 2, 4, 8)
    table[0xD4:0xD9, 2] = (2, 3, 5, 9, 17)
    return table


_TABLE = _table()


@compiled
def _doubtful(data: Any, kind: int, at: int, size: int) -> bool:
    """Whether a text has U+0000, a number is not finite, or bytes, as float32, are not."""
    if kind == _TEXT:
        for i in range(at, at + size):
            if data[i] == 0:
                return True
    elif kind == _BYTES:
        for i in range(at + 3, at + size, 4):
            if data[i] & 0x7F == 0x7F and data[i - 1] >= 0x80:
                return True
    elif kind == _FLOAT32:
        return bool(data[at] & 0x7F == 0x7F and data[at + 1] >= 0x80)
    elif kind == _FLOAT64:
        return bool(data[at] & 0x7F == 0x7F and data[at + 1] >= 0xF0)
    return False


@compiled
def _scan(data: Any, at: int, end: int, left: Any, pairs: Any) -> int:
    """Judge one body; `left` and `pairs` are room for as many levels as may nest, and one."""
    level, doubt = 0, False
    left[0], pairs[0] = 1, False
    while True:
        while left[level] == 0:
            if level == 0:
                return MALFORMED if at != end else SUSPECT if doubt else CLEAN
            level -= 1
        is_key = pairs[level] and left[level] % 2 == 0
        left[level] -= 1
        if at >= end:
            return MALFORMED
        code = data[at]
        kind, length_bytes, size = _TABLE[code, 0], _TABLE[code, 1], _TABLE[code, 2]
        at += 1
        if at + length_bytes > end or kind == _NONE:
            return MALFORMED
        length = 0
        for i in range(at, at + length_bytes):
            length = length * 256 + data[i]
        at += length_bytes
        size += length
        if is_key and kind != _TEXT:
            return ODD_KEY
        if kind in (_ARRAY, _MAP):
            level += 1
            if level == len(left):
                return TOO_DEEP
            pairs[level] = kind == _MAP
            left[level] = 2 * size if kind == _MAP else size
            continue
        if at + size > end:
            return MALFORMED
        doubt = doubt or _doubtful(data, kind, at, size)
        at += size


@compiled
def _scan_all(data: Any, ends: Any, max_depth: int) -> Any:
    codes = np.empty(len(ends), dtype=np.int64)
    left, pairs = np.empty(max_depth + 1, dtype=np.int64), np.empty(max_depth + 1, dtype=np.bool_)
    begin = 0
    for i in range(len(ends)):
        codes[i] = _scan(data, begin, ends[i], left, pairs)
        begin = ends[i]
    return codes


def scan(bodies: list[bytes], max_depth: int) -> list[int]:
    """Return a code for each body.

    `CLEAN` when it is one value with texts as keys, no U+0000 in a text, finite numbers, bytes that
    are finite as little-endian float32, and nests at most `max_depth` levels; `SUSPECT` when only
    the characters or numbers are in doubt. Whether texts are UTF-8 is left to the parser.
    """
    ends = np.cumsum(np.fromiter(map(len, bodies), dtype=np.int64, count=len(bodies)))
    data = np.frombuffer(b"".join(bodies), dtype=np.uint8)
    codes: list[int] = _scan_all(data, ends, max_depth).tolist()
    return codes
