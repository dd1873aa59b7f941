"""A compiled reader of times as text: the common forms of RFC 3339."""

from typing import Any

import numpy as np

from detector.events.decimal import FAILED, read_digits
from detector.kit.compiled import compiled

_QUOTE, _POINT, _DASH, _PLUS, _COLON, _T, _Z, _ZERO = (ord(c) for c in '".-+:TZ0')
_LENGTHS = np.array([31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31])
_NONE = -(10**6)
_DAY = 24 * 60
_EPOCH = 719_468  # days from the 1st of March of the year 0 to that of January 1970
_MICROSECOND = 6  # digits behind the point
_SCALES = np.array([10 ** (_MICROSECOND - n) for n in range(_MICROSECOND + 1)])


@compiled
def _pair(data: Any, at: int, least: int, most: int) -> Any:
    """The number of two digits at `at`, far below zero unless it lies between the two bounds."""
    tens, ones = np.int64(data[at]) - _ZERO, np.int64(data[at + 1]) - _ZERO
    number = 10 * tens + ones
    sound = 0 <= tens <= 9 and 0 <= ones <= 9 and least <= number <= most
    return number if sound else _NONE


@compiled
def _days(data: Any, at: int) -> Any:
    """Days from the epoch to the date `YYYY-MM-DD`, or far below zero."""
    year = 100 * _pair(data, at, 10, 98) + _pair(data, at + 2, 0, 99)
    month = _pair(data, at + 5, 1, 12)
    if year < 0 or month < 0 or data[at + 4] != _DASH or data[at + 7] != _DASH:
        return _NONE
    leap = year % 4 == 0 and (year % 100 != 0 or year % 400 == 0)
    day = _pair(data, at + 8, 1, _LENGTHS[month - 1] + (leap and month == 2))
    # Years that begin in March have the leap day last.
    years, months = year - (month <= 2), (month + 9) % 12
    days = 365 * years + years // 4 - years // 100 + years // 400 + (153 * months + 2) // 5
    return days + day - 1 - _EPOCH if day > 0 else _NONE


@compiled
def _minutes(data: Any, at: int) -> Any:
    """Minutes of `HH:MM`, or far below zero."""
    minutes = 60 * _pair(data, at, 0, 23) + _pair(data, at + 3, 0, 59)
    return minutes if data[at + 2] == _COLON else _NONE


@compiled
def _offset(data: Any, at: int) -> Any:
    """Minutes that an offset lies before UTC, far below zero for none; and where it ends."""
    if data[at] == _Z:
        return 0, at + 1
    if data[at] != _PLUS and data[at] != _DASH:
        return _NONE, at
    minutes = _minutes(data, at + 1)
    return (-minutes if data[at] == _PLUS and minutes >= 0 else minutes), at + 6


@compiled
def read_time(data: Any, at: int) -> Any:
    """Return UTC milliseconds of the time from `at` on, and where its quote stands, or `FAILED`.

    `data` is a pointer to bytes, 24 of them behind the text's quote. A text is read when it is
    `YYYY-MM-DDTHH:MM:SS` with up to six more digits behind a point and `Z` or an offset as
    `+HH:MM`, in the years 1000 to 9899; finer digits than milliseconds are cut off.
    """
    days, minutes, seconds = _days(data, at), _minutes(data, at + 11), _pair(data, at + 17, 0, 59)
    marked = data[at + 10] == _T and data[at + 16] == _COLON
    if not marked or seconds < 0 or minutes < 0 or days == _NONE:
        return 0, FAILED
    micros, at = np.int64(0), at + 19
    if data[at] == _POINT:
        fraction, end = read_digits(data, at + 1, np.uint64(0))
        digits = end - at - 1
        if digits == 0 or digits > _MICROSECOND:
            return 0, FAILED
        micros, at = np.int64(fraction) * _SCALES[digits], end
    offset, at = _offset(data, at)
    if offset < -_DAY or data[at] != _QUOTE:
        return 0, FAILED
    return ((days * _DAY + minutes + offset) * 60 + seconds) * 1000 + micros // 1000, at
