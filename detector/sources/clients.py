"""Which client library reads Kafka."""

from typing import Final

from detector.kit.errors import ConfigurationError
from detector.pipeline.source import Source
from detector.sources.kafka import KafkaSettings, KafkaSource

KAFKA_PYTHON: Final = "kafka-python"
LIBRDKAFKA: Final = "librdkafka"
KAFKA_CLIENTS: Final = (KAFKA_PYTHON, LIBRDKAFKA)


def open_kafka_source(client: str, settings: KafkaSettings) -> Source:
    """Return a member of the group that reads by that client, one of `KAFKA_CLIENTS`.

    Raises:
        ConfigurationError: when there is no such client or it is not installed.
        RecoverableError: when no broker answers.
    """
    if client == KAFKA_PYTHON:
        return KafkaSource(settings)
    if client != LIBRDKAFKA:
        raise ConfigurationError(f"Kafka client: one of {', '.join(KAFKA_CLIENTS)}, not {client}")
    try:
        from detector.sources.librdkafka import LibrdkafkaSource
    except ImportError as error:
        raise ConfigurationError(
            "the Kafka client librdkafka needs confluent-kafka; "
            "install querywatch[librdkafka] or set the client to kafka-python"
        ) from error
    return LibrdkafkaSource(settings)
