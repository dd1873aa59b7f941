"""Machine instructions that numba has no name for, for kernels that read bytes by the word."""

from typing import Any

from llvmlite import ir
from numba import types
from numba.extending import intrinsic

_WORD, _DOUBLE_WORD = ir.IntType(64), ir.IntType(128)


@intrinsic  # type: ignore[untyped-decorator]
def full_product(_: Any, a: Any, b: Any) -> Any:
    """Return the upper and the lower half of the 128-bit product of two uint64."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        product = builder.mul(*(builder.zext(value, _DOUBLE_WORD) for value in arguments))
        upper = builder.lshr(product, ir.Constant(_DOUBLE_WORD, 64))
        halves = [builder.trunc(value, _WORD) for value in (upper, product)]
        return context.make_tuple(builder, signature.return_type, halves)

    return types.UniTuple(types.uint64, 2)(types.uint64, types.uint64), generate


@intrinsic  # type: ignore[untyped-decorator]
def leading_zeros(_: Any, word: Any) -> Any:
    """Return how many bits of a uint64 stand above its highest set one, 64 for zero."""

    def generate(_: Any, builder: Any, __: Any, arguments: Any) -> Any:
        return builder.ctlz(arguments[0], ir.Constant(ir.IntType(1), 0))

    return types.uint64(types.uint64), generate


@intrinsic  # type: ignore[untyped-decorator]
def trailing_zeros(_: Any, word: Any) -> Any:
    """Return how many bits of a uint64 stand below its lowest set one, 64 for zero."""

    def generate(_: Any, builder: Any, __: Any, arguments: Any) -> Any:
        return builder.cttz(arguments[0], ir.Constant(ir.IntType(1), 0))

    return types.uint64(types.uint64), generate


@intrinsic  # type: ignore[untyped-decorator]
def as_double(_: Any, word: Any) -> Any:
    """Return the double that has the bits of a uint64."""

    def generate(_: Any, builder: Any, __: Any, arguments: Any) -> Any:
        return builder.bitcast(arguments[0], ir.DoubleType())

    return types.float64(types.uint64), generate
