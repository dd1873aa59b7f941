"""Numbers read by the compiled reader: correctly rounded, or left to the decoder."""

import math
import struct
from decimal import Decimal

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from detector.events.batch import NUMBER_LIMIT
from tests.events.flat_oracle import agree, bits

START = b'{"event_id":"e","time":1,"client_id":"c","model_id":"m","output":{"scores":['
SIGNS = st.sampled_from(["", "-"])
WHOLE = st.integers(0, 10**19).map(str)
PART = st.text("0123456789", max_size=20).map(lambda digits: f".{digits}" if digits else "")
POWER = st.one_of(st.just(""), st.integers(-350, 320).map(lambda n: f"e{n}"))
WRITTEN = st.tuples(SIGNS, WHOLE, PART, POWER).map("".join)


def read(number: str) -> float | None:
    """The number as a score, None where it is left; where it is taken the decoder agrees."""
    rows = agree([START + number.encode() + b",0]}}"])
    return float(rows.scores[0, 0]) if rows.taken[0] else None


def same(got: float | None, meant: float) -> bool:
    clipped = min(max(meant, -NUMBER_LIMIT), NUMBER_LIMIT)
    return got is not None and struct.pack("d", got) == struct.pack("d", clipped)


@settings(deadline=None, max_examples=500)
@given(st.floats(min_value=-1e29, max_value=1e29, allow_subnormal=False))
@example(2.2250738585072014e-308)
@example(9007199254740993.0)
@example(5e-324 * 2**52)
def test_every_double_as_python_writes_it_comes_back(number: float) -> None:
    assert same(read(repr(number)), number)


@settings(deadline=None, max_examples=1000)
@given(WRITTEN)
def test_whatever_is_taken_is_the_nearest_double(text: str) -> None:
    got = read(text)
    meant = 0.0 if text == "-0" else float(text)
    assert got is None or same(got, meant)
    digits = len(text.split("e")[0].replace(".", "").lstrip("-0"))
    if digits <= 15 and 1e-300 < abs(meant) < 1e300 and "e-3" not in text and "." in text:
        assert got is not None


@settings(deadline=None, max_examples=300)
@given(st.integers(2**52, 2**53 - 1), st.integers(-4, 6))
def test_halfway_cases_go_to_the_even_neighbour(mantissa: int, power: int) -> None:
    """Those that 19 digits write: the exact middle, and what lies beside it by one digit."""
    middle = Decimal(2 * mantissa + 1) * Decimal(2) ** power
    text = f"{middle:f}" if power < 0 else f"{middle}e0"
    assert len(text) > 20 or same(read(text), float(text))
    for beside in (middle.next_plus(), middle.next_minus()):
        got = read(f"{beside}")
        assert got is None or same(got, float(f"{beside}"))


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("0", 0.0), ("-0", 0.0), ("0.0", 0.0), ("-0.0", -0.0), ("0e5", 0.0), ("-0e0", -0.0),
        ("0.000e-999", 0.0), ("9007199254740992", 2.0**53), ("-9007199254740992", -(2.0**53)),
        ("9007199254740993.0", 2.0**53), ("1e23", 1e23), ("8.5e22", 8.5e22), ("1E+2", 100.0),
        ("0.1234567890123456789", 0.12345678901234568), ("1e0", 1.0), ("1e-0", 1.0),
        ("0.00012345678901234567", 0.00012345678901234567), ("12345678.125", 12345678.125),
        ("999999999999999999.0", 1e18), ("9999999999999999999e0", 1e19), ("1e022", 1e22),
        ("1.7976931348623157e308", NUMBER_LIMIT), ("-1e308", -NUMBER_LIMIT),
    ],
)  # fmt: skip
def test_these_are_taken(text: str, value: float) -> None:
    assert same(read(text), value)


@pytest.mark.parametrize(
    "text",
    [
        "", "-", "+1", "01", "-01", "00", "00.5", "1.", ".5", "-.5", "1.e5", "1e", "1e+", "1e-",
        "e5", "1e5.5", "1.5.5", "1,", "--1", "1-", "0x10", "1_0", "NaN", "Infinity", "-Infinity",
        "1e309", "1.7976931348623159e308", "-1e400", "1e99999", "5e-324", "2.2250738585072011e-308",
        "1e-400", "9007199254740993", "12345678901234567890", "1.2345678901234567890", "1e00005",
        "1\0", "1 2", "\u0661", "1f", "null", "true", '"1"',
    ],
)  # fmt: skip
def test_these_are_left(text: str) -> None:
    assert read(text) is None


@pytest.mark.parametrize("value", [math.pi, -math.e, 1 / 3])
@pytest.mark.parametrize("digits", range(1, 20))
def test_any_count_of_digits_is_read(value: float, digits: int) -> None:
    text = f"{value:.{digits - 1}e}"
    assert same(read(text), float(text))
    text = f"{value:.{digits}f}"
    assert digits > 18 or same(read(text), float(text))


def test_features_and_scores_are_read_alike() -> None:
    numbers = b"1.5,-2e-3,0.1,1e22,0.30000000000000004"
    whole = START.replace(b'"output":{"scores"', b'"input":{"features"') + numbers + b"]}}"
    rows = agree([whole])
    assert bits(rows.cells) == bits(agree([START + numbers + b"]}}"]).scores[0, :5])
