"""Machine instructions that numba has no name for, for kernels that read bytes by the word."""

import sys
from collections.abc import Callable
from typing import Any

import numba
from llvmlite import ir  # type: ignore[import-untyped]  # ships no types
from numba.extending import intrinsic

# Called from kernels only, without the first argument, which is numba's.
_instruction: Callable[[Any], Callable[..., Any]] = intrinsic

_types: Any = numba.types
_WORD, _DOUBLE_WORD = ir.IntType(64), ir.IntType(128)


@_instruction
def full_product(_: Any, a: Any, b: Any) -> Any:
    """Return the upper and the lower half of the 128-bit product of two uint64."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        product = builder.mul(*(builder.zext(value, _DOUBLE_WORD) for value in arguments))
        upper = builder.lshr(product, ir.Constant(_DOUBLE_WORD, 64))
        halves = [builder.trunc(value, _WORD) for value in (upper, product)]
        return context.make_tuple(builder, signature.return_type, halves)

    return _types.UniTuple(_types.uint64, 2)(_types.uint64, _types.uint64), generate


@_instruction
def leading_zeros(_: Any, word: Any) -> Any:
    """Return how many bits of a uint64 stand above its highest set one, 64 for zero."""

    def generate(_: Any, builder: Any, __: Any, arguments: Any) -> Any:
        return builder.ctlz(arguments[0], ir.Constant(ir.IntType(1), 0))

    return _types.uint64(_types.uint64), generate


@_instruction
def trailing_zeros(_: Any, word: Any) -> Any:
    """Return how many bits of a uint64 stand below its lowest set one, 64 for zero."""

    def generate(_: Any, builder: Any, __: Any, arguments: Any) -> Any:
        return builder.cttz(arguments[0], ir.Constant(ir.IntType(1), 0))

    return _types.uint64(_types.uint64), generate


@_instruction
def as_double(_: Any, word: Any) -> Any:
    """Return the double that has the bits of a uint64."""

    def generate(_: Any, builder: Any, __: Any, arguments: Any) -> Any:
        return builder.bitcast(arguments[0], ir.DoubleType())

    return _types.float64(_types.uint64), generate


@_instruction
def pointer(_: Any, array: Any) -> Any:
    """Return where a contiguous array's items lie, to be indexed like it, unchecked.

    Handing a pointer on costs nothing, where an array's references would be counted. It keeps
    nothing alive, and compiled code drops an array after its last mention: so the array must be
    an argument of the function that Python called.
    """

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return context.make_array(signature.args[0])(context, builder, arguments[0]).data

    return _types.CPointer(array.dtype)(array), generate


@_instruction
def word_at(_: Any, data: Any, at: Any) -> Any:
    """Return the eight bytes from `data[at]` on as a uint64, the first byte lowest."""

    def generate(_: Any, builder: Any, __: Any, arguments: Any) -> Any:
        place = builder.gep(arguments[0], [arguments[1]])
        word = builder.load(builder.bitcast(place, _WORD.as_pointer()), align=1)
        return builder.bswap(word) if sys.byteorder == "big" else word

    return _types.uint64(_types.CPointer(_types.uint8), _types.int64), generate


@_instruction
def copy_bytes(_: Any, target: Any, at: Any, source: Any, begin: Any, size: Any) -> Any:
    """Copy `size` bytes from `source[begin]` on to `target[at]` on; they do not overlap."""

    def generate(_: Any, builder: Any, __: Any, arguments: Any) -> Any:
        target, at, source, begin, size = arguments
        places = builder.gep(target, [at]), builder.gep(source, [begin])
        byte, length, flag = ir.IntType(8).as_pointer(), _WORD, ir.IntType(1)
        kind = ir.FunctionType(ir.VoidType(), [byte, byte, length, flag])
        copy = builder.module.declare_intrinsic("llvm.memcpy", [byte, byte, length], kind)
        builder.call(copy, [*places, size, flag(0)])

    return _types.void(target, _types.int64, source, _types.int64, _types.int64), generate
