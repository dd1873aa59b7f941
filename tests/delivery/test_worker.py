"""Failures of a receiver, and of the worker itself."""

import random
import threading
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest

from detector.delivery.destination import DestinationGoneError, Notification
from detector.delivery.schedule import RetrySchedule
from detector.delivery.webhook import WebhookDestination, retry_after_s
from detector.incidents.model import Severity
from detector.pipeline.analyst import Analyst
from detector.pipeline.triage import notification
from tests.delivery.conftest import Post
from tests.delivery.receiver import Answer
from tests.fakes.store import FakeStore


class KilledError(BaseException):
    """Stands for the death of the process: nothing catches it."""


class DiesAfterSending:
    """Sends for real, then the process dies before the message is marked."""

    def __init__(self, real: WebhookDestination) -> None:
        self.real = real
        self.name, self.level = real.name, real.level
        self.min_severity, self.send_timeout_s = real.min_severity, real.send_timeout_s

    def send(self, notification: Notification, at: datetime) -> None:
        self.real.send(notification, at)
        raise KilledError


def test_failure_is_tried_again_under_the_same_id(post: Post) -> None:
    post.receiver.answers = [Answer(500)]
    post.open_incident()
    worker = post.worker()
    worker.deliver_due()
    assert (post.pending(), post.count("retried")) == (1, 1)
    assert worker.deliver_due() == 0, "not before its time"
    post.clock.advance(seconds=6)
    worker.deliver_due()
    first, second = post.receiver.received
    assert first.message_id == second.message_id
    assert (post.pending(), post.count("delivered")) == (0, 1)


@pytest.mark.parametrize("form", ["seconds", "date"])
def test_retry_after_is_honoured(post: Post, form: str) -> None:
    date = format_datetime(post.clock.now() + timedelta(seconds=900), usegmt=True)
    asked = {"Retry-After": "900" if form == "seconds" else date}
    post.receiver.answers = [Answer(503, asked)]
    post.open_incident()
    worker = post.worker()
    worker.deliver_due()
    post.clock.advance(seconds=890)
    assert worker.deliver_due() == 0
    post.clock.advance(seconds=11)
    assert worker.deliver_due() == 1
    assert post.pending() == 0


def test_redirect_is_a_failure_and_is_not_followed(post: Post) -> None:
    post.receiver.answers = [Answer(302, {"Location": post.receiver.url})]
    post.open_incident()
    post.worker().deliver_due()
    assert len(post.receiver.received) == 1
    assert (post.pending(), post.count("retried")) == (1, 1)


def test_gone_gives_up_and_leaves_the_rest_for_the_next_start(post: Post) -> None:
    post.receiver.answers = [Answer(410)]
    post.open_incident("a")
    post.open_incident("b")
    worker = post.worker()
    worker.deliver_due()
    post.clock.advance(days=1)
    assert worker.deliver_due() == 0
    assert (len(post.receiver.received), post.pending(), post.count("given_up")) == (1, 1, 1)
    disabled = post.registry.get_sample_value(
        "querywatch_delivery_disabled", {"destination": "webhook"}
    )
    assert disabled == 1
    assert post.worker().deliver_due() == 1
    assert post.pending() == 0


def test_silent_receiver_times_out(post: Post) -> None:
    post.receiver.gate.clear()
    post.open_incident()
    post.worker(WebhookDestination(post.settings(read_timeout_s=0.1))).deliver_due()
    assert (post.pending(), post.count("retried")) == (1, 1)


def test_refused_connection_is_retried(post: Post) -> None:
    post.receiver.server.socket.close()
    post.open_incident()
    post.worker().deliver_due()
    assert (post.pending(), post.count("retried")) == (1, 1)


def test_receiver_that_stays_down_gets_the_whole_schedule_and_is_then_given_up(post: Post) -> None:
    schedule = RetrySchedule()
    post.receiver.answers = [Answer(500) for _ in schedule.delays_s]
    post.open_incident()
    worker = post.worker()
    for delay in schedule.delays_s:
        post.clock.advance(seconds=delay * 1.1 + 1)
        assert worker.deliver_due() == 1
    post.clock.advance(days=30)
    assert worker.deliver_due() == 0
    assert len({received.message_id for received in post.receiver.received}) == 1
    assert len(post.receiver.received) == 10
    assert (post.pending(), post.count("retried"), post.count("given_up")) == (0, 9, 1)


def test_death_between_send_and_mark_repeats_the_message(post: Post) -> None:
    post.open_incident()
    dying = DiesAfterSending(WebhookDestination(post.settings()))
    with pytest.raises(KilledError):
        post.worker(dying).deliver_due()
    assert post.pending() == 1
    successor = post.worker()
    assert successor.deliver_due() == 0, "the dead worker's lease still runs"
    post.clock.advance(hours=1)
    assert successor.deliver_due() == 1
    first, second = post.receiver.received
    assert first.message_id == second.message_id
    assert post.pending() == 0


