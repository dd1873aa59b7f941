"""How much clients ask in a day, as far as a log was long enough to show it."""

from typing import NamedTuple

import numpy as np

from detector.events.batch import Floats

DAY_MS = 86_400_000.0
EDGE = 0.02


class Volumes(NamedTuple):
    """The most distinct queries a day that clients were seen to ask.

    Attributes:
        peaks: (c,) highest volume of each client, which fades with a constant of a day.
        days: How long the log was, in days; 0 when that is unknown.
    """

    peaks: Floats
    days: float


NO_VOLUMES = Volumes(np.zeros(0), 0.0)


def span_days(first_ms: Floats, last_ms: Floats) -> float:
    """Return how many days a log spans in which (c,) clients asked first and last at these times.

    From when a tenth of them had begun to when a tenth had not ended yet: a few wrong clocks must
    not make a log long. What that leaves out makes the rest only less sure.
    """
    if not len(first_ms):
        return 0.0
    begin, end = np.quantile(first_ms, EDGE), np.quantile(last_ms, 1.0 - EDGE)
    return float(max(end - begin, 0.0) / DAY_MS)


def seen_share(days: float) -> float:
    """Return the share of its lasting value that a steady client's fading volume has reached.

    A volume of r queries a day that fades with a constant of a day is r (1 - exp(-t)) after t days.
    """
    return float(-np.expm1(-days))


def held_volumes(aimed: Volumes, base: Volumes, factor: float) -> Volumes:
    """Return volumes whose quantiles keep within what the base knows, times the factor.

    The base knows that a day holds what it saw at least, and at most what its span stands for. A
    base that knows nothing holds nothing back. What was seen in less than a day, and in less time
    than the base's, has nothing to teach.
    """
    if not len(aimed.peaks) or aimed.days < min(base.days, 1.0):
        return base
    if not len(base.peaks) or base.days <= 0.0:
        return aimed
    shares = np.linspace(0.0, 1.0, len(aimed.peaks))
    seen = np.quantile(np.maximum(base.peaks, 1.0), shares)
    low, high = seen / factor, seen / seen_share(base.days) * factor
    share = seen_share(aimed.days)
    a_day = np.clip(np.sort(np.maximum(aimed.peaks, 1.0)) / share, low, high)
    return Volumes(np.asarray(a_day * share), aimed.days)
