"""Learning the picture from benign rows; the client-level part is added by the calibration.

Apart from what judges by it: who only judges need not load what learns.
"""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from sklearn.cluster import KMeans
from sklearn.covariance import LedoitWolf
from threadpoolctl import threadpool_limits

from detector.events.batch import Floats
from detector.events.model import ModelKey
from detector.reference.answers import EMPTY
from detector.reference.fields import Fields, fit_fields, scaled
from detector.reference.forest import NO_FOREST
from detector.reference.layout import PLAIN, Layout
from detector.reference.picture import Reference
from detector.reference.sketch import fit_units
from detector.reference.surprise import (
    BROKEN,
    MEASURES,
    Relations,
    scores_of,
    strangeness,
    tail_shares,
)
from detector.reference.typical import typical_quantile
from detector.reference.units import numbers_of

CELLS = 64
LOW_MARGIN_SHARE = 0.05
BROKEN_SHARE = 0.99
RESIDUAL_SHARE = 0.98
MIN_USUAL = 40
# Margins that a client's 5% quantile wants, and all together do.
MIN_MARGINS, LEAST_MARGINS = 20, 100
MAX_ROWS_A_CLIENT = 400
MAX_CALIBRATION_ROWS = 8192
MAX_POINTS = 8192


@dataclass(frozen=True, slots=True)
class BenignRows:
    """Inputs and outputs of benign clients: n rows, d fields.

    Attributes:
        cells: (n, d) input cells, unfolded.
        names: The d field names.
        owner: (n,) number of the client that sent the row.
        margins: (n,) margins, NaN without scores.
        layout: How they stand in columns; the units are learnt where it has none.
    """

    cells: Floats
    names: tuple[str, ...]
    owner: NDArray[np.int64]
    margins: Floats
    layout: Layout = PLAIN

    def capped(self) -> "BenignRows":
        """Return at most `MAX_ROWS_A_CLIENT` rows a client."""
        chosen = capped(self.owner)
        return replace(
            self, cells=self.cells[chosen], owner=self.owner[chosen], margins=self.margins[chosen]
        )


def capped(owner: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return numbers of the (n,) clients' rows, at most `MAX_ROWS_A_CLIENT` of each.

    They are evenly spread over its life.
    """
    keep = []
    for client in np.unique(owner):
        rows = np.flatnonzero(owner == client)
        stride = -(-len(rows) // MAX_ROWS_A_CLIENT)
        keep.append(rows[::stride])
    return np.sort(np.concatenate(keep))


def fit(model: ModelKey, rows: BenignRows) -> Reference:
    """Return a reference of input and output space, not yet calibrated at the level of clients."""
    events, clients = len(rows.cells), len(np.unique(rows.owner))
    rows = rows.capped()
    layout = rows.layout
    if not layout.units.size:
        layout = replace(layout, units=fit_units(rows.cells))
    folded, _ = layout.fold(rows.cells, rows.names)
    fields = fit_fields(folded, rows.owner)
    calibration, smallest, broken = _calibrate(folded, rows.owner)
    relations = fit_relations(folded, fields)
    return Reference(
        model=model,
        names=rows.names,
        fields=fields,
        precision=relations.precision,
        limits=relations.limits,
        broken=broken,
        calibration=calibration,
        smallest=smallest,
        centroids=_cells(folded, fields),
        near=0.0,
        typical=0.0,
        apart=np.inf,
        low_margin=_low_margin(rows),
        nulls={},
        ceilings={},
        volumes=np.zeros(0),
        vectors=np.zeros((0, 0)),
        forest=NO_FOREST,
        answers=EMPTY,
        events=events,
        clients=clients,
        layout=layout,
    )


def relearn(reference: Reference, folded: Floats, owner: NDArray[np.int64]) -> Reference:
    """Return the reference with its fields and relations learnt from other (n, d) folded rows."""
    fields = fit_fields(folded, owner)
    relations = fit_relations(folded, fields)
    return replace(reference, fields=fields, precision=relations.precision, limits=relations.limits)


def fit_relations(cells: Floats, fields: Fields) -> Relations:
    """Learn the relations: shrunk precision (Ledoit and Wolf 2004) and usual residuals.

    The residual of a field given all others is the precision's row applied to the scores, up to a
    constant (Lauritzen 1996, section 5.1).
    """
    scores = scores_of(cells, fields)
    precision = LedoitWolf(assume_centered=True).fit(scores).precision_
    limits = np.quantile(np.abs(scores @ precision), RESIDUAL_SHARE, axis=0)
    return Relations(np.ascontiguousarray(precision), np.ascontiguousarray(limits))


def _calibrate(folded: Floats, owner: NDArray[np.int64]) -> tuple[Floats, Floats, float]:
    """Return sorted strangeness of rows judged by a picture that never saw their clients.

    That is the measures, their smallest tail shares, and the most fields that the rows of the
    typical client break, but for one in 100. Odd clients do not raise that limit; how many there
    are shows in the calibration of clients.
    """
    fold_number = owner % 2
    if len(np.unique(fold_number)) < 2:
        fold_number = np.arange(len(owner)) % 2
    parts, owners = [], []
    for side in (0, 1):
        owners.append(owner[fold_number == side])
        learn, judge = folded[fold_number != side], folded[fold_number == side]
        fields = fit_fields(learn, owner[fold_number != side])
        parts.append(strangeness(judge, fields, fit_relations(learn, fields)))
    values = np.concatenate(parts)
    broken = _usual(values[:, BROKEN], np.concatenate(owners))
    stride = -(-len(values) // MAX_CALIBRATION_ROWS)
    values = values[::stride]
    calibration = np.ascontiguousarray(np.sort(values[:, :MEASURES].T, axis=1))
    smallest = np.zeros(len(values))
    tail_shares(values, calibration, smallest)
    return calibration, np.sort(smallest), broken


def _usual(counts: Floats, owner: NDArray[np.int64]) -> float:
    """Return the (n,) count that a client's rows stay within but for one in 100, median client."""
    usual = typical_quantile(counts, owner, BROKEN_SHARE, MIN_USUAL, "higher")
    return float(counts.max()) if usual is None else usual


def _cells(folded: Floats, fields: Fields) -> Floats:
    """Return the centres of a partition of the input space into up to `CELLS` cells."""
    points = numbers_of(scaled(folded, fields))
    distinct = len(np.unique(points[: CELLS * 20], axis=0))
    model = clustered(points[:: 1 + len(points) // MAX_POINTS], min(CELLS, distinct))
    return np.ascontiguousarray(model.cluster_centers_)


def clustered(points: Floats, count: int) -> KMeans:
    """Return a partition of (n, d) points, of which at least `count` are distinct."""
    # More threads add in another order, and a reference must come out the same everywhere.
    with threadpool_limits(1):
        return KMeans(count, n_init=1, max_iter=25, random_state=0).fit(points)


def _low_margin(rows: BenignRows) -> float:
    """Return the margin that 5% of benign queries stay under, each client counting alike."""
    known = ~np.isnan(rows.margins)
    if known.sum() < LEAST_MARGINS:
        return -1.0
    usual = typical_quantile(rows.margins[known], rows.owner[known], LOW_MARGIN_SHARE, MIN_MARGINS)
    return -1.0 if usual is None else usual
