"""How speed is told: by the clock on the wall and by processor time."""

import time
from typing import NamedTuple


class Speed(NamedTuple):
    """Events a second by the clock on the wall, and microseconds of processor time an event.

    On a machine with other work to do the second is the steadier one; only the first knows of
    waiting for a server.
    """

    events_per_second: float
    cpu_us: float


class Stopwatch:
    """A stopwatch over `events` events."""

    def __init__(self, events: int) -> None:
        self._events = events
        self.begin()

    def begin(self) -> None:
        """Start, anew if it runs."""
        self._wall, self._cpu = time.perf_counter(), time.process_time()

    def speed(self) -> Speed:
        """Return the speed since `begin`."""
        cpu_us = 1e6 * (time.process_time() - self._cpu) / self._events
        return Speed(self._events / (time.perf_counter() - self._wall), cpu_us)
