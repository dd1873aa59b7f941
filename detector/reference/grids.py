"""The natural step of a field's numbers: a decimal one, or that of whole numbers in other units.

Counts, ages and amounts are whole multiples of something, and made-up values are not. A client that
sends z-scores, shares of a range or pixels over 255 sends them as multiples still, of another step
and from another origin.
"""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from detector.events.batch import CATEGORY_CEILING

GRIDS = (1.0, 0.1, 0.01, 0.001, 1e-4)
GRID_TOLERANCE = 1e-6
"""Share of a decimal step that what is learnt may be off it."""
DECIMAL_SLACK = 1e-5
"""The same of what is judged."""
LATTICE_SLACK = 0.05
"""The same of what is judged by another step: some clients send fewer digits than others."""
PRECISION = 5e-6
"""Error of the largest numbers, as a share of them, where clients send six digits."""
FINE_DECIMAL = 1e-3
"""Numbers rounded to a decimal step so fine may be z-scores of whole numbers, rounded."""
CHANCE = 1e-3
"""How likely numbers without a step may pass for multiples of one."""
MOST_PARTS = 20
"""Into how many steps the least gap between values may be divided, and the usual one at most."""
_WIDENING = 4.0

Numbers = NDArray[np.float64]


def natural_grid(numbers: Numbers) -> tuple[float, float]:
    """Return the step and the origin of a grid that all (n,) numbers lie on; a step of 0 is none.

    Zeros do not count: they stand for what is missing as often as for a number.
    """
    step = _decimal(numbers)
    values = np.unique(numbers[numbers != 0.0])
    if step > FINE_DECIMAL or len(values) < 2:
        return step, 0.0
    error = 0.6 * step + PRECISION * float(np.abs(values).max())
    found = _lattice(values, error)
    return found if found[0] > 0.0 else (step, 0.0)


def slacks(steps: Numbers, origins: Numbers) -> Numbers:
    """Return the shares of (d,) steps that a number on the grid may be off."""
    return np.where(np.isin(steps, GRIDS) & (origins == 0.0), DECIMAL_SLACK, LATTICE_SLACK)


def off_grid(numbers: Numbers, step: float, origin: float) -> NDArray[np.bool_]:
    """Return which of (n,) cells are numbers off a grid; zeros are off none."""
    off = np.zeros(len(numbers), dtype=np.bool_)
    if step > 0.0:
        judged = (numbers >= CATEGORY_CEILING) & (numbers != 0.0)
        multiples = (numbers[judged] - origin) / step
        [slack] = slacks(np.array([step]), np.array([origin]))
        off[judged] = np.abs(multiples - np.round(multiples)) > slack
    return off


def _decimal(numbers: Numbers) -> float:
    """Return the coarsest of `GRIDS` under which all numbers are multiples, or 0."""
    if np.abs(numbers).max() > 1e9:
        return 0.0
    for step in GRIDS:
        multiples = numbers / step
        if (np.abs(multiples - np.round(multiples)) <= GRID_TOLERANCE).all():
            return step
    return 0.0


def _lattice(values: Numbers, error: float) -> tuple[float, float]:
    """Return step and origin of the coarsest lattice that (m,) sorted values lie on within `error`.

    (0, 0) when there is none that chance would not give as well.
    """
    values = values[np.diff(values, prepend=-np.inf) > 2.0 * error]
    gaps = np.diff(values)
    if not len(gaps) or gaps.min() * LATTICE_SLACK < error:
        return 0.0, 0.0
    at = int(gaps.argmin())
    for parts in _parts(len(values), error / float(gaps[at])):
        step, origin = _refined(values, at, float(gaps[at]), parts)
        if float(np.median(gaps)) > MOST_PARTS * step:
            break
        multiples = (values - origin) / step
        if np.abs(multiples - np.round(multiples)).max() <= error / step <= LATTICE_SLACK:
            return step, origin
    return 0.0, 0.0


def _parts(count: int, share: float) -> Iterator[int]:
    """Yield into how many steps the least gap may be divided.

    A value without a step fits one by a chance of twice the share of it that it may be off; two
    values always fit, and every division is one more try.
    """
    for parts in range(1, MOST_PARTS + 1):
        if parts * min(2.0 * share * parts, 1.0) ** (count - 2) > CHANCE and count > 2:
            return
        yield parts
        if count == 2:
            return


def _refined(values: Numbers, at: int, gap: float, parts: int) -> tuple[float, float]:
    """Return step and origin by least squares, over ever more of the values around number `at`.

    The step is about `gap` over `parts`, too inexact to count the multiples far from there.
    """
    away = values - values[at]
    farthest, reach, step = float(np.abs(away).max()), gap, gap / parts
    while reach < farthest:
        reach = min(_WIDENING * reach, farthest)
        near = away[np.abs(away) <= reach]
        multiples = np.round(near / step)
        step = float(multiples @ near / (multiples @ multiples))
    multiples = np.round(away / step)
    centred = multiples - multiples.mean()
    step = float(centred @ values / (centred @ centred))
    origin = float(values.mean() - step * multiples.mean())
    return step, origin - step * float(np.round(origin / step))
