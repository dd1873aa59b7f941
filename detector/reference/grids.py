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

LEAST_CLIENTS = 5
"""Of so many and more, a single one may break a grid."""
LEAST_SHARED = 3
"""Values that several clients sent, lest chance make a grid of them."""

Numbers = NDArray[np.float64]
Owners = NDArray[np.int64]


def natural_grid(numbers: Numbers, owner: Owners | None = None) -> tuple[float, float]:
    """Return the step and the origin of a grid that all (n,) numbers lie on; a step of 0 is none.

    Zeros do not count: they stand for what is missing as often as for a number. Nor does one client
    that breaks a grid, where `owner` (n,) says whose the numbers are: somebody's made-up numbers
    must not hide that others' are rounded. Several may be a habit that will come again.
    """
    told = numbers != 0.0
    numbers, owner = numbers[told], owner if owner is None else owner[told]
    step = _decimal(numbers, owner)
    values = np.unique(numbers)
    if step > FINE_DECIMAL or len(values) < 2:
        return step, 0.0
    found = _lattice(values, _error(values, step))
    if found[0] == 0.0 and owner is not None:
        found = _shared_lattice(numbers, owner, step)
    return found if found[0] > 0.0 else (step, 0.0)


def _error(values: Numbers, step: float) -> float:
    """Return how far values that are rounded to a decimal step may be off another grid."""
    return 0.6 * step + PRECISION * float(np.abs(values).max())


def _shared_lattice(numbers: Numbers, owner: Owners, step: float) -> tuple[float, float]:
    """Return the lattice of values that several clients sent, if one client at most breaks it."""
    pairs = np.unique(np.column_stack([numbers, owner]), axis=0)
    values, senders = np.unique(pairs[:, 0], return_counts=True)
    values = values[senders > 1]
    if len(values) < LEAST_SHARED:
        return 0.0, 0.0
    error = _error(values, step)
    found = _lattice(values, error)
    if found[0] > 0.0:
        multiples = (numbers - found[1]) / found[0]
        if not _one_at_most(np.abs(multiples - np.round(multiples)) > error / found[0], owner):
            return 0.0, 0.0
    return found


def _one_at_most(breaks: NDArray[np.bool_], owner: Owners | None) -> bool:
    """Return whether one client at most sent the numbers that break a grid."""
    if not breaks.any():
        return True
    if owner is None:
        return False
    return len(np.unique(owner[breaks])) == 1 and len(np.unique(owner)) >= LEAST_CLIENTS


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


def _decimal(numbers: Numbers, owner: Owners | None) -> float:
    """Return the coarsest of `GRIDS` under which all numbers but few are multiples, or 0."""
    large = np.abs(numbers) > 1e9
    for step in GRIDS:
        multiples = numbers / step
        breaks = np.abs(multiples - np.round(multiples)) > GRID_TOLERANCE
        if _one_at_most(breaks | large, owner):
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
