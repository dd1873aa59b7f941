"""Asking memory for a row before it is needed (compiled)."""

from collections.abc import Callable
from typing import Any

from llvmlite import ir  # type: ignore[import-untyped] # it comes without types
from numba import types
from numba.extending import intrinsic

from detector.kit.compiled import borrowing

# Its types take the typing context for an argument of the call.
_intrinsic: Callable[..., Any] = intrinsic

LINE = 64
"""Bytes that memory hands over at a time."""
READ, KEEP, DATA = 0, 3, 1


@_intrinsic
def _fetch(_typing: Any, address: Any) -> Any:
    """Begin to bring the line at an address near; does nothing else, whatever the address."""

    def generate(_context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
        place = builder.inttoptr(arguments[0], ir.IntType(8).as_pointer())
        word = ir.IntType(32)
        kind = ir.FunctionType(ir.VoidType(), [place.type, word, word, word])
        fetch = builder.module.declare_intrinsic("llvm.prefetch", [place.type], kind)
        builder.call(fetch, [place, word(READ), word(KEEP), word(DATA)])

    return types.void(types.uintp), generate


@borrowing
def prefetch(rows: Any, row: int) -> None:
    """Begin to bring one row of a contiguous array near."""
    prefetch_part(rows, row, 0, 1)


@borrowing
def prefetch_part(rows: Any, row: int, part: int, parts: int) -> None:
    """Begin to bring part number `part` of a row near, of so many equal `parts`.

    Memory answers so many calls at a time and no more: a long row is better asked for bit by bit.
    """
    size = rows.strides[0]
    begin = rows.ctypes.data + row * size
    for line in range(*lines_of(size, part, parts)):
        _fetch(types.uintp(begin + line * LINE))


@borrowing
def lines_of(size: int, part: int, parts: int) -> tuple[int, int]:
    """Return the first line of a part of so many bytes, and the first one behind it."""
    lines = (size + LINE - 1) // LINE
    return part * lines // parts, (part + 1) * lines // parts
