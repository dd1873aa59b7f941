"""A clock that moves when it is told to."""

from datetime import UTC, datetime, timedelta


class SetClock:
    def __init__(self, now: datetime | None = None) -> None:
        self.time = now or datetime.now(UTC)

    def now(self) -> datetime:
        return self.time

    def advance(self, **by: float) -> None:
        self.time += timedelta(**by)
