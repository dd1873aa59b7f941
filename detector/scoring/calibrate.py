"""The client-level half of a reference: how benign clients behave towards each sign.

Benign clients differ from each other far more than queries of one client do, so the unit is the
client: the spread between clients gives the strength of the Beta distribution that evidence is held
against.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.special import betaln

from detector.events.batch import Floats
from detector.reference.fit import MAX_ROWS_A_CLIENT
from detector.reference.habits import habits
from detector.reference.newcomers import Newcomers, newcomers
from detector.reference.picture import HALF_MORE, Reference
from detector.reference.surprise import BROKEN
from detector.reference.typical import typical_quantile
from detector.reference.volumes import NO_VOLUMES
from detector.scoring.evidence import summit
from detector.scoring.grow import planted
from detector.scoring.lives import BenignLog, Seen, live
from detector.scoring.signs import Against, Sign, Stage
from detector.scoring.tables import ScoringPolicy, build_tables

HALVINGS, PENALTY = 2, 2.0
# How much stronger than expected what groups show may be held, from the strongest on.
GROUP_STRENGTHS = (8.0, 4.0, 2.0, 1.0, 0.5, 0.25)
LESSER_STRENGTHS = tuple(strength for strength in GROUP_STRENGTHS if strength <= 1.0)
MOST_ROWS = 0.95
NEAR_SHARE = 0.35
APART_SHARE = 0.98
MIN_TRIALS, MIN_APART = 8, 20


def calibrate(reference: Reference, log: BenignLog, signs: Sequence[Sign]) -> Reference:
    """Return the reference with all filled in that is about clients."""
    reference = _with_distances(reference, live(reference, log), log.owner)
    strange = list(newcomers(reference, log.cells, log.owner))
    reference = replace(reference, shattered=_most_broken(strange))
    seen = live(reference, log)
    groups = _groups(strange, log, reference.shattered)
    unjudged = build_tables(signs, {}, {}, NO_VOLUMES, ScoringPolicy(), True).levels
    levels, strangers = unjudged[:, seen.codes], unjudged[:, groups.codes]
    nulls = {
        sign.name: fit_groups(sign, strangers[s], groups.owner)
        if sign.of_groups
        else fit_nulls(sign.stages, levels[s], log.owner)
        for s, sign in enumerate(signs)
    }
    tables = build_tables(signs, nulls, {}, NO_VOLUMES, ScoringPolicy(), True)
    habitual = list(_habits(reference, log))
    ceilings = {}
    for s, sign in enumerate(signs):
        asked = tables.stages[s], int(tables.counts[s])
        # One client of the log may be an intruder; what was made of many clients' rows is none.
        ceilings[sign.name] = _ceiling(levels[s], log.owner, *asked, spared=1)
        # Signs of groups have been held against what was made for them.
        for habit in () if sign.of_groups else habitual:
            reached = _ceiling(unjudged[s, habit.codes], habit.owner, *asked, spared=0)
            ceilings[sign.name] = max(ceilings[sign.name], reached)
    reference = replace(reference, nulls=nulls, ceilings=ceilings)
    return planted(replace(reference.with_volumes(seen.volumes), vectors=seen.vectors))


@dataclass(frozen=True, slots=True)
class _Lives:
    """Queries of clients.

    Attributes:
        codes: (n,) what the kernel saw.
        owner: (n,) number of the client.
    """

    codes: NDArray[np.int64]
    owner: NDArray[np.int64]


def _most_broken(groups: Sequence[Newcomers]) -> float:
    """Return half as many again as the rows of groups break, but for the oddest group and rows.

    Groups of outliers break many relations too, and whoever counts fields must allow for them.
    """
    counts = [
        np.quantile(group.reference.measure(group.cells)[:, BROKEN], MOST_ROWS, method="higher")
        for group in groups
    ]
    return HALF_MORE * float(np.sort(counts)[-2:][0])


def _groups(groups: Sequence[Newcomers], log: BenignLog, shattered: float) -> _Lives:
    """Let every group come new to what was learnt without it, as one client."""
    codes = [
        live(replace(group.reference, shattered=shattered), log.of(group)).codes for group in groups
    ]
    sizes = [len(seen) for seen in codes]
    return _Lives(np.concatenate(codes), np.repeat(np.arange(len(groups)), sizes))


def _habits(reference: Reference, log: BenignLog) -> Iterator[_Lives]:
    """Let clients with every habit come to what was learnt."""
    for habit in habits(reference.fields, log.cells, log.owner):
        seen = live(reference, log.working(habit, reference))
        yield _Lives(seen.codes, habit.owner)


def _with_distances(reference: Reference, seen: Seen, owner: NDArray[np.int64]) -> Reference:
    """Set what is near, typical and apart from what the (n,) clients' queries showed."""
    if len(seen.distances) < MIN_TRIALS:
        return reference
    typical = float(np.median(seen.distances))
    known = ~np.isnan(seen.apart)
    apart = typical_quantile(seen.apart[known], owner[known], APART_SHARE, MIN_APART)
    return replace(
        reference,
        near=NEAR_SHARE * typical,
        typical=typical,
        apart=np.inf if apart is None else apart,
    )


