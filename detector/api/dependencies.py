"""What the application is given, and how a route gets at it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Annotated, cast

from fastapi import Depends, Request
from prometheus_client import CollectorRegistry

from detector.api.keys import ApiKey, require_key_off_loopback
from detector.kit.clock import Clock
from detector.pipeline.ports import Store

Probe = Callable[[], None]
"""Returns when a part is ready and raises `QuerywatchError`, saying what is missing, when not."""


@dataclass(frozen=True, slots=True)
class ApiDependencies:
    """Everything that the API needs.

    Attributes:
        store: The database.
        clock: Where the time of an act comes from.
        registry: The metrics shown at `/metrics`; each application needs its own.
        bind_host: The address that the server listens on.
        keys: Accepted API keys; none only on loopback.
        probes: Further parts whose readiness `/readyz` reports, by name.
        max_body_bytes: Largest request body that is read.
    """

    store: Store
    clock: Clock
    registry: CollectorRegistry
    bind_host: str = "127.0.0.1"
    keys: tuple[ApiKey, ...] = ()
    probes: Mapping[str, Probe] = field(default_factory=dict)
    max_body_bytes: int = 64 * 1024

    def __post_init__(self) -> None:
        """Raise `ConfigurationError` for a keyless API that others could reach."""
        require_key_off_loopback(self.bind_host, self.keys)


def dependencies(request: Request) -> ApiDependencies:
    """Return what the application was created with."""
    return cast(ApiDependencies, request.app.state.dependencies)


Deps = Annotated[ApiDependencies, Depends(dependencies)]
