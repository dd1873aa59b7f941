"""The canonical prediction event, version 1 (`schemas/prediction-event/v1.schema.json`)."""

from typing import NamedTuple

import msgspec

Number = int | float
Cell = int | float | str | bool | None


class ClientKey(NamedTuple):
    """Whose behaviour is watched: one client of one model of one tenant."""

    tenant_id: str
    model_id: str
    client_id: str


class ModelKey(NamedTuple):
    """One model of one tenant."""

    tenant_id: str
    model_id: str


class Input(msgspec.Struct, frozen=True, gc=False):
    """What the client sent. At most one of the four forms is set."""

    features: list[int | float | str | None] | None = None
    fields: dict[str, Cell] | None = None
    embedding: list[int | float] | None = None
    fingerprint: str | list[str] | None = None


class Output(msgspec.Struct, frozen=True, gc=False):
    """What the model answered; any of the three may be missing."""

    label: str | int | None = None
    scores: list[int | float] | dict[str, int | float] | None = None
    value: int | float | None = None


class PredictionEvent(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """One prediction, decoded and checked. `time_ms` is UTC milliseconds since the epoch."""

    event_id: str
    time_ms: int
    client_id: str
    model_id: str
    model_version: str | None = None
    identity_source: str = "principal"
    tenant_id: str = ""
    session_id: str | None = None
    source_ip: str | None = None
    user_agent: str | None = None
    input: Input | None = None
    output: Output | None = None
    status: int = 200
    latency_ms: float | None = None
    request_bytes: float | None = None
    sampling_rate: float = 1.0

    @property
    def client(self) -> ClientKey:
        """The client whose behaviour this event belongs to."""
        return ClientKey(self.tenant_id, self.model_id, self.client_id)

    @property
    def model(self) -> ModelKey:
        """The model that answered."""
        return ModelKey(self.tenant_id, self.model_id)
