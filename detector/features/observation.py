"""What one query looks like beside its client's remembered ones: a small code that signs read."""

from enum import IntEnum
from typing import NamedTuple


class Probe(IntEnum):
    """How a query relates to the client's remembered queries; the first that fits, in this order.

    FIRST: nothing to compare with, or no input logged.
    REPEAT: equal to a remembered query.
    ONE_FIELD: differs from a remembered query in one field, by an ordinary value.
    ONE_FIELD_CHOICE: the same, where too few values could be chosen for the choice to tell.
    ONE_FIELD_SEARCH: the same, by a value that a search would choose: the midpoint of two values
        tried before, an end of the field's range, or a field left out.
    ONE_FIELD_STEP: the same, by an artificial step in another field than the one before.
    COLLINEAR: several fields, on one line with two remembered queries.
    SYMMETRIC: several fields, mirrored at a remembered query or closing a pair of equal centres.
    FIXED_STEP: near, at exactly the distance from a remembered query that an earlier query had
        from its own.
    EQUAL_STEP: the same, from a remembered query that is not near.
    NEAR: much nearer to a remembered query than benign clients' queries are.
    FAR: none of these.
    """

    FIRST = 0
    REPEAT = 1
    ONE_FIELD = 2
    ONE_FIELD_CHOICE = 3
    ONE_FIELD_SEARCH = 4
    ONE_FIELD_STEP = 5
    COLLINEAR = 6
    SYMMETRIC = 7
    FIXED_STEP = 8
    NEAR = 9
    EQUAL_STEP = 10
    FAR = 11


PERTURBATIONS = frozenset(
    {Probe.ONE_FIELD_STEP, Probe.COLLINEAR, Probe.SYMMETRIC, Probe.FIXED_STEP, Probe.NEAR}
)
STRUCTURED = (PERTURBATIONS - {Probe.NEAR}) | {Probe.EQUAL_STEP}
ONE_FIELD_CHANGES = frozenset(
    {Probe.ONE_FIELD, Probe.ONE_FIELD_CHOICE, Probe.ONE_FIELD_SEARCH, Probe.ONE_FIELD_STEP}
)


class Observation(NamedTuple):
    """One query, reduced to what signs distinguish.

    Attributes:
        probe: Its relation to the remembered queries.
        record: A class reached its highest score among this client's unnatural queries.
        flip: The label differs from that of the remembered query it was compared with.
        strange: Among the strangest 2% of benign queries.
        broken: Breaks more relations between fields than benign queries do.
        shattered: Breaks far more of them, in many fields at once.
        off_grid: Two numbers or more are off the grid that all benign values of their fields keep.
        scattered: Farther from the remembered queries on average than 98% of those of a typical
            benign client are from its own.
        remote: Scattered, and the mean square of the distances is a fifth larger still.
        low_margin: The margin is under the reference's low quantile, and no similar query is
            remembered.
        routine: Record after record is treated alike: one field is tried with the values of the
            record before, or a burst of close queries follows on another.
        tells_routine: Whether the query could tell that.
        aligned: Several remembered queries place it: one field changes about the centre of a pair
            of changes in another, or several fields stand in the span of few conspicuous queries.
    """

    probe: Probe
    record: bool
    flip: bool
    strange: bool
    broken: bool
    shattered: bool
    off_grid: bool
    scattered: bool
    remote: bool
    low_margin: bool
    routine: bool
    tells_routine: bool
    aligned: bool


PROBES = len(Probe)
FLAGS = len(Observation._fields) - 1
CODES = PROBES << FLAGS


def decode(code: int) -> Observation:
    """Return the observation that the kernel packed: the probe above one bit for each flag.

    The bits are in the order of the fields, from the highest.
    """
    probe, bits = divmod(code, 1 << FLAGS)
    return Observation(Probe(probe), *(bool(bits >> place & 1) for place in reversed(range(FLAGS))))
