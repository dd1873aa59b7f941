"""Refreshing a reference from recent traffic, as a use case: who may teach, and how much."""

import math
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from msgspec import structs

from detector.events.assemble import assemble
from detector.events.batch import ColumnTable
from detector.events.located import LocatedEvent
from detector.events.model import Input, ModelKey
from detector.kit.errors import ConfigurationError
from detector.pipeline.learn import learn
from detector.pipeline.watch import ModelWatch
from detector.reference.moves import Bounds, Move
from detector.reference.picture import Reference
from detector.reference.refresh import refresh
from detector.reference.volumes import Volumes
from detector.reference.witnesses import RecentRows
from detector.scoring.finding import AttackClass
from detector.scoring.grow import planted
from detector.scoring.tables import ScoringPolicy

STRANGE = 0.02
STRANGER_THAN_MEDIAN = 2.0
STRANGE_SLACK = 0.1


@dataclass(frozen=True, slots=True)
class RefreshPolicy:
    """Who may teach a refresh.

    Attributes:
        scoring: How sure to be of an attacker, who then does not teach.
        client_share: No client gives more than this share of the rows offered, or than its even
            part of them when there are too few clients for that.
        strangest: Share of clients, those least like the reference, who do not teach either.
        min_clients: Clients that must be left.
        min_events: Events of theirs.
        max_clients: Clients held in state while looking for attackers.
        bounds: How far the reference may go.
    """

    scoring: ScoringPolicy = field(default_factory=ScoringPolicy)
    client_share: float = 0.02
    strangest: float = 0.1
    min_clients: int = 20
    min_events: int = 500
    max_clients: int = 100_000
    bounds: Bounds = field(default_factory=Bounds)


@dataclass(frozen=True, slots=True)
class RefreshResult:
    """A new version and how it came about.

    Attributes:
        reference: The version, not yet stored.
        moves: What moved, farthest first; empty when a person approved the candidate as it is.
        left_out: Why each client that did not teach did not.
        clients: How many clients taught.
        events: How many of their events did.
    """

    reference: Reference
    moves: tuple[Move, ...]
    left_out: Mapping[str, str]
    clients: int
    events: int


