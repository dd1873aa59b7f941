"""The reference as the kernel sees it."""

import numpy as np
from numpy.typing import NDArray

from detector.events.batch import Floats
from detector.features.estimate import ROOM
from detector.features.observe import Lens
from detector.reference.fields import KNOTS, Fields, scaled
from detector.reference.grids import slacks
from detector.reference.picture import Reference

COARSE = 0.005
# An end that more than three in 128 benign values share is an ordinary value.
PILE = 3


def make_lens(reference: Reference | None, width: int) -> Lens:
    """Return what the kernel needs to know of a model with `width` folded columns.

    A grid is coarse when fewer than 200 of its steps span a field's 10-90% range.
    """
    if reference is None:
        ones, zeros = np.ones(width), np.zeros(width)
        return Lens(
            0, 0, 0.0, 0.0, 0.0, np.inf, -1.0, ones, ones, zeros, zeros, zeros, zeros, zeros,
            _no_ends(width), np.zeros((width, 1)), np.zeros((width, 1), dtype=np.float32),
            make_room(),
        )  # fmt: skip
    fields, cells = reference.fields, np.ascontiguousarray(reference.centroids.T)
    steps = fields.grid / fields.scale
    fine = steps[(steps > 0.0) & (steps < COARSE)]
    numbers = np.isfinite(fields.knots[:, 0]).sum()
    return Lens(
        calibrated=1,
        gridded=int(2 * (steps >= COARSE).sum() >= numbers),
        rounded=float(fine.max()) if len(fine) else 0.0,
        near=reference.near,
        typical=reference.typical,
        apart=reference.apart,
        low_margin=reference.low_margin,
        scale=fields.scale,
        span=spans(fields),
        grid=fields.grid,
        origin=fields.origin,
        slack=slacks(fields.grid, fields.origin),
        lattice=_lattice(fields),
        missing=fields.missing,
        ends=ends(fields),
        cells=cells,
        coarse=cells.astype(np.float32),
        room=make_room(),
    )


def make_room() -> NDArray[np.float32]:
    """Return room for the estimates of one kernel at a time."""
    return np.zeros(ROOM, dtype=np.float32)


def spans(fields: Fields) -> NDArray[np.float64]:
    """Return the (d,) ranges of the numbers in scaled units, 1 where there are none."""
    ranges = (fields.knots[:, -1] - fields.knots[:, 0]) / fields.scale
    return np.where(ranges > 0.0, ranges, 1.0)


def _lattice(fields: Fields) -> NDArray[np.float64]:
    """Return the (d,) mean scaled steps of gridless numbers that take few values, 0 for others.

    Logarithms of whole numbers are such: two of them are halved by a third all the time.
    """
    knots = np.round((fields.knots - fields.center[:, None]) / fields.scale[:, None], 4)
    values = np.array([len(np.unique(row)) for row in knots])
    few = np.isfinite(knots[:, 0]) & (fields.grid == 0.0) & (2 * values < knots.shape[1])
    return np.where(few, spans(fields) / np.maximum(values - 1, 1), 0.0)


def _no_ends(width: int) -> NDArray[np.float64]:
    return np.tile([-np.inf, np.inf, -np.inf, np.inf], (width, 1))


def ends(fields: Fields) -> NDArray[np.float64]:
    """Return (d, 4) scaled low ends, lower and upper quartiles, and high ends of the numbers.

    The ends are the quantiles next to the extremes, of which one value may be odd. Where many
    benign values pile up at an end it is an ordinary value, and infinite here.
    """
    knots, last = fields.knots, KNOTS - 1
    places = [1, last // 4, last - last // 4, last - 1]
    found = (knots[:, places] - fields.center[:, None]) / fields.scale[:, None]
    known = _no_ends(len(knots))
    low = knots[:, PILE] > knots[:, 1]
    high = knots[:, last - PILE] < knots[:, last - 1]
    known[low, :2] = found[low, :2]
    known[high, 2:] = found[high, 2:]
    return known


def view_cells(cells: Floats, reference: Reference | None) -> NDArray[np.float32]:
    """Return folded cells in the units that the kernel compares in, contiguous."""
    if reference is None:
        return np.ascontiguousarray(cells.astype(np.float32))
    return np.ascontiguousarray(scaled(cells, reference.fields))
