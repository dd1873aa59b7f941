"""The settings of a Kafka reader in librdkafka's words."""

from typing import Any

from detector.sources.kafka import KafkaSettings

# What is fetched ahead in all partitions together; librdkafka's own default is 64 MiB.
_QUEUED_KIB = 16 << 10
# A full queue asks again after this; after the default, a second, a fast reader stands still.
_QUEUE_BACKOFF_MS = 5
_FRAMING_BYTES = 512


def consumer_options(settings: KafkaSettings) -> dict[str, Any]:
    """Return librdkafka's options, with what correctness needs."""
    options = {
        "bootstrap.servers": ",".join(settings.bootstrap_servers),
        "group.id": settings.group,
        "group.instance.id": settings.group_instance_id,
        "client.id": "querywatch",
        "enable.auto.commit": False,
        "enable.auto.offset.store": False,
        # A position that the log does not hold is to be told.
        "auto.offset.reset": "error",
        "allow.auto.create.topics": False,
        "isolation.level": "read_committed",
        "partition.assignment.strategy": "cooperative-sticky",
        "topic.metadata.refresh.interval.ms": 30_000,
        "session.timeout.ms": settings.session_timeout_ms,
        "heartbeat.interval.ms": min(3_000, settings.session_timeout_ms // 3),
        "max.poll.interval.ms": settings.max_poll_interval_ms,
        "fetch.max.bytes": settings.fetch_max_bytes,
        "max.partition.fetch.bytes": settings.max_partition_fetch_bytes,
        "fetch.wait.max.ms": settings.fetch_max_wait_ms,
        # Off by default, and the only thing that notices damage.
        "check.crcs": True,
        "queued.max.messages.kbytes": _QUEUED_KIB,
        "fetch.queue.backoff.ms": _QUEUE_BACKOFF_MS,
        # Bounds what zstd may expand to as well.
        "receive.message.max.bytes": max(
            settings.max_batch_bytes, settings.fetch_max_bytes + _FRAMING_BYTES
        ),
        "security.protocol": settings.security_protocol,
        "sasl.mechanism": settings.sasl_mechanism,
        "sasl.username": settings.sasl_username,
        "sasl.password": settings.sasl_password,
        "ssl.ca.location": settings.ssl_cafile,
        "ssl.certificate.location": settings.ssl_certfile,
        "ssl.key.location": settings.ssl_keyfile,
        "ssl.key.password": settings.ssl_key_password,
        "ssl.endpoint.identification.algorithm": "https" if settings.ssl_check_hostname else "none",
    }
    return {name: value for name, value in options.items() if value is not None}
