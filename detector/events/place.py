"""A position of the log as text, `topic/partition/offset`, and the headers that carry one."""

import re

from detector.events.record import Position, Record

SOURCE_HEADER = "querywatch-source"
"""Where a record stood in the topic that it was copied from; set by `querywatch rekey`."""

REPLAY_HEADER = "querywatch-replay"
"""Where the dead letter stood that was sent again; set by `querywatch dlq replay`."""

OWN_HEADERS = frozenset({SOURCE_HEADER, REPLAY_HEADER})

_NUMBER = r"(0|[1-9][0-9]{0,18})"
_ARGUMENT = re.compile(rf"(.+)(?:/{_NUMBER}/{_NUMBER}|:{_NUMBER}:{_NUMBER})", re.DOTALL)
_HEADER = re.compile(rf"([A-Za-z0-9._-]{{1,249}})/{_NUMBER}/{_NUMBER}".encode())
_PARTITIONS, _OFFSETS = 1 << 31, 1 << 63


def place_text(position: Position) -> str:
    """`topic/partition/offset`."""
    return f"{position.topic}/{position.partition}/{position.offset}"


def place_header(position: Position) -> bytes:
    """The same as a header's value."""
    return place_text(position).encode()


def parse_place(text: str) -> Position | None:
    """The position that a person wrote, with slashes or with colons; None when it is none.

    The topic may be the path of a log file, with slashes and colons of its own.
    """
    match = _ARGUMENT.fullmatch(text)
    if match is None:
        return None
    partition, offset = match[2] or match[4], match[3] or match[5]
    return _position(match[1], int(partition), int(offset))


def header_place(record: Record, name: str) -> Position | None:
    """The position in the record's header of that name.

    None when there is no such header, more than one, or one that is not exactly the name of a
    Kafka topic and two numbers: what cannot be believed must not make a record disappear.
    """
    values = [value for header, value in record.headers if header == name]
    match = _HEADER.fullmatch(values[0]) if len(values) == 1 else None
    if match is None:
        return None
    return _position(match[1].decode(), int(match[2]), int(match[3]))


def _position(topic: str, partition: int, offset: int) -> Position | None:
    if partition >= _PARTITIONS or offset >= _OFFSETS:
        return None
    return Position(topic, partition, offset)
