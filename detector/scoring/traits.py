"""What a client's conspicuous queries have in common, by name: hypotheses are told apart by it."""

from typing import NamedTuple

from detector.features.observation import Probe
from detector.features.state import Stat, Trace
from detector.features.view import RowView


class Traits(NamedTuple):
    """Shares in [0, 1] of the conspicuous queries, of which older ones have faded.

    Attributes:
        queries: How many there are, after fading.
        one_field: That change one field by other than an artificial step.
        searching: Of those, by a value that a search would choose.
        routine: That repeat a routine on another record.
        local: Close to a remembered one.
        lone: Close to none.
        steps, lines, mirrors, flips: Of the local ones: single-field steps, on lines, mirrored,
            with another label than the query they go out from.
        natural: Of the local ones: about a record that is natural.
        switches: Of the local ones: about another record than the one before.
        same: That got the label of the conspicuous query before, alike for lone and local ones.
        scattered: Farther from all others than is benign.
        spanned: That stand in the span of few others.
        hop: Mean distance from the conspicuous query before, root mean square over the fields in
            shares of their ranges. Random points are .41 apart.
        spread: The same from older ones.
        home: Mean distance from the record that they go out from or lead to, in the same units; 1
            for those that have none.
        moves: Whose home is another than that of the one before.
        beyond: With another label than their home.
        homes: Homes that many in a row went out from or led to, in the client's whole life.
        mirrored: Queries in mirrors of others, in the whole life.
    """

    queries: float
    one_field: float
    searching: float
    routine: float
    local: float
    lone: float
    steps: float
    lines: float
    mirrors: float
    flips: float
    natural: float
    switches: float
    same: float
    scattered: float
    spanned: float
    hop: float
    spread: float
    home: float
    moves: float
    beyond: float
    homes: int
    mirrored: int

    @property
    def ratio(self) -> float:
        """Hop over spread: about 1 around one centre or none, less from centre to centre."""
        return self.hop / self.spread if self.spread > 0.0 else 1.0

    @property
    def away(self) -> float:
        """Home over spread: about 1 around one record, less from record to record."""
        return self.home / self.spread if self.spread > 0.0 else 0.0


def read_traits(view: RowView) -> Traits:
    """Return the traits of a client."""
    trace = view.traces

    def of(top: Trace, bottom: Trace) -> float:
        whole = trace[bottom]
        return trace[top] / whole if whole > 0.0 else 0.0

    total = Trace.SUM
    alike = trace[Trace.SAME_LABEL] + trace[Trace.LONE_SAME]
    compared = trace[Trace.LOCAL] + trace[Trace.LONE]
    return Traits(
        queries=trace[total],
        one_field=of(Trace.ONE_FIELD, total),
        searching=of(Trace.SEARCH, Trace.ONE_FIELD),
        routine=of(Trace.ROUTINE, total),
        local=of(Trace.LOCAL, total),
        lone=of(Trace.LONE, total),
        steps=of(Trace.STEP, Trace.LOCAL),
        lines=of(Trace.LINE, Trace.LOCAL),
        mirrors=of(Trace.MIRROR, Trace.LOCAL),
        flips=of(Trace.FLIP, Trace.LOCAL),
        natural=of(Trace.NATURAL_ROOT, Trace.LOCAL),
        switches=of(Trace.SWITCH, Trace.LOCAL),
        same=alike / compared if compared > 0.0 else 1.0,
        scattered=of(Trace.SCATTERED, total),
        spanned=of(Trace.SPANNED, total),
        hop=of(Trace.HOP, total),
        spread=of(Trace.SPREAD, total),
        home=of(Trace.HOME, total),
        moves=of(Trace.NEW_HOME, total),
        beyond=of(Trace.BEYOND, total),
        homes=int(view.stat(Stat.HOMES)),
        mirrored=view.count(frozenset({Probe.SYMMETRIC})),
    )
