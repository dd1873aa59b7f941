"""What one query looks like beside its client's recent ones: a small code that hypotheses read."""

from enum import IntEnum
from typing import NamedTuple


class Probe(IntEnum):
    """How a query relates to the client's remembered queries; the first that fits, in this order.

    FIRST: nothing to compare with, or no input logged.
    REPEAT: equal to a remembered query.
    ONE_FIELD: differs from a remembered query in one field, by an ordinary value.
    ONE_FIELD_SEARCH: the same, by a value that a search would choose: the midpoint of two values
        tried before, or a field left out.
    ONE_FIELD_STEP: the same, by an artificial step in another field than the one before.
    COLLINEAR: several fields, on one line with two remembered queries.
    SYMMETRIC: several fields, mirrored at a remembered query or closing a pair of equal centres.
    NEAR_STEP: near a remembered query, at exactly the distance of the near query before.
    NEAR: much nearer to a remembered query than benign clients' queries are.
    FAR: none of these.
    """

    FIRST = 0
    REPEAT = 1
    ONE_FIELD = 2
    ONE_FIELD_SEARCH = 3
    ONE_FIELD_STEP = 4
    COLLINEAR = 5
    SYMMETRIC = 6
    NEAR_STEP = 7
    NEAR = 8
    FAR = 9


PERTURBATIONS = frozenset(
    {Probe.ONE_FIELD_STEP, Probe.COLLINEAR, Probe.SYMMETRIC, Probe.NEAR_STEP, Probe.NEAR}
)
STRUCTURED = PERTURBATIONS - {Probe.NEAR}
ONE_FIELD_CHANGES = frozenset({Probe.ONE_FIELD, Probe.ONE_FIELD_SEARCH, Probe.ONE_FIELD_STEP})


class Observation(NamedTuple):
    """One query, reduced to what hypotheses distinguish.

    Attributes:
        probe: Its relation to the remembered queries.
        record: Some class reached its highest score of this client so far, while probing.
        flip: The label differs from that of the remembered query it was compared with.
        strange: Among the strangest 2% of benign queries.
        off_grid: Two numbers or more are off the grid that all benign values of their fields keep.
        low_margin: The margin is under the reference's 5% quantile.
        revalue: The swept field takes the value that stood in this place on the record before.
    """

    probe: Probe
    record: bool
    flip: bool
    strange: bool
    off_grid: bool
    low_margin: bool
    revalue: bool


PROBES = len(Probe)
CODES = PROBES * 2**6


def decode(code: int) -> Observation:
    """Return the observation that the kernel packed: the probe above one bit for each flag.

    The bits are, from the highest: record, flip, strange, off_grid, low_margin, revalue.
    """
    probe, bits = divmod(code, 2**6)
    record, flip, strange, off_grid, low_margin, revalue = (
        bool(bits >> place & 1) for place in range(5, -1, -1)
    )
    return Observation(Probe(probe), record, flip, strange, off_grid, low_margin, revalue)
