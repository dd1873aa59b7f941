"""What a run of the loop did."""

from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime

from detector.kit.metrics import StreamMetrics
from detector.pipeline.process import Outcome


@dataclass(slots=True)
class Stats:
    """Counts of stored work since `started_at`; grows while the loop runs.

    Attributes:
        started_at: When the loop began, UTC.
        events: Events whose effects are stored.
        rejected: Dead letters stored, by reason.
        clients: Clients held in detection's state.
        seconds: Wall-clock seconds from the beginning to the latest stored batch.
    """

    started_at: datetime
    events: int = 0
    rejected: Counter[str] = field(default_factory=Counter)
    clients: int = 0
    seconds: float = 0.0

    def stored(self, outcome: Outcome, clients: int, now: datetime) -> None:
        """Count a batch whose transaction committed."""
        self.events += outcome.events
        self.rejected.update(outcome.rejected)
        self.clients = clients
        self.seconds = (now - self.started_at).total_seconds()


def report(metrics: StreamMetrics, outcome: Outcome, clients: int, seconds: float) -> None:
    """Show the same batch to Prometheus."""
    metrics.events.inc(outcome.events)
    for reason, count in outcome.rejected.items():
        metrics.rejected.labels(reason).inc(count)
    metrics.repeated.inc(outcome.repeated)
    metrics.unknown_fields.inc(outcome.unknown_fields)
    metrics.drifts.inc(outcome.drifts)
    metrics.unmatched.inc(outcome.unmatched)
    if outcome.last_event_ms is not None:
        metrics.last_event_time.set(outcome.last_event_ms / 1000)
    metrics.clients.set(clients)
    metrics.batch_seconds.observe(seconds)
