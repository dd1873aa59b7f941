"""How a real topic is keyed is found out before it is read."""

from collections.abc import Callable
from contextlib import closing

import pytest
from kafka import KafkaAdminClient, KafkaProducer
from prometheus_client import CollectorRegistry

from detector import bootstrap_copies
from detector.config import Settings
from detector.kit.errors import ConfigurationError
from detector.kit.metrics import StreamMetrics
from detector.sources.kafka import KafkaSettings
from detector.sources.sample import latest_records

CreateTopic = Callable[..., str]
EVENT = b'{"event_id":"e%d","time":1767225600000,"client_id":"client-%d","model_id":"churn"}'


def fill(bootstrap: str, topic: str, count: int, key: Callable[[int], bytes | None]) -> None:
    with closing(KafkaProducer(bootstrap_servers=bootstrap)) as producer:
        for n in range(count):
            producer.send(topic, EVENT % (n, n % 100), key=key(n % 100), partition=n % 4)
        producer.flush()


def watch(bootstrap: str, topic: str, unkeyed: str = "refuse") -> None:
    settings = Settings(
        kafka_bootstrap_servers=(bootstrap,), kafka_topic=topic, kafka_unkeyed=unkeyed
    )
    bootstrap_copies.key_watch(settings, StreamMetrics(CollectorRegistry()))


def test_the_ends_of_all_partitions_are_sampled_in_no_group(
    kafka_bootstrap: str, create_topic: CreateTopic
) -> None:
    topic = create_topic(partitions=4)
    fill(kafka_bootstrap, topic, 4_000, lambda client: None)
    settings = KafkaSettings((kafka_bootstrap,), (topic,), group="nobody")
    sample = latest_records(settings, 100)
    assert sample.partitions == 4
    places = {(r.position.partition, r.position.offset) for r in sample.records}
    assert {(number, at) for number in range(4) for at in range(975, 1000)} <= places
    with closing(KafkaAdminClient(bootstrap_servers=kafka_bootstrap)) as admin:
        assert "nobody" not in str(admin.list_groups())


def test_an_empty_or_missing_topic_is_fine(kafka_bootstrap: str, create_topic: CreateTopic) -> None:
    for topic in (create_topic(partitions=3), "no-such-topic"):
        sample = latest_records(KafkaSettings((kafka_bootstrap,), (topic,)))
        assert sample.records == []
        watch(kafka_bootstrap, topic)


def test_a_topic_that_is_not_keyed_by_client_is_refused_and_may_be_allowed(
    kafka_bootstrap: str, create_topic: CreateTopic, caplog: pytest.LogCaptureFixture
) -> None:
    topic = create_topic(partitions=4)
    fill(kafka_bootstrap, topic, 1_000, lambda client: None)
    with pytest.raises(ConfigurationError, match="querywatch rekey --from") as refused:
        watch(kafka_bootstrap, topic)
    assert "0.0% of 1,000 events" in str(refused.value)
    assert "--unkeyed" in str(refused.value)
    watch(kafka_bootstrap, topic, unkeyed="allow")
    assert "not keyed by client" in caplog.text


def test_a_keyed_topic_is_read(kafka_bootstrap: str, create_topic: CreateTopic) -> None:
    topic = create_topic(partitions=4)
    fill(kafka_bootstrap, topic, 1_000, lambda client: b"%d" % client)
    watch(kafka_bootstrap, topic)
