"""`querywatch produce`: a log file into the topic."""

from collections import deque
from typing import Annotated, Any

import msgspec
import typer

from detector.cli.console import progress, results
from detector.cli.options import QUIET, with_settings
from detector.config import Settings
from detector.events.record import Record
from detector.kit.errors import RecoverableError

FLUSH_SECONDS = 60.0
_SHARED = ("bootstrap_servers", "security_protocol", "sasl_", "ssl_")
"""Beginnings of the options that a producer shares with a consumer."""


class _Keyed(msgspec.Struct):
    """As much of a record as its key needs."""

    client_id: str = ""


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

    options = bootstrap.kafka_settings(settings).consumer_options()
    shared = {name: value for name, value in options.items() if name.startswith(_SHARED)}
    producer = KafkaProducer(compression_type="zstd", **shared)
    sent = 0
    # Those that the broker has not answered; the producer's buffer bounds how many there are.
    waiting: deque[Any] = deque()
    try:
        with progress("Sending") as advance:
            for records in bootstrap.file_records(names, advance):
                for record in records:
                    future = producer.send(settings.kafka_topic, record.value, key=_key(record))
                    waiting.append(future)
                sent += len(records)
                while waiting and waiting[0].is_done:
                    waiting.popleft().get()
            producer.flush(timeout=FLUSH_SECONDS)
        for future in waiting:
            future.get(timeout=FLUSH_SECONDS)
    finally:
        producer.close(timeout=FLUSH_SECONDS)
    return sent


def _key(record: Record) -> bytes:
    """The client, so that one client's queries keep their order in one partition."""
    try:
        return msgspec.json.decode(record.value or b"", type=_Keyed).client_id.encode()
    except msgspec.DecodeError:
        return b""
