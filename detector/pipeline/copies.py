"""Records as they are written to a log again: under which key, with which headers."""

from collections.abc import Sequence
from typing import NamedTuple, Protocol

from detector.events.model import PredictionEvent
from detector.events.place import OWN_HEADERS, REPLAY_HEADER, SOURCE_HEADER, place_header
from detector.events.record import Record


class Copy(NamedTuple):
    """A record to be written; `timestamp_ms` None takes the time of writing."""

    key: bytes
    value: bytes | None
    headers: tuple[tuple[str, bytes], ...]
    timestamp_ms: int | None


class Target(Protocol):
    """What records are copied to."""

    def write(self, copies: Sequence[Copy]) -> Sequence[str]:
        """Write in order; returns where each stands, once all of them are kept for good.

        Raises `RecoverableError` when that is in doubt: they may be written again.
        """
        ...


def client_bytes(event: PredictionEvent) -> bytes:
    """The key under which all events of a client meet: its id, behind the tenant if there is one.

    Two clients that share a key share a partition, which harms nothing.
    """
    name = f"{event.tenant_id}/{event.client_id}" if event.tenant_id else event.client_id
    return name.encode()


def rekeyed(record: Record, event: PredictionEvent | None) -> Copy:
    """A record keyed by its client and marked with its source.

    What does not decode (`event` None) keeps its key, or goes by its place when it has none.
    """
    place = place_header(record.position)
    key = client_bytes(event) if event is not None else record.key or place
    stamp = record.timestamp_ms
    return Copy(
        key,
        record.value,
        (*_foreign_headers(record), (SOURCE_HEADER, place)),
        None if stamp is None or stamp < 0 else stamp,
    )


def replayed(record: Record, event: PredictionEvent) -> Copy:
    """A dead letter's record, to stand where its client's others do, marked with its place.

    It keeps its key, unless it has none or was rekeyed: then its client was not known, and is now.
    It is written with the time of writing: under its own, it might expire before it is read.
    """
    was_rekeyed = any(name == SOURCE_HEADER for name, _ in record.headers)
    key = client_bytes(event) if was_rekeyed or record.key is None else record.key
    headers = (*_foreign_headers(record), (REPLAY_HEADER, place_header(record.position)))
    return Copy(key, record.value, headers, None)


def _foreign_headers(record: Record) -> tuple[tuple[str, bytes], ...]:
    return tuple(header for header in record.headers if header[0] not in OWN_HEADERS)
