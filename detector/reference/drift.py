"""An alarm that the world has moved: live traffic as a whole is no longer as strange as it was.

Not about a client, so no incident: what it asks for is a refresh, or a look. Each client gives one
number a day, the mean p-value of its first `QUERIES` inputs of that day, so that nobody counts for
more by asking more. River's ADWIN (Bifet and Gavaldà 2007) watches the stream of these numbers: it
tells when the means of an older and a newer part of it differ more than chance allows.
"""

import io
import pickle
from collections import OrderedDict, deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray
from river.drift import ADWIN

QUERIES = 8
DAY_MS = 86_400_000
MAX_CLIENTS = 4096
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
        window: ADWIN's own state.
        recent: The latest client-days' means.
        usual: The mean to compare with.
        heard: For how many more client-days a change that ADWIN told of may be confirmed.
        open: Unfinished client-days, oldest first: client, day, count, sum.
    """

    window: bytes
    recent: list[float]
    usual: float | None
    heard: int
    open: list[tuple[str, int, int, float]]


class DriftMonitor:
    """Watches one model under one reference; a new reference wants a new monitor.

    Holds at most `max_clients` unfinished client-days; the oldest gives way. Deterministic in the
    order of the events.
    """

    def __init__(self, max_clients: int = MAX_CLIENTS, delta: float = DELTA) -> None:
        """`delta` is ADWIN's bound on the chance of a false cut at one number."""
        self._max_clients = max_clients
        self._delta = delta
        self._window = ADWIN(delta=delta, clock=1)
        self._recent: deque[float] = deque(maxlen=RECENT)
        self._usual: float | None = None
        self._heard = 0
        # A plain dictionary's first key costs a walk over all that were deleted before it.
        self._open: OrderedDict[str, tuple[int, int, float]] = OrderedDict()

    def update(
        self,
        clients: Sequence[str],
        time_ms: NDArray[np.int64],
        p_values: NDArray[np.float64],
        suspected: Callable[[str], bool],
    ) -> list[Drift]:
        """Take n events with inputs in the order of the log; return the changes noticed.

        `suspected` says who must not count: an attacker is strange, which is no drift.
        """
        drifts = []
        known = self._open.get
        days = (time_ms // DAY_MS).tolist()
        rows = zip(clients, days, time_ms.tolist(), p_values.tolist(), strict=True)
        for client, day, at, p_value in rows:
            # Most events are of clients that have spoken enough today.
            day_of = known(client)
            if day_of is not None and day_of[1] >= QUERIES and day_of[0] == day:
                continue
            mean = self._finished(client, day, p_value)
            if mean is not None and not suspected(client):
                drift = self._watch(at, mean)
                drifts += [drift] if drift else []
        return drifts

    def save(self) -> SavedDrift:
        """Return everything that `restore` needs."""
        return SavedDrift(
            pickle.dumps(self._window._helper),
            list(self._recent),
            self._usual,
            self._heard,
            [(client, *rest) for client, rest in self._open.items()],
        )

    def restore(self, saved: SavedDrift) -> None:
        """Go on from what `save` returned; raises `ValueError` when it is something else."""
        try:
            helper = _Windows(io.BytesIO(saved.window)).load()
        except Exception as error:
            raise ValueError(f"not the state of a drift monitor: {error}") from error
        self._window._helper = helper
        self._recent = deque(saved.recent, maxlen=RECENT)
        self._usual, self._heard = saved.usual, saved.heard
        self._open = OrderedDict(
            (client, (day, count, total)) for client, day, count, total in saved.open
        )

    def _finished(self, client: str, day: int, p_value: float) -> float | None:
        """Return the client-day's mean with the event that completes it, else None."""
        known, count, total = self._open.get(client, (day, 0, 0.0))
        if known != day:
            count, total = 0, 0.0
        if count >= QUERIES:
            return None
        count, total = count + 1, total + p_value
        if client not in self._open and len(self._open) >= self._max_clients:
            self._open.popitem(last=False)
        self._open[client] = (day, count, total)
        return total / count if count == QUERIES else None

    def _watch(self, time_ms: int, mean: float) -> Drift | None:
        self._window.update(_stretched(mean))
        self._recent.append(mean)
        now = float(np.mean(self._recent))
        if self._usual is None:
            self._usual = now if len(self._recent) == RECENT else None
            return None
        # The window may tell before the latest numbers are all of the new world.
        self._heard = RECENT if self._window.drift_detected else max(self._heard - 1, 0)
        if not self._heard or abs(now - self._usual) < LEAST_CHANGE:
            return None
        before, self._usual, self._heard = self._usual, now, 0
        # What comes next is compared with the world as it is now, and only with that.
        self._window = ADWIN(delta=self._delta, clock=1)
        for recent in self._recent:
            self._window.update(_stretched(recent))
        return Drift(time_ms, round(before, 4), round(now, 4))


class _Windows(pickle.Unpickler):
    """Reads ADWIN's state, and refuses to make anything else of what a database holds."""

    def find_class(self, module: str, name: str) -> Any:
        """Return ADWIN's own type alone."""
        if (module, name) == (type(ADWIN()._helper).__module__, "AdaptiveWindowing"):
            return type(ADWIN()._helper)
        raise pickle.UnpicklingError(f"{module}.{name} is no part of a drift monitor")


def _stretched(mean: float) -> float:
    """Use ADWIN's range: a mean of several p-values is hardly ever near 0 or 1."""
    return min(max(0.5 + STRETCH * (mean - 0.5), 0.0), 1.0)
