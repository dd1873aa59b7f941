"""Signs as arrays for the compiled scorer, and the alarm budget as thresholds."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from detector.features.observation import CODES, decode
from detector.reference.volumes import Volumes, seen_share
from detector.scoring.evidence import MAX_STAGES, STAGE_WIDTH
from detector.scoring.hypothesis import Need
from detector.scoring.signs import Sign

UNCALIBRATED_PENALTY = 4.0
CEILING_MARGIN = 2.0
LEAST_VOLUME_SPREAD = 0.8
FEWEST_VOLUMES = 20


@dataclass(frozen=True, slots=True)
class ScoringPolicy:
    """How sure to be.

    Attributes:
        alarm_budget: Accepted probability that a benign client ever raises an incident.
        attacker_share: Share of clients that attack, before anything is known of one; it turns
            evidence into the confidence shown.
    """

    alarm_budget: float = 1e-3
    attacker_share: float = 1e-2


@dataclass(frozen=True, slots=True)
class ScoringTables:
    """Arrays of s signs.

    Attributes:
        levels: (s, codes) level of every observation.
        stages: (s, 2, 5) Beta parameters.
        counts: (s,) stages of each.
        thresholds: (s,) log evidence from which a sign is credible.
        volume: (2,) centre and spread of the log of benign clients' daily volume.
    """

    levels: NDArray[np.int64]
    stages: NDArray[np.float64]
    counts: NDArray[np.int64]
    thresholds: NDArray[np.float64]
    volume: NDArray[np.float64]

    def arrays(self) -> tuple[Any, ...]:
        """Return the arrays in the order that the kernel takes them.

        The levels are turned, (codes, s): those of an observation lie side by side.
        """
        levels = np.ascontiguousarray(self.levels.T.astype(np.int8))
        return levels, self.stages, self.counts, self.thresholds, self.volume


def build_tables(
    signs: Sequence[Sign],
    nulls: Mapping[str, Sequence[float]],
    ceilings: Mapping[str, float],
    volumes: Volumes,
    policy: ScoringPolicy,
    calibrated: bool,
) -> ScoringTables:
    """Return the arrays; the budget is shared by the signs' weights (union bound).

    `nulls` holds Beta parameters by sign, two a stage, and `ceilings` the log evidence that benign
    clients were seen to reach, where a reference has spoken: the threshold stays `CEILING_MARGIN`
    above it. Without a reference a sign that needs one never counts and the others must show more;
    nor does one of groups of which the reference does not speak.
    """
    size = len(signs)
    stages = np.zeros((size, MAX_STAGES, STAGE_WIDTH))
    counts = np.zeros(size, dtype=np.int64)
    weights = np.array([sign.weight for sign in signs])
    thresholds = np.log(weights.sum() / (weights * policy.alarm_budget))
    for s, sign in enumerate(signs):
        counts[s] = len(sign.stages)
        stages[s, : counts[s]] = _stages(sign, nulls.get(sign.name, ()))
        thresholds[s] = max(thresholds[s], ceilings.get(sign.name, 0.0) + CEILING_MARGIN)
        # How sure it may be nobody knows where the reference is of before it, or before a stage.
        if sign.of_groups and len(nulls.get(sign.name, ())) != 2 * counts[s]:
            thresholds[s] = np.inf
        if not calibrated:
            thresholds[s] += np.inf if Need.REFERENCE in sign.needs else UNCALIBRATED_PENALTY
    return ScoringTables(_levels(tuple(signs)), stages, counts, thresholds, volume_scale(volumes))


@cache
def _levels(signs: tuple[Sign, ...]) -> NDArray[np.int64]:
    """Return the (s, codes) levels of every observation; the same for all models of a process."""
    observations = [decode(code) for code in range(CODES)]
    levels = [[sign.level(observation) for observation in observations] for sign in signs]
    return np.array(levels, dtype=np.int64)


def _stages(sign: Sign, null: Sequence[float]) -> NDArray[np.float64]:
    """Return the sign's stages, (count, 5)."""
    rows = np.zeros((len(sign.stages), STAGE_WIDTH))
    for j, stage in enumerate(sign.stages):
        a = stage.benign * stage.benign_strength
        b = stage.benign_strength - a
        if len(null) == 2 * len(sign.stages):
            a, b = null[2 * j], null[2 * j + 1]
        # Showing fewer signs than benign clients must never count as evidence.
        floor = min(max(stage.floor, a / (a + b)), 0.97)
        attack_a = stage.attack * stage.attack_strength
        rows[j] = (a, b, attack_a, stage.attack_strength - attack_a, floor)
    return rows


def volume_scale(volumes: Volumes) -> NDArray[np.float64]:
    """Return centre and spread of the log of clients' daily volume.

    The spread is that of the upper half, wider for what few clients cannot show: monitors and
    retries, which hardly ask anything new, say nothing about how much is much. A log shorter than
    some days shows only a share of what a day holds; the rest is what a steady client would add,
    and as that is a guess, all that it adds is taken for four of its standard deviations, half of
    them on either side. Without volumes, or where nobody knows how long the log was, no client is
    ever beyond it.
    """
    if len(volumes.peaks) < FEWEST_VOLUMES or volumes.days <= 0.0:
        return np.array([np.log(1e12), LEAST_VOLUME_SPREAD])
    guessed = -float(np.log(seen_share(volumes.days)))
    logs = np.log(np.maximum(volumes.peaks, 1.0)) + guessed
    center = float(np.median(logs))
    spread = float(np.sqrt(((logs[logs >= center] - center) ** 2).mean()))
    spread = max(spread, LEAST_VOLUME_SPREAD) * (1.0 + 1.0 / np.sqrt(len(logs)))
    return np.array([center, np.hypot(spread, guessed / 2.0)])
