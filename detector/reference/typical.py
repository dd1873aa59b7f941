"""What the typical client keeps within, whether clients asked much or little."""

from typing import Literal

import numpy as np
from numpy.typing import NDArray

from detector.events.batch import Floats

Method = Literal["linear", "higher"]

LEAST_CLIENTS = 5
"""Clients with queries enough whose median says something: one must not speak for all."""


def typical_quantile(
    values: Floats, owner: NDArray[np.int64], share: float, least: int, method: Method = "linear"
) -> float | None:
    """Return the median over clients of the quantile of their (n,) values, None of too few values.

    Of clients with at least `least` values. Where hardly any has so many, it is the quantile of
    all values, those of one client together counting for as much as those of another, without the
    client that goes beyond it most: beyond is above for a high share, and below for a low one.
    """
    if not len(values):
        return None
    _, client, counts = np.unique(owner, return_inverse=True, return_counts=True)
    full = np.flatnonzero(counts >= least)
    if len(full) >= min(LEAST_CLIENTS, len(counts)):
        own = [np.quantile(values[client == one], share, method=method) for one in full]
        return float(np.median(own))
    if counts.sum() < least:
        return None
    weights = 1.0 / counts[client]
    pooled = _weighted(values, weights, share)
    beyond = values > pooled if share > 0.5 else values < pooled
    worst = int(np.argmax(np.bincount(client, weights * beyond)))
    others = client != worst
    return _weighted(values[others], weights[others], share) if others.any() else pooled


def _weighted(values: Floats, weights: Floats, share: float) -> float:
    """Return the least value that at least that share of the weight keeps within."""
    order = np.argsort(values, kind="stable")
    reached = np.cumsum(weights[order])
    at = int(np.searchsorted(reached, share * reached[-1] * (1.0 - 1e-12)))
    return float(values[order[min(at, len(order) - 1)]])
