"""The long-running processes put together from parts: reading, serving, delivering."""

import logging
import threading
import time

from prometheus_client import CollectorRegistry

from detector import bootstrap, bootstrap_copies
from detector.cli.supervise import Part, supervise
from detector.config import Settings
from detector.kit.errors import RecoverableError
from detector.kit.memory import settle_garbage_collector
from detector.kit.metrics import StreamMetrics
from detector.pipeline.keys import KeyWatch
from detector.pipeline.ports import Store

_log = logging.getLogger(__name__)
FIRST_WAIT_SECONDS, LONGEST_WAIT_SECONDS = 1.0, 15.0


def work(settings: Settings, *, reading: bool, serving: bool, migrate: bool) -> None:
    """Read the topic, serve the API with delivery, or both, until told to stop."""
    if serving:
        # Who only reads the topic loads no web framework.
        from detector.cli.serving import require_key, serving_parts

        require_key(settings)
    store = _open(settings, migrate=migrate, patient=reading)
    stop, registry = threading.Event(), CollectorRegistry()
    try:
        parts = [_reading(settings, store, registry, stop)] if reading else []
        parts += serving_parts(settings, store, registry, stop) if serving else []
        supervise(parts, stop)
    finally:
        store.close()


def _open(settings: Settings, *, migrate: bool, patient: bool) -> Store:
    """Open the database; who reads the log waits for it, as it would later on."""
    wait = FIRST_WAIT_SECONDS
    while True:
        try:
            return bootstrap.open_database(settings, upgrade=migrate)
        except RecoverableError as error:
            if not patient:
                raise
            _log.warning("trying again in %.0f s: %s", wait, error)
        time.sleep(wait)
        wait = min(2 * wait, LONGEST_WAIT_SECONDS)


def _reading(
    settings: Settings, store: Store, registry: CollectorRegistry, stop: threading.Event
) -> Part:
    metrics = StreamMetrics(registry)

    # The Kafka client is made in the thread that uses it; a broker that is away is waited for.
    def read() -> None:
        keys = _key_watch(settings, metrics, stop)
        if keys is None:
            return
        loop = bootstrap.kafka_loop(settings, store, metrics, stop, keys)
        settle_garbage_collector()
        loop.run()

    return Part("stream", read, stop.set)


def _key_watch(
    settings: Settings, metrics: StreamMetrics, stop: threading.Event
) -> KeyWatch | None:
    """Measure how the topic is keyed as soon as a broker answers; None once a stop came first."""
    wait = FIRST_WAIT_SECONDS
    while not stop.is_set():
        try:
            return bootstrap_copies.key_watch(settings, metrics)
        except RecoverableError as error:
            _log.warning("trying again in %.0f s: %s", wait, error)
        stop.wait(wait)
        wait = min(2 * wait, LONGEST_WAIT_SECONDS)
    return None
