"""What counts as keyed by client, whatever the number of clients."""

import random
from collections.abc import Callable

import msgspec
import pytest
from prometheus_client import CollectorRegistry

from detector.events.located import LocatedEvent
from detector.events.model import ClientKey, PredictionEvent
from detector.events.record import Position, Record
from detector.kit.metrics import StreamMetrics
from detector.pipeline.keys import KeyPurity, KeyWatch, unkeyed

CHANCE = random.Random(3)
KEYS: dict[str, tuple[Callable[[str], bytes | None], bool]] = {
    "the client": (lambda client: client.encode(), True),
    "the tenant": (lambda client: b"acme", True),
    "some of the client": (lambda client: client[-1:].encode(), True),
    "nothing": (lambda client: None, False),
    "anything": (lambda client: b"%d" % CHANCE.randrange(8), False),
    "the client, or nothing": (
        lambda client: client.encode() if CHANCE.random() < 0.9 else None, False,
    ),
}  # fmt: skip


def batch(
    clients: list[str], key: Callable[[str], bytes | None]
) -> tuple[list[Record], list[LocatedEvent]]:
    """Records of these clients at every second offset, and their events but each seventh."""
    records = [
        Record(Position("t", 0, 2 * n), b"", key(client)) for n, client in enumerate(clients)
    ]
    events = [
        LocatedEvent(
            record.position,
            PredictionEvent(event_id="e", time_ms=0, client_id=client, model_id="m"),
        )
        for n, (record, client) in enumerate(zip(records, clients, strict=True))
        if n % 7
    ]
    return records, events


def ids(count: int, events: int) -> list[str]:
    return [f"client-{CHANCE.randrange(count)}" for _ in range(events)]


@pytest.mark.parametrize("name", KEYS)
@pytest.mark.parametrize("stride", [1, 64])
def test_keys_that_keep_a_client_together_are_pure(name: str, stride: int) -> None:
    key, pure = KEYS[name]
    purity = KeyPurity(8, stride=stride)
    for _ in range(20):
        purity.observe(*batch(ids(300, 2_000), key))
    assert purity.is_pure is pure
    assert (purity.share == 1.0) is pure


@pytest.mark.parametrize("name", KEYS)
def test_one_partition_needs_no_key(name: str) -> None:
    purity = KeyPurity(1, stride=1)
    purity.observe(*batch(ids(300, 5_000), KEYS[name][0]))
    assert purity.share == 1.0


def test_a_topic_that_gets_a_second_partition_needs_keys_from_then_on() -> None:
    purity = KeyPurity(1, stride=1)
    records, events = batch(ids(300, 2_000), lambda client: None)
    purity.observe(records, events)
    assert purity.share == 1.0
    elsewhere = [
        msgspec.structs.replace(each, position=each.position._replace(partition=1))
        for each in records
    ]
    for _ in range(9):
        purity.observe(elsewhere, events)
    assert not purity.is_pure


def test_few_events_say_nothing() -> None:
    purity = KeyPurity(8, stride=1)
    assert purity.is_pure
    purity.observe(*batch(ids(3, 200), lambda client: None))
    assert purity.events < 200
    assert purity.is_pure


def test_a_sample_of_many_clients_measures_as_all_would() -> None:
    whole, sampled = KeyPurity(8, 100_000), KeyPurity(8, 500)
    for client in ids(4_000, 12_000):
        key = b"a" if CHANCE.random() < 0.7 else b"b"
        for purity in (whole, sampled):
            purity.see(ClientKey("", "m", client), key)
    assert sampled.share == pytest.approx(whole.share, abs=0.1)
    assert len(sampled._first) <= 500


def test_the_example_names_nobody() -> None:
    purity = KeyPurity(8, stride=1)
    turn = iter(range(10_000))
    purity.observe(*batch(["ana@example.org"] * 500, lambda client: b"key-%d" % next(turn)))
    said = unkeyed(purity)
    assert purity.clash is not None
    assert purity.clash.client in said
    assert "ana" not in said
    assert "key-" not in said


def test_a_topic_that_stops_being_keyed_is_said_once(caplog: pytest.LogCaptureFixture) -> None:
    registry = CollectorRegistry()
    watch = KeyWatch(KeyPurity(8, stride=1), StreamMetrics(registry))
    for key in ("the client", "nothing", "nothing"):
        watch.observe(*batch(ids(50, 500), KEYS[key][0]))
    share = registry.get_sample_value("querywatch_key_purity")
    assert share is not None
    assert share < 0.99
    assert caplog.text.count("not keyed by client") == 1
