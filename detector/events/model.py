"""The canonical prediction event, version 1 (`schemas/prediction-event/v1.schema.json`).

The annotations are the decoder's rules too: msgspec checks types, lengths and ranges while it
parses, so a rule stands here or in `decode.py`, never in both. Unknown fields are
forbidden here because the decoder's short way rests on it; `unknown.py` takes them out and counts.
"""

import atexit
import gc
from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Literal, NamedTuple

import msgspec
from msgspec import Meta

# At exit, a collection may walk into types of msgspec that were taken apart already, and then the
# process ends with a segmentation fault (msgspec's issue 717). What is frozen is not walked.
atexit.register(gc.freeze)

Number = int | float
Cell = float | str | bool | None

Id = Annotated[str, Meta(min_length=1, max_length=256)]
Text = Annotated[str, Meta(max_length=256)]
LongText = Annotated[str, Meta(max_length=1024)]
Int64 = Annotated[int, Meta(ge=-(2**63), le=2**63 - 1)]
Hex = Annotated[str, Meta(min_length=1, max_length=128, pattern=r"^[0-9A-Fa-f]+\Z")]
NotNegative = Annotated[float, Meta(ge=0)]
IdentitySource = Literal["principal", "api_key", "header", "ip"]

if TYPE_CHECKING:
    EventTime = int
else:
    # What the parser lets in; the decoder turns a datetime into milliseconds before anybody looks.
    EventTime = int | Annotated[datetime, Meta(tz=True)]


class ClientKey(NamedTuple):
    """Whose behaviour is watched: one client of one model of one tenant."""

    tenant_id: str
    model_id: str
    client_id: str


class ModelKey(NamedTuple):
    """One model of one tenant."""

    tenant_id: str
    model_id: str


class Input(msgspec.Struct, frozen=True, gc=False, forbid_unknown_fields=True):
    """What the client sent. At most one of the four forms is set; numbers are doubles.

    A row of float32 from MessagePack is an `array("f")`, every other one a list.
    """

    features: Annotated[Sequence[float | str | None], Meta(min_length=1)] | None = None
    fields: Annotated[dict[Id, Cell], Meta(min_length=1)] | None = None
    embedding: Annotated[Sequence[float], Meta(min_length=1)] | None = None
    fingerprint: Hex | Annotated[list[Hex], Meta(min_length=1)] | None = None


class Output(msgspec.Struct, frozen=True, gc=False, forbid_unknown_fields=True):
    """What the model answered; any of the three may be missing."""

    label: Text | Int64 | None = None
    scores: (
        Annotated[list[float], Meta(min_length=1)]
        | Annotated[dict[Id, float], Meta(min_length=1)]
        | None
    ) = None
    value: float | None = None


class PredictionEvent(
    msgspec.Struct, frozen=True, gc=False, kw_only=True, forbid_unknown_fields=True
):
    """One prediction, decoded and checked. `time_ms` is UTC milliseconds since the epoch."""

    event_id: Annotated[str, Meta(min_length=1, max_length=128)]
    time_ms: EventTime = msgspec.field(name="time")
    client_id: Id
    model_id: Id
    model_version: Text | None = None
    identity_source: IdentitySource = "principal"
    tenant_id: Text = ""
    session_id: Text | None = None
    source_ip: Text | None = None
    user_agent: LongText | None = None
    input: Input | None = None
    output: Output | None = None
    status: Annotated[int, Meta(ge=100, le=599)] = 200
    latency_ms: NotNegative | None = None
    request_bytes: NotNegative | None = None
    sampling_rate: Annotated[float, Meta(gt=0, le=1)] = 1.0

    @property
    def client(self) -> ClientKey:
        """The client whose behaviour this event belongs to."""
        return ClientKey(self.tenant_id, self.model_id, self.client_id)

    @property
    def model(self) -> ModelKey:
        """The model that answered."""
        return ModelKey(self.tenant_id, self.model_id)
