"""The reference as the kernel sees it."""

import numpy as np
from numpy.typing import NDArray

from detector.events.batch import Floats
from detector.features.observe import Lens
from detector.reference.fit import scaled
from detector.reference.picture import Reference


def make_lens(reference: Reference | None, width: int) -> Lens:
    """Return what the kernel needs to know of a model with `width` folded columns."""
    if reference is None:
        ones, zeros = np.ones(width), np.zeros(width)
        return Lens(0, 0, 0.0, -1.0, ones, zeros, np.zeros((1, width)))
    fields = reference.fields
    return Lens(
        calibrated=1,
        gridded=int(2 * (fields.grid > 0).sum() >= np.isfinite(fields.knots[:, 0]).sum()),
        near=reference.near,
        low_margin=reference.low_margin,
        scale=fields.scale,
        grid=fields.grid,
        centroids=reference.centroids,
    )


def view_cells(cells: Floats, reference: Reference | None) -> NDArray[np.float32]:
    """Return folded cells in the units that the kernel compares in, contiguous."""
    if reference is None:
        return np.ascontiguousarray(cells.astype(np.float32))
    return np.ascontiguousarray(scaled(cells, reference.fields))
