"""A compiled reader of JSON numbers, correctly rounded to doubles.

Digits are read eight at a time, as one word. Small numbers follow Clinger ("How to Read Floating
Point Numbers Accurately", 1990), the others Lemire ("Number Parsing at a Gigabyte per Second",
2021). What neither decides is left to another parser.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from detector.events.bits import as_double, full_product, leading_zeros, trailing_zeros, word_at
from detector.kit.compiled import compiled

FAILED = -1

_U = np.uint64
_DIGITS = 19  # as many always fit 64 bits
_EXACT = _U(1 << 53)
_LEAST, _MOST = -342, 308
_MINUS, _PLUS, _POINT, _ZERO, _E = (ord(c) for c in "-+.0e")

_ALL = _U(0xFFFFFFFFFFFFFFFF)
_SIXES, _HIGH = _U(0x0606060606060606), _U(0xF0F0F0F0F0F0F0F0)
_ZEROS, _LOW = _U(0x3030303030303030), _U(0x0F0F0F0F0F0F0F0F)
_PAIRS, _FOURS = _U(0x00FF00FF00FF00FF), _U(0x0000FFFF0000FFFF)
_BY_TEN, _BY_HUNDRED = _U((10 << 8) + 1), _U((100 << 16) + 1)
_BY_MYRIAD = _U((10_000 << 32) + 1)
_3, _7, _8, _16, _32, _56, _64 = (_U(n) for n in (3, 7, 8, 16, 32, 56, 64))

_TENS = np.array([10**k for k in range(9)], dtype=np.uint64)
_EXACT_TENS = np.array([10.0**k for k in range(23)])

_0, _1, _9, _52, _63 = (_U(n) for n in (0, 1, 9, 52, 63))
_DOUBTFUL = _U(0x1FF)
_HIDDEN = _U(1 << 52)


def _powers() -> NDArray[np.uint64]:
    """Return (651, 2): the 128 highest bits of 5^q in two words, q from `_LEAST` to `_MOST`.

    They are cut off, but rounded up where q is negative and 5^-q fits 64 bits.
    """
    rows = []
    for q in range(_LEAST, _MOST + 1):
        power = 5 ** abs(q)
        bits = power.bit_length()
        inverse = (1 << (bits + 127)) // power + (q >= -27)
        top = power << 128 >> bits if q >= 0 else inverse
        rows.append((top >> 64, top & (2**64 - 1)))
    return np.array(rows, dtype=np.uint64)


_POWERS = _powers()


@compiled
def _eight(word: Any) -> Any:
    """The number that eight digits make; zero bytes count as zeros."""
    word = ((word & _LOW) * _BY_TEN) >> _8
    word = ((word & _PAIRS) * _BY_HUNDRED) >> _16
    return ((word & _FOURS) * _BY_MYRIAD) >> _32


@compiled
def read_digits(data: Any, at: Any, number: Any) -> Any:
    """Append the digits from `at` on to a uint64, modulo 2^64; return it and where they end."""
    while True:
        word = word_at(data, at)
        # Lowest where the first byte is that is no digit; a carry reaches only those behind it.
        others = ((word & _HIGH) ^ _ZEROS) | (((word + _SIXES) & _HIGH) ^ _ZEROS)
        if others != _0:
            break
        number = number * _U(100_000_000) + _eight(word)
        at += 8
    count = trailing_zeros(others) >> _3
    if count > _0:
        number = number * _TENS[count] + _eight(word << (_64 - (count << _3)))
        at += np.int64(count)
    return number, at


@compiled
def _rounded(negative: bool, number: Any, exponent: int) -> Any:
    """The double nearest to number * 10^exponent, NaN where this is not sure or out of range."""
    if number <= _EXACT and -22 <= exponent <= 22:
        value = np.float64(np.int64(number))
        if exponent < 0:
            value /= _EXACT_TENS[-exponent]
        else:
            value *= _EXACT_TENS[exponent]
        return -value if negative else value
    if number == _0:
        return -0.0 if negative else 0.0
    if exponent < _LEAST or exponent > _MOST:
        return np.nan
    return _by_product(negative, number, exponent)


@compiled
def _by_product(negative: bool, number: Any, exponent: int) -> Any:
    """The same by the product of the number with a power of five of 128 bits."""
    shift = leading_zeros(number)
    upper, lower = full_product(number << shift, _POWERS[exponent - _LEAST, 0])
    if upper & _DOUBTFUL == _DOUBTFUL:
        carried, _ = full_product(number << shift, _POWERS[exponent - _LEAST, 1])
        lower += carried
        if lower < carried:
            upper += _1
        if lower == _ALL and not -27 <= exponent <= 55:
            return np.nan
    top = upper >> _63
    mantissa = upper >> (top + _9)
    # The exponent of two is floor(log2(10^exponent)) and what normalising took away.
    power = ((exponent * 217_706) >> 16) + 1086 + np.int64(top) - np.int64(shift)
    if power <= 0:
        return np.nan
    # Only small powers of ten, which are exact, leave a number exactly halfway: to the even one.
    halfway = lower <= _1 and -4 <= exponent <= 23 and mantissa << (top + _9) == upper
    if halfway and mantissa & _3 == _1:
        mantissa -= _1
    mantissa = (mantissa + (mantissa & _1)) >> _1
    if mantissa == _HIDDEN << _1:
        mantissa = _HIDDEN
        power += 1
    if power >= 2047:
        return np.nan
    bits = (mantissa ^ _HIDDEN) | (_U(power) << _52)
    return as_double(bits | (_U(negative) << _63))


@compiled
def _leading_zeros_written(data: Any, at: int) -> int:
    """How many zeros a number with its point begins with."""
    count = 0
    while data[at] == _ZERO or data[at] == _POINT:
        count += data[at] == _ZERO
        at += 1
    return count


@compiled
def _exponent(data: Any, at: int) -> Any:
    """The exponent that is written from `at` on, behind the letter, and where it ends."""
    negative = data[at] == _MINUS
    if negative or data[at] == _PLUS:
        at += 1
    number, end = read_digits(data, at, _0)
    if end == at or end > at + 4:
        return 0, FAILED
    value = np.int64(number)
    return (-value if negative else value), end


@compiled
def read_integer(data: Any, at: int) -> Any:
    """Return the integer that begins at a byte, at most 18 digits, and where it ends, or `FAILED`.

    `data` is a pointer to bytes; one that is no digit must stand behind the number, and seven
    bytes more.
    """
    negative = data[at] == _MINUS
    begin = at + 1 if negative else at
    number, end = read_digits(data, begin, _0)
    count = end - begin
    if count == 0 or count >= _DIGITS or (count > 1 and data[begin] == _ZERO):
        return 0, FAILED
    value = np.int64(number)
    return (-value if negative else value), end


@compiled
def read_number(data: Any, at: int) -> Any:
    """Return the number that begins at a byte as a double, and where it ends, or `FAILED`.

    It fails over what is no JSON number, more than 19 significant digits, integers beyond 2^53,
    and what is subnormal, overflows or may lie halfway between two doubles. The integer -0 is 0.
    """
    negative = data[at] == _MINUS
    begin = at + 1 if negative else at
    number, end = read_digits(data, begin, _0)
    digits = end - begin
    if digits == 0 or (digits > 1 and data[begin] == _ZERO):
        return 0.0, FAILED
    mark = data[end]
    if mark != _POINT and mark | 0x20 != _E:
        if digits > _DIGITS or number > _EXACT:
            return 0.0, FAILED
        value = np.int64(number)
        return np.float64(-value if negative else value), end
    exponent = 0
    if mark == _POINT:
        point = end
        number, end = read_digits(data, point + 1, number)
        exponent = point + 1 - end
        if exponent == 0:
            return 0.0, FAILED
        digits -= exponent
    if digits > _DIGITS and digits - _leading_zeros_written(data, begin) > _DIGITS:
        return 0.0, FAILED
    if data[end] | 0x20 == _E:
        written, end = _exponent(data, end + 1)
        exponent += written
    result = _rounded(negative, number, exponent)
    return result, (end if result == result else FAILED)
