"""Delivery as a whole: a worker thread for each destination, and what happens by the clock."""

import logging
import threading
from collections import Counter
from collections.abc import Callable, Sequence
from datetime import datetime
from time import monotonic

from detector.delivery.destination import Destination
from detector.delivery.metrics import DeliveryMetrics
from detector.delivery.worker import DeliveryWorker
from detector.kit.clock import Clock
from detector.kit.errors import ConfigurationError, ConflictError, RecoverableError
from detector.pipeline.ports import Store, Transaction

_log = logging.getLogger(__name__)

Task = Callable[[Transaction, datetime], object]
"""A use case with its policy bound, such as escalation, which writes the next level's messages."""


class Timer:
    """Does a task again and again, each time in a transaction of its own."""

    def __init__(
        self,
        name: str,
        task: Task,
        store: Store,
        clock: Clock,
        metrics: DeliveryMetrics,
        interval_s: float = 10.0,
    ) -> None:
        """Do it every `interval_s` seconds, once `run`."""
        self.name = name
        self._task = task
        self._store = store
        self._clock = clock
        self._metrics = metrics
        self._interval_s = interval_s

    def run(self, stop: threading.Event) -> None:
        """Do the task until `stop` is set."""
        while not stop.is_set():
            self._round()
            stop.wait(self._interval_s)

    def tick(self) -> None:
        """Do the task once."""
        with self._store.transaction() as transaction:
            self._task(transaction, self._clock.now())

    def _round(self) -> None:
        try:
            self.tick()
        except ConflictError:
            # Somebody changed an incident meanwhile; the next round sees its new state.
            _log.info("%s met a concurrent change and looks again", self.name)
        except RecoverableError as error:
            self._metrics.errors.inc()
            _log.warning("%s waits for the database: %s", self.name, error)
        except Exception:
            # Nobody starts the thread again: one failure must not end it for good.
            self._metrics.errors.inc()
            _log.exception("%s failed and goes on", self.name)


class DeliveryService:
    """Runs workers and timers in daemon threads."""

    def __init__(self, workers: Sequence[DeliveryWorker], timers: Sequence[Timer]) -> None:
        """Start nothing yet."""
        self._stop = threading.Event()
        runs = [(f"delivery-{worker.name}", worker.run) for worker in workers]
        runs += [(timer.name, timer.run) for timer in timers]
        self._threads = [
            threading.Thread(target=run, args=(self._stop,), name=name, daemon=True)
            for name, run in runs
        ]

    def start(self) -> None:
        """Start the threads; once only."""
        for thread in self._threads:
            thread.start()

    def stop(self, timeout_s: float = 5.0) -> None:
        """Ask the threads to end and wait up to `timeout_s` for all of them together.

        A send that hangs longer is abandoned; its lease runs out and the message is sent again.
        """
        self._stop.set()
        until = monotonic() + timeout_s
        for thread in self._threads:
            thread.join(max(until - monotonic(), 0.0))

    def alive(self) -> bool:
        """Whether every thread still runs; a readiness probe."""
        return all(thread.is_alive() for thread in self._threads)


def require_distinct(destinations: Sequence[Destination]) -> None:
    """Raise `ConfigurationError` when two destinations share a level or a name.

    A message is settled once for its level, so a level has exactly one destination.
    """
    for attribute in ("level", "name"):
        counts = Counter(getattr(destination, attribute) for destination in destinations)
        repeated = [value for value, count in counts.items() if count > 1]
        if repeated:
            raise ConfigurationError(f"two destinations share the {attribute} {repeated[0]}")
