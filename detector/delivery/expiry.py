"""Giving up what waits too long on levels that have no destination here."""

from collections.abc import Iterable
from datetime import datetime

from detector.delivery.metrics import DeliveryMetrics
from detector.delivery.service import Task
from detector.pipeline.outbox import expire_old
from detector.pipeline.ports import Transaction


def expiry(levels: Iterable[int], metrics: DeliveryMetrics) -> Task:
    """Return the task of giving up, on each of these levels, what is too old to be sent."""
    chosen = tuple(levels)

    def expire(transaction: Transaction, now: datetime) -> None:
        for level in chosen:
            metrics.note_expired(level, expire_old(transaction, level, now))

    return expire
