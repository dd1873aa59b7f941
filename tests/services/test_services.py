"""The servers that other tests rest on answer, and start empty."""

from collections.abc import Callable

from kafka import KafkaConsumer, KafkaProducer, TopicPartition
from sqlalchemy import create_engine, inspect, text


def test_kafka_keeps_what_it_is_given(
    kafka_bootstrap: str, create_topic: Callable[..., str]
) -> None:
    topic = create_topic(partitions=2)
    producer = KafkaProducer(bootstrap_servers=kafka_bootstrap)
    producer.send(topic, b"hello", partition=1).get(timeout=30)
    producer.close()
    consumer = KafkaConsumer(bootstrap_servers=kafka_bootstrap, auto_offset_reset="earliest")
    consumer.assign([TopicPartition(topic, 1)])
    [records] = consumer.poll(timeout_ms=30_000).values()
    consumer.close()
    assert [record.value for record in records] == [b"hello"]


def test_each_postgres_database_is_empty_and_writable(postgres_database_url: str) -> None:
    engine = create_engine(postgres_database_url)
    assert inspect(engine).get_table_names() == []
    with engine.begin() as connection:
        connection.execute(text("CREATE TABLE thing (name text)"))
    assert inspect(engine).get_table_names() == ["thing"]
    engine.dispose()
