"""How far one query lies from benign inputs, as a conformal p-value.

Three measures, each near 0 for ordinary rows: fields beyond their support, the Mahalanobis distance
of the fields' normal scores (a Gaussian copula, so correlations count and marginal shapes do not),
and the rarity of categories. Each is turned into the share of benign rows at least as strange; the
smallest of the three is calibrated once more the same way.

Strange alone may be new: a new group of clients differs in a field or a relation. A query made
without the data breaks many relations at once, so the broken fields of a row are counted too.
The sums run row by row, so that a query's figure never depends on its neighbours in a batch.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri

from detector.events.batch import CATEGORY_CEILING, Floats
from detector.kit.compiled import borrowing, compiled
from detector.reference.fields import KNOTS, NEVER_MISSING, Fields

MEASURES = 3
BROKEN = 3  # the column of the count of broken fields
RARE_BITS = 5.0
SUPPORT_SLACK = 0.02
NORMAL_TABLE = ndtri((np.arange(KNOTS) + 0.5) / KNOTS)


@borrowing
def _first_at_least(values: Any, x: float) -> int:
    """Return where the first of the sorted numbers stands that is x or more; their count if none.

    Neither may be NaN: numpy's search looks out for that, which takes time.
    """
    low, size = 0, len(values)
    while size > 0:
        half = size // 2
        below = values[low + half] < x
        low = low + half + 1 if below else low
        size = size - half - 1 if below else half
    return low


@borrowing
def _count_below(values: Any, x: float) -> int:
    """Return how many of the numbers are less than x.

    Of a hundred or so sorted ones this tells where x belongs several times as fast as halving,
    whose every step waits for the one before: these comparisons are made many at once.
    """
    count = 0
    for k in range(len(values)):
        count += values[k] < x
    return count


@borrowing
def _normal_score(x: float, knots: Any, scale: float, table: Any) -> float:
    """Normal score of x by linear interpolation in the quantiles, extended beyond the support."""
    last = len(knots) - 1
    if x < knots[0]:
        return table[0] - min((knots[0] - x) / scale, 3.0)
    if x > knots[last]:
        return table[last] + min((x - knots[last]) / scale, 3.0)
    left = _count_below(knots, x)
    if knots[left] == x:
        right = left
        while right < last and knots[right + 1] == x:
            right += 1
        return 0.5 * (table[left] + table[right])
    span = knots[left] - knots[left - 1]
    part = (x - knots[left - 1]) / span if span > 0 else 0.5
    return table[left - 1] + part * (table[left] - table[left - 1])


@borrowing
def normal_scores(cells: Any, knots: Any, scale: Any, table: Any, ceiling: float, out: Any) -> None:
    """Fill out (n, d) with normal scores; 0 for missing cells and categories."""
    for i in range(cells.shape[0]):
        for j in range(cells.shape[1]):
            x = cells[i, j]
            if np.isnan(x) or x < ceiling or np.isnan(knots[j, 0]):
                out[i, j] = 0.0
            else:
                out[i, j] = _normal_score(x, knots[j], scale[j], table)


@borrowing
def _rarity(x: float, codes: Any, rarity: Any) -> float:
    for k in range(len(codes)):
        if codes[k] == x:
            return rarity[k]
    return 12.0


@borrowing
def _told(row: Any, column: int, categories: Any, rarity: Any) -> bool:
    """Return whether an earlier field of the row holds the same text, as rarely."""
    for k in range(column):
        if row[k] == row[column] and _rarity(row[k], categories[k], rarity[k]) > RARE_BITS:
            return True
    return False


@borrowing
def _apply(columns: Any, scores: Any, out: Any) -> None:
    """Fill out (d,) with the matrix of these columns (d, d) times the scores (d,)."""
    out[:] = 0.0
    for k in range(len(scores)):
        share, column = scores[k], columns[k]
        for j in range(len(out)):
            out[j] += column[j] * share


@compiled
def measures(
    cells: Any, scores: Any, precision: Any, f: Any, ceiling: float, slack: float, out: Any
) -> None:
    """Fill out (n, 4); `f` is (knots, scale, missing, categories, rarity, limits).

    A number is broken when its residual, given all other fields, is beyond its limit; a category
    when it is rare; a gap when there are none in benign rows. Rare fields that say the same are
    broken once: a record of which little is known says so in many.
    """
    knots, scale, missing, categories, rarity, limits = f
    n, d = cells.shape
    # Column by column, so that all residuals grow at once and each in the order of the fields.
    columns = np.ascontiguousarray(precision.T)
    residuals = np.empty(d)
    for i in range(n):
        beyond = 0.0
        rare = 0.0
        broken = 0.0
        gap = 0.0
        for j in range(d):
            x = cells[i, j]
            if np.isnan(x):
                unusual = missing[j] < NEVER_MISSING
                beyond += unusual
                gap = max(gap, unusual)
            elif x < ceiling:
                bits = _rarity(x, categories[j], rarity[j])
                rare += bits
                broken += bits > RARE_BITS and not _told(cells[i], j, categories, rarity)
            elif np.isnan(knots[j, 0]):
                beyond += 1.0
            else:
                over = max(knots[j, 0] - x, x - knots[j, -1]) / scale[j]
                if over > slack:
                    beyond += 1.0 + min(over, 3.0)
        total = 0.0
        _apply(columns, scores[i], residuals)
        for j in range(d):
            total += residuals[j] * scores[i, j]
            number = not (np.isnan(cells[i, j]) or cells[i, j] < ceiling)
            broken += number and abs(residuals[j]) > limits[j]
        out[i, 0] = beyond
        out[i, 1] = total
        out[i, 2] = rare
        out[i, 3] = broken + gap


@borrowing
def tail_shares(values: Any, calibration: Any, out: Any) -> None:
    """Fill out (n,) with the smallest over measures of (1 + #{reference >= value}) / (1 + m)."""
    m = calibration.shape[1]
    for i in range(values.shape[0]):
        smallest = 1.0
        for c in range(calibration.shape[0]):
            # A hair of slack keeps rounding from turning a tie into an exceedance.
            below = _first_at_least(calibration[c], values[i, c] * (1.0 - 1e-9))
            smallest = min(smallest, (1.0 + m - below) / (1.0 + m))
        out[i] = smallest


@dataclass(frozen=True, slots=True)
class Relations:
    """How the d fields of benign rows go together.

    Attributes:
        precision: (d, d) precision of the normal scores.
        limits: (d,) residuals that 98% of benign rows keep within, in units of the precision.
    """

    precision: Floats
    limits: Floats


def scores_of(cells: Floats, fields: Fields) -> NDArray[np.float64]:
    """Return the normal scores of (n, d) cells; 0 for missing cells and categories."""
    scores = np.zeros_like(cells)
    normal_scores(cells, fields.knots, fields.scale, NORMAL_TABLE, CATEGORY_CEILING, scores)
    return scores


def strangeness(cells: Floats, fields: Fields, relations: Relations) -> NDArray[np.float64]:
    """Return the (n, 4) measures of each row: three of strangeness, and its broken fields."""
    cells = np.ascontiguousarray(cells)
    scores = scores_of(cells, fields)
    table = (
        fields.knots,
        fields.scale,
        fields.missing,
        fields.categories,
        fields.rarity,
        relations.limits,
    )
    out = np.zeros((len(cells), MEASURES + 1))
    measures(cells, scores, relations.precision, table, CATEGORY_CEILING, SUPPORT_SLACK, out)
    return out


def p_values(values: Floats, calibration: Floats, smallest: Floats) -> NDArray[np.float64]:
    """Return conformal p-values of (n, 3 or more) measures, of which the first three count.

    `calibration` holds sorted measures (3, m) of benign rows, `smallest` (m,) their sorted smallest
    tail shares.
    """
    tails = np.zeros(len(values))
    tail_shares(values, calibration, tails)
    rank = np.searchsorted(smallest, tails * (1.0 + 1e-9), side="right")
    shares = (1.0 + rank) / (1.0 + len(smallest))
    return np.asarray(shares, dtype=np.float64)
