"""Which notifications are still sent: what happened since there is a destination, and lately.

Without these bounds all that an installation without a destination ever had to tell would go out
at once when it gets one, and what nobody can take would wait for ever.
"""

from datetime import datetime, timedelta

from detector.pipeline.ports import Transaction

BEFORE_FIRST = timedelta(hours=1)
"""So much earlier than a destination is first seen counts too: processes start one by one."""

LONGEST_WAIT = timedelta(days=4)
"""Longer than all attempts of a delivery together take, and than a long weekend."""


def told_from(transaction: Transaction, level: int, now: datetime) -> datetime:
    """Return from when on things are told to a level, of which there is a destination now."""
    return transaction.outbox.serve(level, now) - BEFORE_FIRST


def expire_served(transaction: Transaction, level: int, now: datetime) -> int:
    """Give up what a level's destination is not to be told any more; returns how many."""
    first = told_from(transaction, level, now)
    reason = "from before there was a destination"
    early = transaction.outbox.expire(level, first, now, reason)
    return early + expire_old(transaction, level, now)


def expire_old(transaction: Transaction, level: int, now: datetime) -> int:
    """Give up what has waited on a level for too long; returns how many."""
    reason = f"not sent for {LONGEST_WAIT.days} days"
    return transaction.outbox.expire(level, now - LONGEST_WAIT, now, reason)
