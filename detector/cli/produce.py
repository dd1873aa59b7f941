"""`querywatch produce`: a log file into the topic."""

from collections import deque
from typing import Annotated, Any

import typer

from detector.cli.console import progress, results
from detector.cli.options import QUIET, with_settings
from detector.config import Settings
from detector.events.decode import Decoder
from detector.events.record import Record
from detector.kit.errors import DecodeError, RecoverableError
from detector.pipeline.copies import client_bytes

FLUSH_SECONDS = 60.0
_SHARED = ("bootstrap_servers", "security_protocol", "sasl_", "ssl_")
"""Beginnings of the options that a producer shares with a consumer."""


@with_settings("kafka", defaults=QUIET)
def produce(
    settings: Settings,
    logs: Annotated[
        list[str] | None,
        typer.Argument(metavar="[LOG...]", help="Log files; the demo's log when none is named."),
    ] = None,
) -> None:
    """Send log files to the topic, keyed by client, and wait until the broker has them all."""
    from kafka.errors import KafkaError

    try:
        sent = _send(settings, logs or [_demo_log()])
    except KafkaError as error:
        raise RecoverableError(f"Kafka: {error}") from error
    results().print(f"{sent:,} records sent to {settings.kafka_topic}.", markup=False)


def _demo_log() -> str:
    from detector.evaluation.demo_data import log_path

    return str(log_path())


def _send(settings: Settings, names: list[str]) -> int:
    from kafka import KafkaProducer

    from detector import bootstrap
    from detector.sources.kafka_target import require_topic

    kafka = bootstrap.kafka_settings(settings)
    require_topic(kafka, settings.kafka_topic)
    options = kafka.consumer_options()
    shared = {name: value for name, value in options.items() if name.startswith(_SHARED)}
    producer = KafkaProducer(compression_type="zstd", **shared)
    # Without a clock: who an event is of does not hang on whether its time is believed.
    decoder, sent = Decoder(), 0
    # Those that the broker has not answered; the producer's buffer bounds how many there are.
    waiting: deque[Any] = deque()
    try:
        with progress("Sending") as advance:
            for records in bootstrap.file_records(names, advance):
                for record in records:
                    key = _key(record, decoder)
                    waiting.append(producer.send(settings.kafka_topic, record.value, key=key))
                sent += len(records)
                while waiting and waiting[0].is_done:
                    waiting.popleft().get()
            producer.flush(timeout=FLUSH_SECONDS)
        for future in waiting:
            future.get(timeout=FLUSH_SECONDS)
    finally:
        producer.close(timeout=FLUSH_SECONDS)
    return sent


def _key(record: Record, decoder: Decoder) -> bytes | None:
    """The client, so that one client's queries keep their order in one partition.

    None of what is no event: as a dead letter that is mended, it gets its client's key.
    """
    try:
        return client_bytes(decoder.decode(record))
    except DecodeError:
        return None
