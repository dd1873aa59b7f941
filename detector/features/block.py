"""Rows of several arrays that lie side by side in memory, one client's after the other's.

What an event touches is one piece then, which the processor can have brought near at a go. Of an
array of its own for each kind of number an event touches twenty far places.
"""

from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any

import numba
import numpy as np
from llvmlite import ir  # type: ignore[import-untyped]  # ships no types
from numba.extending import intrinsic
from numba.np import arrayobj
from numpy.typing import NDArray

from detector.kit.prefetch import LINE

# Called from kernels only, without the first argument, which is numba's.
_intrinsic: Callable[[Any], Callable[..., Any]] = intrinsic
_populate: Callable[..., Any] = arrayobj.populate_array
_types: Any = numba.types

_ROOMY = 4096
_RESERVE = 4
"""From `_ROOMY` rows on, addresses for so many times as many are set aside, not memory."""


class Block:
    """`capacity` rows of the fields that `blank` has an example of each, all zeros at first.

    There will be `most` rows at the most, as far as that is known.

    Attributes:
        rows: (capacity, bytes of a row) uint8; a row's bytes.
        starts: (f,) where each field begins in a row, in the order of `blank`.
        arrays: (capacity, ...) the fields by name; they look into `rows`.
    """

    def __init__(
        self, blank: Mapping[str, NDArray[Any]], capacity: int, most: int | None = None
    ) -> None:
        self._blank = dict(blank)
        # The widest first: so each begins where its numbers may stand.
        order = sorted(self._blank, key=lambda name: -self._blank[name].itemsize)
        ends = np.cumsum([self._blank[name].nbytes for name in order])
        begins = dict(zip(order, [0, *ends[:-1].tolist()], strict=True))
        self.starts = np.array([begins[name] for name in self._blank], dtype=np.int64)
        self._size = -(-int(ends[-1]) // LINE) * LINE
        self._most = most
        self._reserved = self._reserve(capacity)
        self._look(capacity)

    def _reserve(self, capacity: int) -> NDArray[np.uint8]:
        """Zeros for so many rows, and room for more where it can be had."""
        wanted = capacity * _RESERVE if capacity >= _ROOMY else capacity
        if self._most is not None:
            wanted = min(wanted, max(self._most, capacity))
        with suppress(MemoryError):
            return _zeros(wanted, self._size)
        return _zeros(capacity, self._size)

    def _look(self, capacity: int) -> None:
        self.rows = self._reserved[:capacity]
        self.arrays = {
            name: np.ndarray(
                (capacity, *blank.shape), blank.dtype, self.rows, int(start),
                (self._size, *blank.strides),
            )
            for (name, blank), start in zip(self._blank.items(), self.starts, strict=True)
        }  # fmt: skip

    def grow(self, capacity: int) -> None:
        """Enlarge to `capacity` rows; new ones are zeros."""
        if capacity > len(self._reserved):
            held = self.rows
            self._reserved = self._reserve(capacity)
            self._reserved[: len(held)] = held
        self._look(capacity)


@_intrinsic
def fields_at(_: Any, blank: Any, rows: Any, row: Any, starts: Any, first: Any) -> Any:
    """Return a tuple of arrays like the contiguous ones in `blank` that lie in one of `rows`.

    They begin where `starts` says, from entry `first` on. They keep nothing alive: the rows must be
    an argument of the function that Python called.
    """

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        blanks, memory, number, begins, offset = arguments
        kinds = signature.args
        memory = context.make_array(kinds[1])(context, builder, memory)
        begins = context.make_array(kinds[3])(context, builder, begins)
        size = builder.extract_value(memory.strides, 0)
        base = builder.gep(memory.data, [builder.mul(number, size)])
        made = []
        for k, kind in enumerate(kinds[0].types):
            like = context.make_array(kind)(context, builder, builder.extract_value(blanks, k))
            entry = builder.add(offset, ir.Constant(offset.type, k))
            place = builder.gep(base, [builder.load(builder.gep(begins.data, [entry]))])
            array = context.make_array(kind)(context, builder)
            _populate(
                array, builder.bitcast(place, array.data.type), like.shape, like.strides,
                like.itemsize, None,
            )  # fmt: skip
            made.append(array._getvalue())
        return context.make_tuple(builder, signature.return_type, made)

    return blank(blank, rows, _types.int64, starts, _types.int64), generate


def _zeros(rows: int, size: int) -> NDArray[np.uint8]:
    """Return zeros (rows, size), the first at the beginning of a line."""
    whole = np.zeros(rows * size + LINE, dtype=np.uint8)
    begin = -whole.ctypes.data % LINE
    return whole[begin : begin + rows * size].reshape(rows, size)
