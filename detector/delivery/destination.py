"""What the outbox worker knows of a destination, and how a delivery can fail."""

from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from detector.incidents.model import Incident, Severity
from detector.kit.errors import QuerywatchError
from detector.pipeline.ports import OutboxMessage


class DeliveryError(QuerywatchError):
    """The destination did not take the message; it may take it later."""

    def __init__(self, message: str, retry_after_s: float | None = None) -> None:
        """Say what happened, without secrets, and how long to keep away, if that was asked."""
        super().__init__(message)
        self.retry_after_s = retry_after_s


class DestinationGoneError(QuerywatchError):
    """The destination says that it wants no messages any more (HTTP 410)."""


@dataclass(frozen=True, slots=True)
class Notification:
    """An outbox message with the incident as it stands at the moment of sending."""

    message: OutboxMessage
    incident: Incident


class Destination(Protocol):
    """Somewhere that incidents are sent to."""

    @property
    def name(self) -> str:
        """Unique among the destinations; labels its metrics."""
        ...

    @property
    def level(self) -> int:
        """The escalation level it serves: 1 is told first, 2 when nobody acknowledges."""
        ...

    @property
    def min_severity(self) -> Severity:
        """Incidents below it are not sent."""
        ...

    @property
    def send_timeout_s(self) -> float:
        """The longest that one `send` usually takes."""
        ...

    def send(self, notification: Notification, at: datetime) -> None:
        """Deliver; raises `DeliveryError` or `DestinationGoneError`."""
        ...
