import pytest

from detector.events.record import Partition
from detector.sources.membership import Membership, steps

ONE, TWO = Partition("log", 0), Partition("log", 1)


def test_a_wait_is_taken_in_short_steps_and_at_least_one() -> None:
    assert list(steps(0.0)) == [0.0]
    assert list(steps(-1.0)) == [0.0]
    assert list(steps(0.03)) == [pytest.approx(0.03, abs=0.01)]
    assert all(0.0 <= step <= 0.2 for step in steps(0.5))


def test_gifts_and_takings_are_changes_until_they_are_taken_out() -> None:
    membership = Membership()
    assert not membership.changed()
    membership.given([ONE, TWO])
    assert membership.changed()
    assert membership.changes() == ((ONE, TWO), ())
    assert not membership.changed()
    membership.taken([ONE])
    assert membership.changed()
    assert membership.changes() == ((), (ONE,))


def test_what_is_taken_and_given_back_is_in_both() -> None:
    membership = Membership()
    membership.given([TWO])
    membership.taken([TWO])
    membership.given([TWO])
    assert membership.changes() == ((TWO,), (TWO,))
