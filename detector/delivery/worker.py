"""The outbox worker: leases messages of one level, sends the incident as it is now, settles.

The order is: lease (committed) → read the incident → send → mark (committed). A process that dies
between send and mark leaves the lease to run out, and the message goes out again under the same
id: at least once, never not at all. Each destination has a worker and a thread of its own, so a
destination that hangs delays no other.
"""

import logging
import random
import threading
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from detector.delivery.destination import (
    DeliveryError,
    Destination,
    DestinationGoneError,
    Notification,
)
from detector.delivery.metrics import DeliveryMetrics
from detector.delivery.schedule import RetrySchedule
from detector.incidents.model import Incident
from detector.kit.clock import Clock
from detector.kit.errors import RecoverableError
from detector.pipeline.outbox import expire_served
from detector.pipeline.ports import OutboxMessage, Store

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class WorkerPolicy:
    """How a worker goes about it.

    Attributes:
        schedule: Waiting times between attempts.
        batch: Messages leased at a time.
        idle_s: Seconds between looks at an empty outbox.
        seed: Of the jitter; None takes the operating system's randomness.
    """

    schedule: RetrySchedule = field(default_factory=RetrySchedule)
    batch: int = 20
    idle_s: float = 1.0
    seed: int | None = None


class DeliveryWorker:
    """Serves one destination until told to stop."""

    def __init__(
        self,
        destination: Destination,
        store: Store,
        clock: Clock,
        metrics: DeliveryMetrics,
        policy: WorkerPolicy | None = None,
    ) -> None:
        """Nothing runs before `run` or `deliver_due`."""
        self._destination = destination
        self._store = store
        self._clock = clock
        self._metrics = metrics
        self._policy = policy or WorkerPolicy()
        self._rng = random.Random(self._policy.seed)  # noqa: S311  (jitter is no secret)
        self._gone = threading.Event()
        metrics.disabled.labels(destination.name).set(0)

    @property
    def name(self) -> str:
        """The destination's name."""
        return self._destination.name

    def run(self, stop: threading.Event) -> None:
        """Deliver until `stop` is set; a message being sent is finished first."""
        while not stop.is_set():
            if self._round(stop) == 0:
                stop.wait(self._policy.idle_s)

    def deliver_due(self, stop: threading.Event | None = None) -> int:
        """Send what is due, one batch; returns how many messages were settled.

        Raises `RecoverableError` when the database fails; what was leased comes back by itself.
        """
        until = self._now() + self._send_time() * (self._policy.batch + 1)
        settled = 0
        for message in self._leased(until):
            # A send that could outlive its lease is left to whoever leases it next.
            out_of_time = self._now() + self._send_time() > until
            if out_of_time or self._gone.is_set() or (stop is not None and stop.is_set()):
                break
            self._attempt(message)
            settled += 1
        return settled

    def _leased(self, until: datetime) -> Sequence[OutboxMessage]:
        """What is due, leased, once what is not to be sent any more was given up."""
        now, level = self._now(), self._destination.level
        with self._store.transaction() as transaction:
            expired = expire_served(transaction, level, now)
            leased: Sequence[OutboxMessage] = ()
            if not self._gone.is_set():
                leased = transaction.outbox.lease(now, until, self._policy.batch, level)
        self._metrics.note_expired(level, expired)
        return leased

    def _round(self, stop: threading.Event) -> int:
        try:
            return self.deliver_due(stop)
        except RecoverableError as error:
            self._metrics.errors.inc()
            _log.warning("delivery to %s waits for the database: %s", self.name, error)
            return 0
        except Exception:
            # Nobody starts the thread again: one failure must not end delivery for good.
            self._metrics.errors.inc()
            _log.exception("delivery to %s failed and goes on", self.name)
            return 0

    def _attempt(self, message: OutboxMessage) -> None:
        try:
            self._deliver(message)
        except RecoverableError:
            raise
        except Exception as error:
            # One that always goes wrong would keep those leased with it from ever going out.
            self._metrics.errors.inc()
            _log.exception("delivery to %s failed for %s", self.name, message.message_id)
            self._failed(message, DeliveryError(f"unexpected {type(error).__name__}"))

    def _deliver(self, message: OutboxMessage) -> None:
        with self._store.transaction() as transaction:
            incident = transaction.incidents.get(message.incident_id)
        if incident is None:
            self._give_up(message, "the incident does not exist any more")
        elif self._below_floor(incident):
            self._mark(message, "skipped")
        else:
            self._send(message, incident)

    def _send(self, message: OutboxMessage, incident: Incident) -> None:
        try:
            self._destination.send(Notification(message, incident), self._now())
        except DeliveryError as error:
            self._failed(message, error)
        except DestinationGoneError as error:
            self._disable()
            self._give_up(message, str(error))
        else:
            self._mark(message, "delivered")

    def _failed(self, message: OutboxMessage, error: DeliveryError) -> None:
        delay = self._policy.schedule.delay(message.attempts + 1, error.retry_after_s, self._rng)
        if delay is None:
            self._give_up(message, str(error))
            return
        due_at = self._now() + delay
        with self._store.transaction() as transaction:
            transaction.outbox.retry(message.message_id, due_at, str(error))
        self._count("retried")
        _log.warning("%s failed for %s: %s", self.name, message.message_id, error)

    def _mark(self, message: OutboxMessage, outcome: str) -> None:
        with self._store.transaction() as transaction:
            transaction.outbox.delivered(message.message_id, self._now())
        self._count(outcome)

    def _give_up(self, message: OutboxMessage, error: str) -> None:
        with self._store.transaction() as transaction:
            transaction.outbox.give_up(message.message_id, self._now(), error)
        self._count("given_up")
        _log.error("%s gives %s up: %s", self.name, message.message_id, error)

    def _disable(self) -> None:
        # The rest of its messages wait in the outbox; a restart tries the destination again.
        self._gone.set()
        self._metrics.disabled.labels(self.name).set(1)
        _log.error("%s answered 410 Gone and is disabled until the next start", self.name)

    def _below_floor(self, incident: Incident) -> bool:
        return incident.severity.rank < self._destination.min_severity.rank

    def _send_time(self) -> timedelta:
        return timedelta(seconds=self._destination.send_timeout_s)

    def _now(self) -> datetime:
        return self._clock.now()

    def _count(self, outcome: str) -> None:
        self._metrics.attempts.labels(self.name, outcome).inc()