def _ceiling(
    levels: NDArray[np.int64], owner: NDArray[np.int64], stages: Floats, count: int, *, spared: int
) -> float:
    """Return the log evidence that clients reached, without so many of the most conspicuous.

    A single intruder in the reference must not be able to raise the threshold for all.
    """
    clients = np.unique(owner)
    highest = [summit(levels[owner == client], stages, count) for client in clients]
    return max(float(np.sort(highest)[-1 - spared :][0]), 0.0)


def _trials(
    stages: Sequence[Stage], levels: NDArray[np.int64], owner: NDArray[np.int64]
) -> Iterator[tuple[Stage, Floats, Floats]]:
    """Return each stage with the (c,) trials and hits of the clients."""
    lives = [np.flatnonzero(owner == client) for client in np.unique(owner)]
    for j, stage in enumerate(stages):
        trials = np.array([(levels[rows] >= j).sum() for rows in lives], dtype=float)
        hits = np.array([(levels[rows] > j).sum() for rows in lives], dtype=float)
        yield stage, trials, hits


def _mean(stage: Stage, trials: Floats, hits: Floats) -> float:
    """Return the share of all queries of clients, at least half of the expected one.

    A reference that shows little does not hold everything that will come.
    """
    return _highest_mean(stage, trials.sum(keepdims=True), hits.sum(keepdims=True))


def _usual_mean(stage: Stage, trials: Floats, hits: Floats) -> float:
    """Return the same, no client counting for more than it gives to the picture of the inputs.

    Nor does the client count without which the share is the lowest: one intruder must not say what
    is usual.
    """
    counted = np.minimum(trials, MAX_ROWS_A_CLIENT)
    yes = hits * counted / np.maximum(trials, 1.0)
    all_trials, all_yes = counted.sum(keepdims=True), yes.sum(keepdims=True)
    if len(trials) > 1:
        weight = 2.0 * stage.benign_strength
        without = (all_yes - yes + weight * stage.benign) / (all_trials - counted + weight)
        odd = int(np.argmin(without))
        all_trials, all_yes = all_trials - counted[odd], all_yes - yes[odd]
    return _highest_mean(stage, all_trials, all_yes)


def _highest_mean(stage: Stage, trials: Floats, hits: Floats) -> float:
    """Return the same of the client whose share is the highest."""
    weight = 2.0 * stage.benign_strength
    highest = float(((hits + weight * stage.benign) / (trials + weight)).max())
    return min(max(highest, stage.benign / 2.0), 0.9)


def fit_groups(
    sign: Sign, levels: NDArray[np.int64], owner: NDArray[np.int64]
) -> tuple[float, ...]:
    """Return Beta parameters a, b of each stage from what groups showed that came new.

    Where they show the very thing that is asked, the share is that of all of them, and the strength
    may be more than expected: the most with which their evidence stays within chance, or else the
    least. One of n groups may well reach n (Ville 1939), so the most conspicuous does not count;
    one that stays together however the rows are parted is there again. Where real groups may show
    more than any of these, the share is that of the oddest, and the strength as expected or less.
    """
    oddest = sign.against is Against.ODDEST
    mean, strengths = (_highest_mean, LESSER_STRENGTHS) if oddest else (_mean, GROUP_STRENGTHS)
    means = [mean(*seen) for seen in _trials(sign.stages, levels, owner)]
    chance = float(np.log(len(np.unique(owner))))
    null: tuple[float, ...] = ()
    for multiple in strengths:
        null = tuple(
            share * multiple * stage.benign_strength
            for stage, share_of_yes in zip(sign.stages, means, strict=True)
            for share in (share_of_yes, 1.0 - share_of_yes)
        )
        tables = build_tables((sign,), {sign.name: null}, {}, NO_VOLUMES, ScoringPolicy(), True)
        asked = tables.stages[0], int(tables.counts[0])
        if _ceiling(levels, owner, *asked, spared=1) <= chance:
            break
    return null


def fit_nulls(
    stages: Sequence[Stage], levels: NDArray[np.int64], owner: NDArray[np.int64]
) -> tuple[float, ...]:
    """Return Beta parameters a, b of each stage from the levels that benign queries reached."""
    fitted: list[float] = []
    for seen in _trials(stages, levels, owner):
        fitted.extend(fit_beta(*seen))
    return tuple(fitted)


def fit_beta(
    stage: Stage, trials: NDArray[np.float64], hits: NDArray[np.float64]
) -> tuple[float, float]:
    """Fit a Beta distribution to (c,) clients by the beta-binomial likelihood of their hits.

    The strength is at most the expected one, because a reference that shows little spread does not
    hold every kind of benign client that will come. The client that raises the mean most does not
    count for it, nor the one that fits worst for the strength: one intruder must not make oddity
    common. What the fit misses, the ceilings catch.
    """
    mean = _usual_mean(stage, trials, hits)
    asked = trials > 0
    n, yes = trials[asked], hits[asked]
    best, strength = -np.inf, stage.benign_strength
    for halvings in range(HALVINGS + 1):
        tried = stage.benign_strength / 2.0**halvings
        a, b = mean * tried, (1.0 - mean) * tried
        likely = betaln(a + yes, b + n - yes) - betaln(a, b)
        # A hair's better fit does not count.
        total = float(likely.sum() - likely.min(initial=0.0)) - PENALTY * halvings
        if total > best:
            best, strength = total, tried
    return mean * strength, (1.0 - mean) * strength
