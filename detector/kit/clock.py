"""Where time comes from and how it is waited for, so that tests can hold it still."""

import threading
import time
from datetime import UTC, datetime
from typing import Protocol


class Clock(Protocol):
    """A source of the current time."""

    def now(self) -> datetime:
        """Return the current time, timezone-aware, in UTC."""
        ...

    def monotonic(self) -> float:
        """Return seconds since some moment; never goes back."""
        ...

    def wait(self, stop: threading.Event, seconds: float) -> None:
        """Wait for so long, or until `stop` is set."""
        ...


class SystemClock:
    """The machine's own clock."""

    def now(self) -> datetime:
        """Return the machine's current time in UTC."""
        return datetime.now(UTC)

    def monotonic(self) -> float:
        """Return the machine's seconds since some moment."""
        return time.monotonic()

    def wait(self, stop: threading.Event, seconds: float) -> None:
        """Wait for so long, or until `stop` is set."""
        stop.wait(seconds)
