"""An alarm that the world has moved: live traffic as a whole is no longer as strange as it was.

Not about a client, so no incident: what it asks for is a refresh, or a look. Each client gives one
number a day (`client_days.py`). River's ADWIN (Bifet and Gavaldà 2007) watches the stream of these
numbers: it tells when the means of an older and a newer part of it differ more than chance allows.
"""

import io
import pickle
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass
from statistics import fmean
from typing import Any

import msgspec

DELTA = 1e-3
STRETCH = 2.0
LEAST_CHANGE = 0.05
RECENT = 40


@dataclass(frozen=True, slots=True)
class Drift:
    """The mean strangeness of clients has changed.

    Attributes:
        time_ms: Event time at which it was noticed, UTC milliseconds.
        before: Mean p-value of `RECENT` client-days, the first ones or those of the last change;
            about .5 under a fitting reference.
        now: Mean p-value of the latest `RECENT` client-days; lower means stranger.
    """

    time_ms: int
    before: float
    now: float


class SavedDrift(msgspec.Struct, frozen=True):
    """What a monitor knows, to be kept over a restart.

    Attributes:
        window: ADWIN's own state; empty before the first number.
        recent: The latest client-days' means.
        usual: The mean to compare with.
        heard: For how many more client-days a change that ADWIN told of may be confirmed.
    """

    window: bytes
    recent: list[float]
    usual: float | None
    heard: int


class DriftMonitor:
    """Watches one model under one reference; a new reference wants a new monitor.

    Deterministic in the order of the client-days.
    """

    def __init__(self, delta: float = DELTA) -> None:
        """`delta` is ADWIN's bound on the chance of a false cut at one number."""
        self._delta = delta
        self._window: Any = None
        self._recent: deque[float] = deque(maxlen=RECENT)
        self._usual: float | None = None
        self._heard = 0

    def update(self, days: Iterable[tuple[int, float]]) -> list[Drift]:
        """Take client-days in the order of the log; return the changes noticed.

        Each is the time of the event that completed it, UTC milliseconds, and its mean. Suspects
        must not be among them: an attacker is strange, which is no drift.
        """
        drifts = (self._watch(time_ms, mean) for time_ms, mean in days)
        return [drift for drift in drifts if drift]

    def save(self) -> SavedDrift:
        """Return everything that `restore` needs."""
        return SavedDrift(
            pickle.dumps(self._window._helper) if self._window else b"",
            list(self._recent),
            self._usual,
            self._heard,
        )

    def restore(self, saved: SavedDrift) -> None:
        """Go on from what `save` returned; raises `ValueError` when it is something else."""
        self._window = None
        if saved.window:
            window = _adwin(self._delta)
            try:
                window._helper = _Windows(io.BytesIO(saved.window), type(window._helper)).load()
            except Exception as error:
                raise ValueError(f"not the state of a drift monitor: {error}") from error
            self._window = window
        self._recent = deque(saved.recent, maxlen=RECENT)
        self._usual, self._heard = saved.usual, saved.heard

    def _watch(self, time_ms: int, mean: float) -> Drift | None:
        if self._window is None:
            self._window = _adwin(self._delta)
        self._window.update(_stretched(mean))
        self._recent.append(mean)
        now = fmean(self._recent)
        if self._usual is None:
            self._usual = now if len(self._recent) == RECENT else None
            return None
        # The window may tell before the latest numbers are all of the new world.
        self._heard = RECENT if self._window.drift_detected else max(self._heard - 1, 0)
        if not self._heard or abs(now - self._usual) < LEAST_CHANGE:
            return None
        before, self._usual, self._heard = self._usual, now, 0
        # What comes next is compared with the world as it is now, and only with that.
        self._window = _adwin(self._delta)
        for recent in self._recent:
            self._window.update(_stretched(recent))
        return Drift(time_ms, round(before, 4), round(now, 4))


def _adwin(delta: float) -> Any:
    # River loads much else, for a second: not before a client's first day is over, when the first
    # events are stored.
    from river.drift import ADWIN

    return ADWIN(delta=delta, clock=1)


class _Windows(pickle.Unpickler):
    """Reads ADWIN's state, and refuses to make anything else of what a database holds."""

    def __init__(self, file: io.BytesIO, wanted: type) -> None:
        super().__init__(file)
        self._wanted = wanted

    def find_class(self, module: str, name: str) -> Any:
        """Return ADWIN's own type alone."""
        if (module, name) == (self._wanted.__module__, self._wanted.__qualname__):
            return self._wanted
        raise pickle.UnpicklingError(f"{module}.{name} is no part of a drift monitor")


def _stretched(mean: float) -> float:
    """Use ADWIN's range: a mean of several p-values is hardly ever near 0 or 1."""
    return min(max(0.5 + STRETCH * (mean - 0.5), 0.0), 1.0)
