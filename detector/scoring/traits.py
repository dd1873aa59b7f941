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
        scattered: Farther from the others on the whole than is benign.
        spanned: That stand in the span of few others.
        hop: Mean distance from the conspicuous query before, root mean square over the fields in
            shares of their ranges. Random points are .41 apart.
        spread: The same from older ones.
        home: Mean distance from the record that they go out from or lead to, in the same units; 1
            for those that have none.
        moves: Whose home is another than that of the one before.
        beyond: With another label than their home.
        homes: Homes that many in a row went out from or led to, in the client's whole life.
        asked: Ordinary queries about records apart from others, in the whole life.
        visits: Of those: with many conspicuous queries in a row right behind.
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
    asked: int
    visits: int
    mirrored: int

    @property
    def stepped(self) -> float:
        """Share of all that are single-field steps."""
        return self.steps * self.local

    @property
    def lined(self) -> float:
        """Share of all that are close and on lines."""
        return self.lines * self.local

    @property
    def paired(self) -> float:
        """Share of all that are close and mirrored."""
        return self.mirrors * self.local

    @property
    def ratio(self) -> float:
        """Hop over spread: about 1 around one centre or none, less from centre to centre."""
        return self.hop / self.spread if self.spread > 0.0 else 1.0

    @property
    def away(self) -> float:
        """Home over spread: about 1 around one record, less from record to record."""
        return self.home / self.spread if self.spread > 0.0 else 0.0


# Traits that are one column of the trace over another; 0 where that is 0.
_SHARES = {
    "one_field": (Trace.ONE_FIELD, Trace.SUM),
    "searching": (Trace.SEARCH, Trace.ONE_FIELD),
    "routine": (Trace.ROUTINE, Trace.SUM),
    "local": (Trace.LOCAL, Trace.SUM),
    "lone": (Trace.LONE, Trace.SUM),
    "steps": (Trace.STEP, Trace.LOCAL),
    "lines": (Trace.LINE, Trace.LOCAL),
    "mirrors": (Trace.MIRROR, Trace.LOCAL),
    "flips": (Trace.FLIP, Trace.LOCAL),
    "natural": (Trace.NATURAL_ROOT, Trace.LOCAL),
    "switches": (Trace.SWITCH, Trace.LOCAL),
    "scattered": (Trace.SCATTERED, Trace.SUM),
    "spanned": (Trace.SPANNED, Trace.SUM),
    "hop": (Trace.HOP, Trace.SUM),
    "spread": (Trace.SPREAD, Trace.SUM),
    "home": (Trace.HOME, Trace.SUM),
    "moves": (Trace.NEW_HOME, Trace.SUM),
    "beyond": (Trace.BEYOND, Trace.SUM),
}
_COLUMNS = [(name, int(top), int(bottom)) for name, (top, bottom) in _SHARES.items()]
_MIRRORED = frozenset({Probe.SYMMETRIC})


def read_traits(view: RowView) -> Traits:
    """Return the traits of a client."""
    trace = view.traces
    alike = trace[Trace.SAME_LABEL] + trace[Trace.LONE_SAME]
    compared = trace[Trace.LOCAL] + trace[Trace.LONE]
    shares = {
        name: trace[top] / trace[bottom] if trace[bottom] > 0.0 else 0.0
        for name, top, bottom in _COLUMNS
    }
    return Traits(
        queries=trace[Trace.SUM],
        same=alike / compared if compared > 0.0 else 1.0,
        homes=int(view.stat(Stat.HOMES)),
        asked=int(view.stat(Stat.ASKED)),
        visits=int(view.stat(Stat.VISITS)),
        mirrored=view.count(_MIRRORED),
        **shares,
    )
