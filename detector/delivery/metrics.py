"""Prometheus metrics of delivery; labels are configured names, never client ids."""

import logging

from prometheus_client import CollectorRegistry, Counter, Gauge

_log = logging.getLogger(__name__)


class DeliveryMetrics:
    """Counters of one process, in the registry that its API exposes."""

    def __init__(self, registry: CollectorRegistry) -> None:
        """Register the metrics; a registry takes them once."""
        self.attempts = Counter(
            "querywatch_delivery_attempts",
            "Outbox messages handled, by destination and outcome"
            " (delivered, skipped, retried, given_up).",
            ["destination", "outcome"],
            registry=registry,
        )
        self.expired = Counter(
            "querywatch_delivery_expired",
            "Messages that are not sent any more: too old, or from before there was a destination.",
            ["level"],
            registry=registry,
        )
        self.disabled = Gauge(
            "querywatch_delivery_disabled",
            "1 while a destination is disabled because it answered 410 Gone.",
            ["destination"],
            registry=registry,
        )
        self.errors = Counter(
            "querywatch_delivery_store_errors",
            "Rounds of delivery, escalation or expiry that failed, by the database or unforeseen.",
            registry=registry,
        )

    def note_expired(self, level: int, number: int) -> None:
        """Count messages of a level that are not sent any more, and say so where there are any."""
        if number:
            self.expired.labels(str(level)).inc(number)
            _log.warning("%d messages of level %d expired unsent", number, level)
