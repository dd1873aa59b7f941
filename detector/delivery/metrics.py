"""Prometheus metrics of delivery; labels are configured names, never client ids."""

from prometheus_client import CollectorRegistry, Counter, Gauge


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
        self.disabled = Gauge(
            "querywatch_delivery_disabled",
            "1 while a destination is disabled because it answered 410 Gone.",
            ["destination"],
            registry=registry,
        )
        self.errors = Counter(
            "querywatch_delivery_store_errors",
            "Rounds of delivery or escalation that failed, by the database or unforeseen.",
            registry=registry,
        )
