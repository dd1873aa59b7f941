"""Delivery as a whole: two levels, threads, a database that fails."""

import threading
from datetime import datetime, timedelta
from functools import partial

import pytest

from detector.delivery import service
from detector.delivery.service import DeliveryService, Timer, require_distinct
from detector.delivery.webhook import WebhookDestination
from detector.incidents.model import Severity
from detector.kit.errors import ConfigurationError, RecoverableError
from detector.pipeline.analyst import Analyst
from detector.pipeline.escalation import EscalationPolicy, escalate
from detector.pipeline.ports import Transaction
from tests.delivery.conftest import Post
from tests.delivery.receiver import receiving
from tests.fakes.store import FakeStore

POLICY = EscalationPolicy(Severity.MEDIUM, timedelta(minutes=15))


def timer(post: Post) -> Timer:
    use_case = partial(escalate, policy=POLICY)
    return Timer("escalation", use_case, post.store, post.clock, post.metrics, interval_s=0.02)


def test_second_level_is_told_when_nobody_acknowledges(post: Post) -> None:
    incident = post.open_incident()
    with receiving() as second:
        settings = post.settings(url=second.url, name="escalation", level=2)
        workers = [post.worker(), post.worker(WebhookDestination(settings))]
        post.clock.advance(minutes=16)
        running = DeliveryService(workers, [timer(post)])
        running.start()
        assert running.alive()
        assert post.receiver.arrived.acquire(timeout=20)
        assert second.arrived.acquire(timeout=20)
        running.stop()
        assert not running.alive()
        assert b'"incident.escalated"' in second.received[0].body
        assert len(second.received) == 1
    assert b'"incident.opened"' in post.receiver.received[0].body
    with post.store.transaction() as transaction:
        stored = transaction.incidents.get(incident.incident_id)
    assert stored is not None
    assert stored.escalation_level == 2


def test_acknowledged_incident_does_not_escalate(post: Post) -> None:
    incident = post.open_incident()
    with post.store.transaction() as transaction:
        Analyst(transaction, "alice", post.clock).acknowledge(incident.incident_id)
    post.clock.advance(hours=5)
    before = post.pending()
    timer(post).tick()
    assert post.pending() == before


def test_dead_destination_holds_up_no_other(post: Post) -> None:
    post.open_incident()
    post.clock.advance(minutes=16)
    timer(post).tick()
    post.receiver.gate.clear()
    with receiving() as second:
        settings = post.settings(url=second.url, name="escalation", level=2)
        workers = [post.worker(), post.worker(WebhookDestination(settings))]
        running = DeliveryService(workers, [])
        running.start()
        assert post.receiver.arrived.acquire(timeout=20)
        assert second.arrived.acquire(timeout=20)
        assert post.count("delivered") == 0
        post.receiver.gate.set()
        running.stop()
    assert post.count("delivered") == 1


@pytest.mark.parametrize(
    "failure", [RecoverableError("the database went away"), ZeroDivisionError("unforeseen")]
)
def test_threads_outlive_a_failing_store(
    post: Post, failure: Exception, caplog: pytest.LogCaptureFixture
) -> None:
    store = FakeStore()
    store.failure = failure
    broken = Post(store, post.clock, post.receiver)
    worker = broken.worker()
    running = DeliveryService([worker], [])
    running.start()
    broken.open_incident()
    assert post.receiver.arrived.acquire(timeout=20)
    running.stop()
    assert broken.errors() == 1
    assert str(failure) in caplog.text


def test_timer_outlives_what_nobody_expected(post: Post, caplog: pytest.LogCaptureFixture) -> None:
    rounds = threading.Semaphore(0)

    def surprising(transaction: Transaction, now: datetime) -> None:
        rounds.release()
        raise ZeroDivisionError("nobody thought of it")

    running = DeliveryService(
        [], [Timer("surprise", surprising, post.store, post.clock, post.metrics, interval_s=0.01)]
    )
    running.start()
    for _ in range(3):
        assert rounds.acquire(timeout=20)
    assert running.alive()
    running.stop()
    assert post.errors() >= 3
    assert "nobody thought of it" in caplog.text


def test_stopping_takes_no_longer_for_more_threads(
    post: Post, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A process has to be gone in time, however many receivers hang."""
    passed = 0.0

    class Hanging:
        def __init__(self, **_: object) -> None:
            """Never ends."""

        def join(self, timeout: float) -> None:
            nonlocal passed
            passed += timeout

    monkeypatch.setattr(service, "monotonic", lambda: passed)
    monkeypatch.setattr(threading, "Thread", Hanging)
    workers = [post.worker(), post.worker()]
    DeliveryService(workers, [timer(post)]).stop(timeout_s=5.0)
    assert passed == 5.0


def test_two_destinations_may_not_share_a_level_or_a_name(post: Post) -> None:
    first = WebhookDestination(post.settings())
    with pytest.raises(ConfigurationError, match="level 1"):
        require_distinct([first, WebhookDestination(post.settings(name="other"))])
    with pytest.raises(ConfigurationError, match="name webhook"):
        require_distinct([first, WebhookDestination(post.settings(level=2))])
    require_distinct([first, WebhookDestination(post.settings(name="other", level=2))])