class ReferenceRefresher:
    """Collects recent traffic of one model and turns it into the next version of a reference."""

    def __init__(self, current: Reference, policy: RefreshPolicy | None = None) -> None:
        self._current = current
        self._policy = policy or RefreshPolicy()
        self._events: list[LocatedEvent] = []

    @property
    def model(self) -> ModelKey:
        """Whose traffic is wanted."""
        return self._current.model

    def add(self, events: Iterable[LocatedEvent]) -> None:
        """Take the events of the model, in the order of the log; others are passed over."""
        self._events.extend(item for item in events if item.event.model == self.model)

    def refresh(self, anchor: Reference) -> RefreshResult:
        """Return the next version, within the bounds of the anchor.

        Raises:
            DriftRefusedError: recent traffic lies too far from the anchor.
            ConfigurationError: too little traffic is left, or the references do not fit together.
        """
        kept, left_out, volumes = self._gate()
        candidate = learn(self.model, kept, self._current).with_volumes(volumes)
        moved = refresh(self._current, candidate, anchor, self._rows(kept), self._policy.bounds)
        return _result(planted(moved.reference), moved.moves, kept, left_out)

    def approve(self) -> RefreshResult:
        """Return the candidate as recent traffic taught it, bounded by nothing: a new anchor.

        Raises:
            ConfigurationError: too little traffic is left.
        """
        kept, left_out, volumes = self._gate()
        return _result(learn(self.model, kept).with_volumes(volumes), (), kept, left_out)

    def _gate(self) -> tuple[list[LocatedEvent], dict[str, str], Volumes]:
        """Return the events that may teach, why other clients' may not, and how much is asked."""
        watch = ModelWatch(
            self.model, self._current, self._policy.scoring, self._policy.max_clients, 0
        )
        left_out = _suspects(watch, self._events)
        table = self._current.layout.table(self._current.names)
        usable = [
            LocatedEvent(item.position, structs.replace(item.event, input=known))
            for item in self._events
            if item.event.client_id not in left_out
            and (known := _known(item.event.input, table)) is not None
        ]
        odd = self._strangest(usable)
        left_out |= odd
        usable = [item for item in usable if item.event.client_id not in odd]
        kept = list(_capped(usable, self._policy.client_share))
        teachers = dict.fromkeys(item.event.client_id for item in kept)
        clients = len(teachers)
        if clients < self._policy.min_clients or len(kept) < self._policy.min_events:
            raise ConfigurationError(
                f"model {self.model.model_id!r}: a refresh needs at least "
                f"{self._policy.min_events} events with inputs from {self._policy.min_clients} "
                f"clients; {len(kept)} events from {clients} clients are left after "
                f"{len(left_out)} clients were left out"
            )
        # Of the events not all are kept, but how much somebody asks is told by all of them.
        return kept, left_out, watch.volumes(teachers)

    def _strangest(self, events: Sequence[LocatedEvent]) -> dict[str, str]:
        """Return the clients least like the reference: few, and plainly unlike the others."""
        if not events:
            return {}
        rows = self._rows(events)
        shares_of_tail, _ = self._current.judge(rows.cells)
        strange = shares_of_tail <= STRANGE
        clients = list(dict.fromkeys(item.event.client_id for item in events))
        shares = np.bincount(rows.owner, strange) / np.bincount(rows.owner)
        plain = STRANGER_THAN_MEDIAN * float(np.median(shares)) + STRANGE_SLACK
        most = int(np.ceil(self._policy.strangest * len(clients)))
        return {
            clients[k]: f"{shares[k]:.0%} of its inputs are strange to the reference in force"
            for k in np.argsort(-shares, kind="stable")[:most].tolist()
            if shares[k] > plain
        }

    def _rows(self, events: Sequence[LocatedEvent]) -> RecentRows:
        """Return the events' inputs in the reference's columns."""
        layout, names = self._current.layout, self._current.names
        batch = assemble(self.model, events, layout.table(names))
        numbers: dict[str, int] = {}
        owner = [numbers.setdefault(client, len(numbers)) for client in batch.clients]
        cells, columns = layout.fold(batch.cells, names)
        return RecentRows(
            np.ascontiguousarray(cells), np.array(owner, dtype=np.int64), batch.labels, columns
        )


def _suspects(watch: ModelWatch, events: Sequence[LocatedEvent]) -> dict[str, str]:
    """Return the clients that detection raises an alarm about, and for what."""
    found: dict[str, str] = {}
    for _, finding in watch.process(events).findings:
        if finding.attack_class is not AttackClass.ANOMALY:
            found.setdefault(
                finding.client.client_id, f"suspected of {finding.technique.replace('_', ' ')}"
            )
    return found


def _known(item: Input | None, table: ColumnTable) -> Input | None:
    """Return the input with the reference's fields in its order, None where there is none of them.

    Fields that the reference does not know are not learnt, because live traffic is not judged by
    them either.
    """
    if item is None or not table.knows_any(item):
        return None
    if item.fields is None or tuple(item.fields) == table.names:
        return item
    return Input(fields={name: item.fields.get(name) for name in table.names})


def _capped(events: Sequence[LocatedEvent], share: float) -> Iterator[LocatedEvent]:
    """Yield at most that share of the events for each client, evenly spread over its own."""
    totals = Counter(item.event.client_id for item in events)
    most = math.ceil(max(share, 1.0 / max(len(totals), 1)) * len(events))
    seen: dict[str, int] = {}
    for item in events:
        client = item.event.client_id
        i = seen[client] = seen.get(client, -1) + 1
        total = totals[client]
        if total <= most or i * most // total != (i - 1) * most // total:
            yield item


def _result(
    reference: Reference, moves: tuple[Move, ...], kept: Sequence[LocatedEvent],
    left_out: Mapping[str, str],
) -> RefreshResult:  # fmt: skip
    clients = len({item.event.client_id for item in kept})
    return RefreshResult(reference, moves, left_out, clients, len(kept))
