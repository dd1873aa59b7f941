"""A real SQLite store, a real receiver, and a worker between them."""

import base64
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from ipaddress import ip_network
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry

from detector.delivery.destination import Destination
from detector.delivery.guard import AddressPolicy
from detector.delivery.metrics import DeliveryMetrics
from detector.delivery.webhook import WebhookDestination, WebhookSettings
from detector.delivery.worker import DeliveryWorker, WorkerPolicy
from detector.incidents.model import Incident
from detector.pipeline.ports import OutboxMessage, Store
from detector.pipeline.triage import Triage, TriagePolicy
from detector.storage.store import open_store
from tests.delivery.receiver import Receiver, receiving
from tests.fakes.clock import SetClock
from tests.fakes.database import migrated_url
from tests.fakes.findings import finding

SECRET = "whsec_" + base64.b64encode(b"first secret, 32 bytes of length").decode()
LOOPBACK = AddressPolicy((ip_network("127.0.0.0/8"),))


@dataclass
class Post:
    """Everything between an incident and its receiver."""

    store: Store
    clock: SetClock
    receiver: Receiver
    registry: CollectorRegistry = field(default_factory=CollectorRegistry)

    def __post_init__(self) -> None:
        self.metrics = DeliveryMetrics(self.registry)

    def settings(self, **changes: object) -> WebhookSettings:
        plain = WebhookSettings(self.receiver.url, (SECRET,), addresses=LOOPBACK)
        return replace(plain, **changes)  # type: ignore[arg-type]

    def worker(self, destination: Destination | None = None, **policy: object) -> DeliveryWorker:
        to = destination or WebhookDestination(self.settings())
        chosen = WorkerPolicy(seed=1, idle_s=0.02, **policy)  # type: ignore[arg-type]
        return DeliveryWorker(to, self.store, self.clock, self.metrics, chosen)

    def open_incident(self, client_id: str = "key-4711") -> Incident:
        with self.store.transaction() as transaction:
            triage = Triage(TriagePolicy(), self.clock)
            return triage.apply(transaction, [finding(client_id)])[0].incident

    def pending(self) -> int:
        with self.store.transaction() as transaction:
            return transaction.outbox.pending()

    def put(self, message: OutboxMessage) -> None:
        with self.store.transaction() as transaction:
            transaction.outbox.put([message])

    def count(self, outcome: str, destination: str = "webhook") -> float:
        labels = {"destination": destination, "outcome": outcome}
        return self.registry.get_sample_value("querywatch_delivery_attempts_total", labels) or 0

    def errors(self) -> float:
        return self.registry.get_sample_value("querywatch_delivery_store_errors_total") or 0


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as running:
        yield running


@pytest.fixture
def post(tmp_path: Path, receiver: Receiver) -> Iterator[Post]:
    store = open_store(migrated_url(tmp_path))
    try:
        yield Post(store, SetClock(), receiver)
    finally:
        store.close()


@pytest.fixture
def secret() -> Callable[[bytes], str]:
    """A function from 24 to 64 bytes to a `whsec_…` secret."""
    return lambda key: "whsec_" + base64.b64encode(key).decode()
