"""A clock that moves when it is told to."""

import threading
from datetime import UTC, datetime, timedelta


class SetClock:
    def __init__(self, now: datetime | None = None) -> None:
        self.time = now or datetime.now(UTC)

    def now(self) -> datetime:
        return self.time

    def advance(self, **by: float) -> None:
        self.time += timedelta(**by)

    def monotonic(self) -> float:
        return self.time.timestamp()

    def wait(self, stop: threading.Event, seconds: float) -> None:
        """Waiting is what moves it."""
        self.advance(seconds=seconds)
