"""Polls that fail on their way cost no record, whichever client reads."""

from collections.abc import Callable
from typing import Any

import pytest
from confluent_kafka import KafkaError, KafkaException
from kafka.errors import KafkaConnectionError

from detector.events.record import Record
from detector.kit.errors import RecoverableError
from detector.pipeline.source import Source
from detector.sources import kafka, librdkafka, one_place
from detector.sources.clients import KAFKA_PYTHON, LIBRDKAFKA
from detector.sources.codecs import Codec
from tests.sources.conformance import assigned, read, values
from tests.sources.crafted import bomb, plain, send_batches
from tests.sources.test_kafka import CreateTopic, opened_by, produce, settings

ERRORS: dict[str, Callable[[], Exception]] = {
    KAFKA_PYTHON: lambda: KafkaConnectionError("gone"),
    LIBRDKAFKA: lambda: KafkaException(KafkaError(KafkaError._TRANSPORT)),
}
RECORDS = 3_000


class Flaky:
    """A client of which every third call that fetches fails."""

    def __init__(self, client: Any, error: Callable[[], Exception]) -> None:
        self._client, self._error, self.calls = client, error, 0

    def __getattr__(self, name: str) -> Any:
        real = getattr(self._client, name)
        if name not in ("poll", "consume"):
            return real

        def fetch(*arguments: Any) -> Any:
            self.calls += 1
            if self.calls % 3 == 0:
                raise self._error()
            return real(*arguments)

        return fetch


def patiently(source: Source, count: int) -> list[Record]:
    records: list[Record] = []
    for _ in range(2_000):
        try:
            records += source.poll(70, 0.05).records
        except RecoverableError:
            continue
        if len(records) >= count:
            break
    return records


@pytest.mark.parametrize("client", list(ERRORS))
def test_a_broker_that_is_away_again_and_again_costs_no_record(
    kafka_bootstrap: str, create_topic: CreateTopic, monkeypatch: pytest.MonkeyPatch, client: str
) -> None:
    # So that the polls that only keep the membership fail too.
    monkeypatch.setattr(kafka, "_STAY_S", 0.0)
    topic = create_topic()
    bodies = [b"%d" % n for n in range(RECORDS)]
    produce(kafka_bootstrap, topic, bodies)
    with opened_by(client, settings(kafka_bootstrap, topic)) as source:
        source.start(assigned(source), None)
        owner: Any = source
        owner._consumer = Flaky(owner._consumer, ERRORS[client])
        assert values(patiently(source, RECORDS)) == bodies
        assert owner._consumer.calls > 30


def test_what_stands_beside_a_batch_that_cannot_be_read_yet_comes_in_order(
    kafka_bootstrap: str, create_topic: CreateTopic, monkeypatch: pytest.MonkeyPatch
) -> None:
    real, failures = one_place.read_at, [RecoverableError("away")] * 2

    def read_at(*arguments: Any) -> Any:
        if failures:
            raise failures.pop()
        return real(*arguments)

    monkeypatch.setattr(librdkafka, "read_at", read_at)
    topic = create_topic()
    send_batches(kafka_bootstrap, topic, plain(b"before"), bomb(Codec.ZSTD, 40), plain(b"after"))
    with opened_by(LIBRDKAFKA, settings(kafka_bootstrap, topic)) as source:
        source.start(assigned(source), None)
        first, spoilt, last = read(source, 3)
    assert not failures
    assert first.value == b"before"
    assert spoilt.fault is not None
    assert last.value == b"after"