def test_message_that_would_outlive_its_lease_is_left_alone(post: Post) -> None:
    class Slow(DiesAfterSending):
        def send(self, notification: Notification, at: datetime) -> None:
            self.real.send(notification, at)
            post.clock.advance(hours=1)

    post.open_incident("a")
    post.open_incident("b")
    worker = post.worker(Slow(WebhookDestination(post.settings())))
    assert worker.deliver_due() == 1
    assert post.pending() == 1


def test_incident_below_the_floor_is_settled_unsent(post: Post) -> None:
    incident = post.open_incident()
    with post.store.transaction() as transaction:
        analyst = Analyst(transaction, "alice", post.clock)
        analyst.override_severity(incident.incident_id, Severity.MEDIUM)
    settings = post.settings(min_severity=Severity.HIGH)
    post.worker(WebhookDestination(settings)).deliver_due()
    assert (post.receiver.received, post.pending(), post.count("skipped")) == ([], 0, 1)


def test_message_of_no_incident_is_given_up(post: Post) -> None:
    message = notification(post.open_incident(), "incident.opened", 1, post.clock.now())
    empty = Post(FakeStore(), post.clock, post.receiver)
    empty.put(message)
    empty.worker().deliver_due()
    assert (empty.pending(), empty.count("given_up"), post.receiver.received) == (0, 1, [])


def test_gone_is_told_apart_from_other_failures(post: Post) -> None:
    post.receiver.answers = [Answer(410)]
    incident = post.open_incident()
    message = notification(incident, "incident.opened", 1, post.clock.now())
    with pytest.raises(DestinationGoneError):
        WebhookDestination(post.settings()).send(Notification(message, incident), post.clock.now())


def test_thread_delivers_and_stops(post: Post) -> None:
    stop = threading.Event()
    thread = threading.Thread(target=post.worker().run, args=(stop,))
    thread.start()
    post.open_incident()
    assert post.receiver.arrived.acquire(timeout=20)
    stop.set()
    thread.join(20)
    assert not thread.is_alive()
    assert post.count("delivered") == 1


def test_message_that_goes_wrong_unexpectedly_holds_up_no_other(
    post: Post, caplog: pytest.LogCaptureFixture
) -> None:
    class Surprising(DiesAfterSending):
        def send(self, notification: Notification, at: datetime) -> None:
            if notification.incident.client_id == "a":
                raise ZeroDivisionError("nobody thought of it")
            self.real.send(notification, at)

    post.open_incident("a")
    post.open_incident("b")
    worker = post.worker(Surprising(WebhookDestination(post.settings())))
    assert worker.deliver_due() == 2
    assert (post.count("delivered"), post.count("retried"), post.errors()) == (1, 1, 1)
    assert "nobody thought of it" in caplog.text
    for delay in RetrySchedule().delays_s:
        post.clock.advance(seconds=delay * 1.1 + 1)
        worker.deliver_due()
    assert (post.count("given_up"), post.pending()) == (1, 0)


def test_url_that_the_client_refuses_is_a_failed_delivery(post: Post) -> None:
    post.open_incident()
    settings = post.settings(url="http://receiver.example/\x7f")
    post.worker(WebhookDestination(settings)).deliver_due()
    assert (post.pending(), post.count("retried")) == (1, 1)


@pytest.mark.parametrize("value", ["9" * 5000, "Fri, 31 Dec 9999 23:59:59 -2359"])
def test_retry_after_of_any_size_is_bounded_by_the_schedule(value: str) -> None:
    asked = retry_after_s(value, datetime(2026, 1, 1, tzinfo=UTC))
    assert RetrySchedule().delay(1, asked, random.Random(7)) == timedelta(hours=24)


@pytest.mark.parametrize(
    "value",
    [
        "soon",
        "-5",
        "1.5e9",
        "",
        "Mon, 01 Jan 99999999999999999999 00:00:00 GMT",
        "Mon, 01 Jan 2024 00:00:00 +99999999999999999999",
        "Mon, 01 Jan 2024 00:00:00 +2400",
    ],
)
def test_invalid_retry_after_is_ignored(value: str) -> None:
    assert retry_after_s(value, datetime(2026, 1, 1, tzinfo=UTC)) is None


def test_delay_is_never_shortened_and_never_endless() -> None:
    schedule, rng = RetrySchedule(), random.Random(7)
    for attempts, base in enumerate(schedule.delays_s[1:], start=1):
        wait = schedule.delay(attempts, None, rng)
        assert wait is not None
        assert base <= wait.total_seconds() <= base * 1.1
    assert schedule.delay(1, 10**9, rng) == timedelta(hours=24)
    assert schedule.delay(10, None, rng) is None
