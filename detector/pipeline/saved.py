"""Detection's state as bytes: what a snapshot holds, sealed against damage.

A snapshot is a header and parts. The header says what there is; a part holds some rows of a table,
a suspect's surrogate or events that a model is learning from. A snapshot need not repeat the parts
of the ones before it: of what several parts speak of, the latest stands.
"""

import hashlib
from collections.abc import Iterable, Iterator

import msgspec
import zstandard

from detector.events.model import PredictionEvent
from detector.events.record import Position
from detector.features.rows import Tally
from detector.features.state import ClientTable
from detector.kit.errors import QuerywatchError
from detector.pipeline.duplicates import SavedCopies
from detector.reference.client_days import DAY_WIDTH
from detector.reference.drift import SavedDrift
from detector.scoring.clients import SavedRows
from detector.scoring.evidence import VERDICT, WIDTH
from detector.scoring.fidelity import SavedSuspect
from detector.scoring.signs import SIGNS

STATE_VERSION = 3
"""Raise it when the same bytes would mean something else: what was saved before is learnt anew."""
_LEVEL = 1
_SEAL = 16
_LARGEST = 1 << 28


class SavedStateError(QuerywatchError):
    """A snapshot cannot be used: damaged, or of another version."""


class SavedWatch(msgspec.Struct, frozen=True):
    """What is saved of one model beside its parts.

    Attributes:
        tenant_id: The model's tenant.
        model_id: The model.
        reference: Digest of the reference in force, None while there is none.
        fields: Names of the input fields known, in column order.
        classes: Label codes of the score columns, in order.
        names: Names of the folded columns.
        width: Their number.
        capacity: Rows of the client table.
        tally: Counts over the life of the rows.
        flood_ids: As `FloodMonitor.ids`.
        flood_told: As `FloodMonitor.told`.
        suspects: Who is followed by a surrogate, in order.
        drift: The drift monitor, where there is a reference.
        added: How many fields each client gave a column, where there is none.
    """

    tenant_id: str
    model_id: str
    reference: str | None
    fields: list[str]
    classes: list[int]
    names: list[str]
    width: int
    capacity: int
    tally: Tally
    flood_ids: int
    flood_told: int
    suspects: list[str]
    drift: SavedDrift | None
    added: dict[str, int]


class SavedSurrogate(msgspec.Struct, frozen=True, tag="surrogate"):
    """A suspect of one model."""

    tenant_id: str
    model_id: str
    suspect: SavedSuspect


class SavedLearning(msgspec.Struct, frozen=True):
    """How far a model without a reference has come; its events stand in parts.

    Attributes:
        tenant_id: The model's tenant.
        model_id: The model.
        counts: Events collected of each client.
        left_out: Clients that teach nothing.
    """

    tenant_id: str
    model_id: str
    counts: dict[str, int]
    left_out: list[str]


class SavedEvents(msgspec.Struct, frozen=True, tag="events"):
    """Events that a model is learning from.

    They take the place of all from number `first` on, so that the same part twice is one: a
    snapshot is written again when nobody knows whether its commit came through.
    """

    tenant_id: str
    model_id: str
    first: int
    events: list[tuple[Position, PredictionEvent]]


SavedPart = SavedRows | SavedSurrogate | SavedEvents


class SavedState(msgspec.Struct, frozen=True):
    """The header: everything of a partition that is not in parts.

    Attributes:
        version: `STATE_VERSION` of who wrote it.
        layout: What the rows look like.
        watches: The models.
        learning: Those of them without a reference.
        copies: What the partition has seen of records that were written again.
    """

    version: int
    layout: str
    watches: list[SavedWatch]
    learning: list[SavedLearning]
    copies: SavedCopies


def layout() -> str:
    """Return what this version's rows look like."""
    signs = " ".join(sign.name for sign in SIGNS)
    text = f"{ClientTable.layout()} {WIDTH} {VERDICT} {DAY_WIDTH} {signs}"
    return hashlib.blake2b(text.encode(), digest_size=_SEAL).hexdigest()


# Rows that came as float32 are arrays.
_encode = msgspec.msgpack.Encoder(enc_hook=list).encode
_read_header = msgspec.msgpack.Decoder(SavedState).decode
_read_part = msgspec.msgpack.Decoder(SavedRows | SavedSurrogate | SavedEvents).decode


def seal(item: SavedState | SavedPart) -> bytes:
    """Return an item as compressed bytes behind their BLAKE2b digest."""
    body = zstandard.ZstdCompressor(level=_LEVEL).compress(_encode(item))
    return hashlib.blake2b(body, digest_size=_SEAL).digest() + body


def _unseal(sealed: bytes) -> bytes:
    digest, body = sealed[:_SEAL], sealed[_SEAL:]
    if hashlib.blake2b(body, digest_size=_SEAL).digest() != digest:
        raise SavedStateError("a snapshot is damaged: its checksum does not fit")
    try:
        return zstandard.ZstdDecompressor().decompress(body, max_output_size=_LARGEST)
    except zstandard.ZstdError as error:
        raise SavedStateError(f"a snapshot is damaged: {error}") from error


def unseal_header(sealed: bytes) -> SavedState:
    """Return the header; raises `SavedStateError` for damage and for another version's."""
    try:
        header = _read_header(_unseal(sealed))
    except msgspec.DecodeError as error:
        raise SavedStateError(f"a snapshot of another version: {error}") from error
    if (header.version, header.layout) != (STATE_VERSION, layout()):
        raise SavedStateError("a snapshot of another version: what is kept of a client has changed")
    return header


def unseal_parts(sealed: Iterable[bytes]) -> Iterator[SavedPart]:
    """Return the parts one by one; raises `SavedStateError`."""
    for one in sealed:
        try:
            yield _read_part(_unseal(one))
        except msgspec.DecodeError as error:
            raise SavedStateError(f"a snapshot of another version: {error}") from error
