"""A Kafka topic as what records are copied to: in order, each confirmed by all replicas."""

import time
from collections.abc import Sequence
from contextlib import closing
from threading import Event
from typing import Any

from kafka import KafkaAdminClient, KafkaProducer
from kafka.admin import ConfigResource, ConfigResourceType
from kafka.errors import KafkaError, KafkaTimeoutError, MessageSizeTooLargeError

from detector.events.place import place_text
from detector.events.record import Position
from detector.kit.errors import ConfigurationError, RecoverableError
from detector.pipeline.copies import Copy
from detector.sources.kafka import KafkaSettings
from detector.sources.kafka_client import translated

WRITE_SECONDS = 90.0
"""How long a write may take before it counts as failed."""

_SLICE_SECONDS = 0.25
_STOP_SECONDS = 4.0
_SHARED = ("bootstrap_servers", "client_id", "security_protocol", "sasl_", "ssl_")
_SIZE_NAME = "max.message.bytes"
_FRAME_BYTES = 1 << 10


class KafkaTarget:
    """An idempotent producer into one topic. Only one thread may use it.

    Of one partition, a later record is never written without the earlier one: one request is in
    flight, none expires, and a record that the topic would refuse for its size is refused here
    before it, and what follows, is sent. Readers that drop repeats rest on that.

    Args:
        settings: How to reach the brokers.
        topic: Where to write.
        stop: When set, a write that takes longer is given up.

    Raises:
        ConfigurationError: when the topic does not exist, or the brokers refuse the credentials.
        RecoverableError: when no broker answers.
    """

    def __init__(self, settings: KafkaSettings, topic: str, stop: Event | None = None) -> None:
        shared = _shared(settings)
        self._topic = topic
        self._stop = stop or Event()
        with translated():
            most = _largest_batch(shared, topic)
            self._producer = KafkaProducer(
                **shared,
                acks="all",
                enable_idempotence=True,
                max_in_flight_requests_per_connection=1,
                delivery_timeout_ms=24 * 3600 * 1000,
                max_request_size=most - _FRAME_BYTES,
                batch_size=min(most - _FRAME_BYTES, 1 << 18),
                linger_ms=5,
                compression_type="zstd",
                allow_auto_create_topics=False,
            )
        self._most = most

    def write(self, copies: Sequence[Copy]) -> Sequence[str]:
        """Write in order and wait for the confirmation of all; see `pipeline.copies.Target`.

        After an error nothing more may be written by this object.
        """
        try:
            futures = [self._send(copy) for copy in copies]
            self._flush()
            found = [future.get(timeout=0) for future in futures]
        except MessageSizeTooLargeError as error:
            raise ConfigurationError(
                f"{self._topic}: a record is too large for the topic, which takes {self._most} "
                f"bytes; raise its {_SIZE_NAME} ({error})"
            ) from error
        except KafkaError as error:
            raise RecoverableError(f"{self._topic}: not written: {error}") from error
        return [place_text(Position(m.topic, m.partition, m.offset)) for m in found]

    def _send(self, copy: Copy) -> Any:
        future = self._producer.send(
            self._topic,
            copy.value,
            key=copy.key,
            headers=list(copy.headers),
            timestamp_ms=copy.timestamp_ms,
        )
        # Some refusals come as a future that has failed already; nothing may go behind them.
        if future.failed():
            raise future.exception
        return future

    def _flush(self) -> None:
        """Wait in slices, so that a stop is noticed."""
        until = time.monotonic() + WRITE_SECONDS
        while True:
            try:
                self._producer.flush(timeout=_SLICE_SECONDS)
                return
            except KafkaTimeoutError:
                if self._stop.is_set():
                    until = min(until, time.monotonic() + _STOP_SECONDS)
                if time.monotonic() > until:
                    raise

    def close(self) -> None:
        """Give up what is not written yet and disconnect."""
        try:
            self._producer.close(timeout=0)
        except KafkaTimeoutError:
            return


def require_topic(settings: KafkaSettings, topic: str, *, make: bool = True) -> None:
    """Raise `ConfigurationError` when there is no such topic, with `make` saying how to make it."""
    shared = _shared(settings)
    with translated(), closing(KafkaAdminClient(**shared)) as admin:
        _require(admin, shared, topic, make=make)


def _shared(settings: KafkaSettings) -> dict[str, Any]:
    """The options that producers and administrators have in common with consumers."""
    options = settings.consumer_options()
    return {name: value for name, value in options.items() if name.startswith(_SHARED)}


def _require(
    admin: KafkaAdminClient, shared: dict[str, Any], topic: str, *, make: bool = True
) -> None:
    if any(found.get("partitions") for found in admin.describe_topics([topic])):
        return
    advice = (
        f"; create it: kafka-topics.sh --bootstrap-server {shared['bootstrap_servers'][0]}"
        f" --create --topic {topic} --partitions N"
    )
    raise ConfigurationError(f"there is no topic {topic}{advice if make else ''}")


def _largest_batch(shared: dict[str, Any], topic: str) -> int:
    """Return the largest batch that the topic takes, bytes; it must be there."""
    with closing(KafkaAdminClient(**shared)) as admin:
        _require(admin, shared, topic)
        resource = ConfigResource(ConfigResourceType.TOPIC, topic, [_SIZE_NAME])
        configs = admin.describe_configs([resource], config_filter="all")
        return int(configs["topic"][topic][_SIZE_NAME]["value"])
