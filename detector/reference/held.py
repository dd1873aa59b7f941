"""Holding a quantity that is learnt anew close to what it was before."""

import math

import numpy as np
from numpy.typing import NDArray

from detector.events.batch import Floats
from detector.reference.fields import KNOTS

BODY = slice(round(0.1 * (KNOTS - 1)), round(0.9 * (KNOTS - 1)) + 1)
"""The knots between the 10% and the 90% quantile, ends in."""

Curve = NDArray[np.float64]


def held(value: float, before: float, step: float) -> float:
    """Return the value, at most `step` away from what it was before."""
    return min(max(value, before - step), before + step)


def held_ratio(value: float, before: float, factor: float) -> float:
    """Return the value, at most `factor` times more or less than before; 0 stays 0."""
    return min(max(value, before / factor), before * factor)


def held_beta(value: tuple[float, float], before: tuple[float, float], factor: float) -> Curve:
    """Return Beta parameters whose odds and whose strength a + b moved by `factor` at most."""
    odds = held_ratio(value[0] / value[1], before[0] / before[1], factor)
    strength = held_ratio(sum(value), sum(before), factor)
    a = strength * odds / (1.0 + odds)
    return np.array([a, strength - a])


def held_tail(values: Curve, before: Curve, factor: float, slack: float = 0.0) -> Curve:
    """Return sorted values (m,) whose upper tail shares are close to those of `before` (k,).

    Whatever a share t of the values exceeds, between t / factor and t · factor of those before
    exceeded, had they been larger by `slack`; nothing exceeds all of them.
    """
    tails = 1.0 - np.arange(len(values)) / len(values)
    low = np.quantile(before, np.clip(1.0 - tails * factor, 0.0, 1.0))
    high = np.quantile(before, 1.0 - tails / factor)
    return np.asarray(np.clip(values, low + slack, high + slack))


def kept_or_held(value: float, before: float, factor: float) -> float:
    """Return what it was before, as long as the value is within the factor; else one factor on."""
    if before / factor <= value <= before * factor:
        return before
    return held_ratio(value, before, factor)


def moved_knots(candidate: Curve, before: Curve, step: float, share: float) -> Curve:
    """Return quantiles (`KNOTS`,) on their way from `before` to `candidate`.

    Each goes `step` at most, or as far as `share` of the mass before lies, whichever is farther.
    The outer tenths are not learnt, because few clients suffice to place them: they go with the
    nearer half of the body, and inward no farther than what was seen.
    """
    shares = np.linspace(0.0, 1.0, KNOTS)
    below = np.interp(np.clip(shares - share, 0.0, 1.0), shares, before)
    above = np.interp(np.clip(shares + share, 0.0, 1.0), shares, before)
    moved = np.clip(candidate, np.minimum(below, before - step), np.maximum(above, before + step))
    low, high, middle = BODY.start, BODY.stop, KNOTS // 2
    shift = float((moved[low:middle] - before[low:middle]).mean())
    moved[:low] = np.minimum(before[:low] + shift, np.maximum(candidate[:low], before[:low]))
    shift = float((moved[middle:high] - before[middle:high]).mean())
    moved[high:] = np.maximum(before[high:] + shift, np.minimum(candidate[high:], before[high:]))
    return np.asarray(np.maximum.accumulate(moved))


def covariances(precision: Floats) -> Floats:
    """Return the covariances (d, d) that belong to a precision, and the other way round.

    Fields without numbers have neither, which the pseudo-inverse leaves so (Penrose 1955).
    """
    return np.asarray(np.linalg.pinv(precision, hermitian=True))


def moved_precision(candidate: Floats, before: Floats, step: float) -> tuple[Floats, float]:
    """Return a precision (d, d) on the straight way between the covariances, and how far it went.

    No covariance of normal scores changes by more than `step`.
    """
    old, new = covariances(before), covariances(candidate)
    farthest = float(np.abs(new - old).max(initial=0.0))
    part = 1.0 if farthest <= step else step / farthest
    mixed = old + part * (new - old)
    precision = covariances(mixed)
    return np.ascontiguousarray((precision + precision.T) / 2.0), part * farthest


def doublings(value: float, before: float) -> float:
    """Return how many times the value doubled since before, negative when it shrank."""
    if value <= 0.0 or before <= 0.0:
        return 0.0
    return math.log2(value / before)
