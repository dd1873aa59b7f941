"""Shares, medians and bounds over outcomes."""

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from scipy.stats import beta

from detector.evaluation.outcome import Outcome

CONFIDENCE = 0.95


def upper_bound(events: int, trials: int, confidence: float = CONFIDENCE) -> float:
    """Return the one-sided Clopper-Pearson bound of a rate; 1 without any trial.

    Clopper and Pearson, Biometrika 26 (1934). Without events it is the rule of three.
    """
    if events >= trials:
        return 1.0
    return float(beta.ppf(confidence, events + 1, trials - events))


def share(count: int, of: int) -> float:
    """Return a share in [0, 1]; 0 of nothing."""
    return count / of if of else 0.0


def median(values: Sequence[float]) -> float | None:
    """Return the median; None for no values, or when it falls among infinite ones."""
    if not values:
        return None
    ordered = sorted(values)
    middle = (ordered[(len(ordered) - 1) // 2] + ordered[len(ordered) // 2]) / 2
    return middle if math.isfinite(middle) else None


def median_alarm(outcomes: Iterable[Outcome]) -> float | None:
    """Return the median query of the first alarm; a client never found counts as later than all."""
    return median([math.inf if o.alarm is None else o.alarm for o in outcomes])


@dataclass(frozen=True, slots=True)
class Totals:
    """Pure attack streams that can be found, and benign clients.

    Attributes:
        attack_streams: How many attack streams.
        found: Share of them with an incident above `info`.
        right_class: Share of them whose most credible incident at the end has their class.
        median_query: Query of the first such incident; None when fewer than half have one.
        benign_clients: How many benign clients.
        false_clients: How many of them have an incident above `info`.
        upper_bound: Of the rate of those, one-sided, 95%.
    """

    attack_streams: int
    found: float
    right_class: float
    median_query: float | None
    benign_clients: int
    false_clients: int
    upper_bound: float


def totals(attacks: Sequence[Outcome], benign: Sequence[Outcome]) -> Totals:
    """Return the figures of the product."""
    false = sum(o.found for o in benign)
    return Totals(
        attack_streams=len(attacks),
        found=share(sum(o.found for o in attacks), len(attacks)),
        right_class=share(sum(o.named_right for o in attacks), len(attacks)),
        median_query=median_alarm(attacks),
        benign_clients=len(benign),
        false_clients=false,
        upper_bound=upper_bound(false, len(benign)),
    )


def found_by(outcomes: Sequence[Outcome], query: int) -> float:
    """Return the share of clients with an alarm at that query or before."""
    return share(sum(o.alarm is not None and o.alarm <= query for o in outcomes), len(outcomes))


def grouped(outcomes: Iterable[Outcome], key: Callable[[Outcome], str]) -> dict[str, list[Outcome]]:
    """Return the outcomes by key, in the order in which the keys come."""
    groups: dict[str, list[Outcome]] = {}
    for outcome in outcomes:
        groups.setdefault(key(outcome), []).append(outcome)
    return groups
