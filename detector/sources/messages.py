"""What librdkafka hands out, as records."""

from collections.abc import Sequence
from typing import Any

import msgspec
from confluent_kafka import Message

from detector.events.reasons import Reason
from detector.events.record import Fault, Partition, Record
from detector.events.records import NO_TIME, Records


def records_of(partition: Partition, messages: Sequence[Any]) -> Records:
    """Return the records of messages of one partition, in order and without an error."""
    records = Records.packed(
        partition,
        [message.offset() for message in messages],
        [time_ms if kind else NO_TIME for kind, time_ms in map(Message.timestamp, messages)],
        map(Message.key, messages),
        map(Message.value, messages),
    )
    if _any_headers(messages):
        return Records.of(list(map(_with_headers, records, messages)))
    return records


def _any_headers(messages: Sequence[Any]) -> bool:
    try:
        return any(map(Message.headers, messages))
    except UnicodeDecodeError:
        return True


def _with_headers(record: Record, message: Any) -> Record:
    try:
        headers: Any = message.headers() or ()
    except UnicodeDecodeError as error:
        size = len(record.value or b"")
        fault = Fault(Reason.NOT_UTF8, f"the name of a header: {error}", size)
        return msgspec.structs.replace(record, fault=fault)
    named = tuple((name, body or b"") for name, body in headers)
    return msgspec.structs.replace(record, headers=named)
