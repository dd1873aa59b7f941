"""What is not sent any more: what is old, and what is from before there was a destination."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from threading import Event

import pytest
from prometheus_client import CollectorRegistry
from sqlalchemy import create_engine, text

from detector.bootstrap_serving import delivery
from detector.config import Settings
from detector.delivery.expiry import expiry
from detector.delivery.schedule import RetrySchedule
from detector.delivery.service import Timer
from detector.pipeline.outbox import LONGEST_WAIT
from tests.delivery.conftest import Post
from tests.delivery.receiver import Answer


def expired(post: Post, level: str = "1") -> float:
    name = "querywatch_delivery_expired_total"
    return post.registry.get_sample_value(name, {"level": level}) or 0


def told(post: Post) -> list[str]:
    """Clients of whom the receiver has heard, in order."""
    found = []
    for received in post.receiver.received:
        found += [name for name in (b"before", b"start", b"after") if name in received.body]
    return [name.decode() for name in found]


def test_a_first_destination_is_told_what_happens_from_then_on(
    post: Post, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """With an hour's grace, as who finds and who tells are started one by one."""
    post.open_incident("before")
    post.clock.advance(days=1)
    post.open_incident("start")
    post.clock.advance(minutes=10)
    worker = post.worker()
    assert worker.deliver_due() == 1
    post.open_incident("after")
    assert worker.deliver_due() == 1
    assert told(post) == ["start", "after"]
    assert (post.pending(), expired(post)) == (0, 1)
    assert "1 messages of level 1 expired unsent" in caplog.text
    engine = create_engine(f"sqlite:///{tmp_path}/querywatch.db")
    with engine.connect() as connection:
        kept = connection.execute(
            text("SELECT last_error, attempts FROM outbox WHERE given_up_at IS NOT NULL")
        ).all()
    engine.dispose()
    assert kept == [("from before there was a destination", 0)]


def test_what_waits_for_a_process_that_is_away_is_sent_when_it_is_back(post: Post) -> None:
    post.worker().deliver_due()
    post.clock.advance(days=30)
    post.open_incident("before")
    post.clock.advance(days=2)
    post.open_incident("after")
    post.clock.advance(days=2, seconds=1)
    assert post.worker().deliver_due() == 1
    assert (told(post), expired(post)) == (["after"], 1)


def test_what_nobody_takes_does_not_wait_for_ever(post: Post) -> None:
    task = expiry((1, 2), post.metrics)
    timer = Timer("expiry", task, post.store, post.clock, post.metrics)
    post.open_incident()
    post.clock.advance(days=3)
    timer.tick()
    assert (post.pending(), expired(post)) == (1, 0)
    post.clock.advance(days=2)
    timer.tick()
    assert (post.pending(), expired(post), expired(post, "2")) == (0, 1, 0)


def test_what_a_disabled_destination_leaves_does_not_wait_for_ever(post: Post) -> None:
    post.receiver.answers = [Answer(410)]
    post.open_incident("before")
    post.open_incident("after")
    worker = post.worker()
    worker.deliver_due()
    assert post.pending() == 1
    post.clock.advance(days=5)
    assert worker.deliver_due() == 0
    assert (post.pending(), expired(post)) == (0, 1)


def test_all_attempts_are_made_before_a_message_is_old() -> None:
    schedule = RetrySchedule()
    longest = timedelta(seconds=sum(schedule.delays_s) * (1 + schedule.jitter))
    assert longest < LONGEST_WAIT


@pytest.mark.parametrize("configured", [True, False])
def test_a_process_gives_up_what_it_has_no_destination_for(
    post: Post, tmp_path: Path, configured: bool
) -> None:
    """An installation that is given no webhook at all, and one whose webhook others serve."""
    post.clock.time = datetime.now(UTC) - timedelta(days=5)
    post.open_incident()
    registry = CollectorRegistry()
    secrets = post.settings().secrets if configured else ()
    url = "http://192.0.2.1/hook" if configured else None
    service = delivery(Settings(webhook_url=url, webhook_secrets=secrets), post.store, registry)
    service.start()
    try:
        for _ in range(500):
            if post.pending() == 0:
                break
            Event().wait(0.02)
    finally:
        service.stop()
    assert post.pending() == 0
    name = "querywatch_delivery_expired_total"
    assert registry.get_sample_value(name, {"level": "1"}) == 1
