"""One model under watch: the state of its clients and the judgement of its events."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

import numpy as np
from numpy.typing import NDArray

from detector.events.batch import ColumnTable, EventBatch, assemble
from detector.events.located import LocatedEvent
from detector.events.model import ModelKey
from detector.features.catalogue import RowView, read_features, vector
from detector.features.lens import make_lens, view_cells
from detector.features.rows import ClientRows
from detector.features.state import ClientTable, Stat
from detector.pipeline.ports import ClientProfile
from detector.reference.answers import EMPTY
from detector.reference.drift import DriftMonitor
from detector.reference.picture import Reference
from detector.reference.sketch import MAX_COLUMNS, fold
from detector.scoring.evidence import FIRED, LOG_E, PROFILE_DUE, VERDICT, WIDTH, score
from detector.scoring.fidelity import MAX_SUSPECTS, FidelityBoard, with_fidelity
from detector.scoring.finding import Finding
from detector.scoring.hypotheses import ALL
from detector.scoring.judge import Judge, Moment, anomaly
from detector.scoring.novelty import fit_novelty
from detector.scoring.signs import SIGNS
from detector.scoring.tables import ScoringPolicy, build_tables

FIRST_CAPACITY = 64
EVERYTHING = (1 << PROFILE_DUE) - 1

_log = logging.getLogger(__name__)


@dataclass(slots=True)
class Watched:
    """What a stretch of one model's events showed.

    Attributes:
        findings: Each with the index of the event that it came from.
        profiles: Likewise.
        drifts: How often the clients as a whole were found to look otherwise than before.
    """

    findings: list[tuple[int, Finding]] = field(default_factory=list)
    profiles: list[tuple[int, ClientProfile]] = field(default_factory=list)
    drifts: int = 0


class ModelWatch:
    """State and judgement of one model's clients.

    Bounded to `max_clients` clients and to the surrogates of `max_suspects` suspects.
    """

    def __init__(
        self, model: ModelKey, reference: Reference | None, policy: ScoringPolicy,
        max_clients: int, max_suspects: int = MAX_SUSPECTS,
    ) -> None:  # fmt: skip
        self._model = model
        self._policy = policy
        self._max_suspects = max_suspects
        self._judge = Judge(ALL, SIGNS, policy)
        self._columns = ColumnTable()
        first = min(FIRST_CAPACITY, max_clients)
        self._table = ClientTable(0, first)
        self._evidence = np.zeros((self._table.capacity, len(SIGNS), WIDTH), dtype=np.float32)
        self._verdicts = np.zeros((self._table.capacity, VERDICT), dtype=np.int64)
        self._first = np.zeros((self._table.capacity, len(SIGNS)), dtype=np.int64)
        self._rows = ClientRows(first, max_clients, self._grow, self._clear, self._under_suspicion)
        self.adopt(reference)

    def adopt(self, reference: Reference | None) -> None:
        """Judge by this reference from the next event on; evidence begins anew under it."""
        self.reference = reference
        names = reference.names if reference else ()
        # A reference freezes the columns: fields that it has never seen carry no evidence.
        self._columns = ColumnTable(names, max_fields=len(names)) if reference else ColumnTable()
        self._novelty = fit_novelty(reference.vectors) if reference else None
        answers = reference.answers if reference else EMPTY
        self._board = FidelityBoard(answers, self._max_suspects)
        self._drift = DriftMonitor() if reference else None
        self._tables = build_tables(
            SIGNS,
            reference.nulls if reference else {},
            reference.ceilings if reference else {},
            reference.volumes if reference else np.zeros(0),
            self._policy,
            reference is not None,
        ).arrays()
        self._widen(min(len(names), MAX_COLUMNS))
        if reference is not None:
            self._evidence[:, :, : LOG_E + 1] = 0.0

    def _widen(self, width: int) -> None:
        self._names: tuple[str, ...] = ()
        self._table.forget_memory(width)
        self._lens = make_lens(self.reference, width)

    @property
    def clients(self) -> int:
        """How many clients are held."""
        return len(self._rows)

    def suspected(self, client_id: str) -> bool:
        """Whether any hypothesis about the client has fired."""
        row = self._rows.get(client_id)
        return row is not None and bool(self._verdicts[row, FIRED])

    def process(self, located: Sequence[LocatedEvent]) -> Watched:
        """Update and judge with events of this model, in the order of the log."""
        found = Watched()
        begin = 0
        while begin < len(located):
            end = self._stretch(located, begin)
            part = self._process(located[begin:end])
            found.findings.extend((begin + i, finding) for i, finding in part.findings)
            found.profiles.extend((begin + i, profile) for i, profile in part.profiles)
            found.drifts += part.drifts
            begin = end
        return found

    def _stretch(self, located: Sequence[LocatedEvent], begin: int) -> int:
        """Return where the next event with new columns stands, so that batches do not matter."""
        if self.reference is not None:
            return len(located)
        self._columns.cells([located[begin].event.input])
        unknown = (
            i
            for i in range(begin + 1, len(located))
            if not self._columns.knows(located[i].event.input)
        )
        return next(unknown, len(located))

    def _process(self, located: Sequence[LocatedEvent]) -> Watched:
        batch = assemble(self._model, located, self._columns)
        cells, names = fold(batch.cells, batch.names)
        if names[:1] != self._names[:1] or len(names) < len(self._names):
            self._widen(len(names))
        elif len(names) > len(self._names):
            self._table.widen_memory(len(names))
            self._lens = make_lens(self.reference, len(names))
        self._names = names
        rows = self._rows.assign([event.client_id for event in batch.events])
        return self._score(batch, np.ascontiguousarray(cells), names, rows)

    def _score(
        self, batch: EventBatch, cells: NDArray[np.float64], names: tuple[str, ...],
        rows: NDArray[np.int64],
    ) -> Watched:  # fmt: skip
        reference = self.reference
        p_values, broken = np.ones(len(batch)), np.zeros(len(batch), dtype=np.int64)
        if reference:
            p_values, broken = reference.judge(cells)
        columns = (cells, batch.has_input, batch.labels, batch.scores, batch.margins,
                   batch.time_ms, p_values, broken)  # fmt: skip
        z = view_cells(cells, reference)
        offsets = np.array([position.offset for position in batch.positions], dtype=np.int64)
        found = Watched()
        i = done = 0
        while True:
            i, mask = score(
                i, rows, z, columns, self._lens, self._table.arrays(), self._evidence,
                self._verdicts, offsets, self._first, self._tables,
            )  # fmt: skip
            end = min(i + 1, len(batch))
            self._follow(batch, z, done, end)
            found.drifts += self._drifts(batch, p_values, done, end)
            done = end
            if mask == 0:
                return found
            self._attend(i, int(mask), batch, names, int(rows[i]), found)
            i += 1

    def _follow(self, batch: EventBatch, z: NDArray[np.float32], begin: int, end: int) -> None:
        """Let the surrogates of suspects learn from their answers."""
        if not len(self._board):
            return
        for i in range(begin, end):
            client = batch.events[i].client_id
            if client in self._board and batch.has_input[i]:
                self._board.learn(client, z[i], int(batch.labels[i]))

    def _drifts(
        self, batch: EventBatch, p_values: NDArray[np.float64], begin: int, end: int
    ) -> int:
        """Say and count when the model's clients as a whole no longer look as they did."""
        if self._drift is None:
            return 0
        rows = [i for i in range(begin, end) if batch.has_input[i]]
        clients = [batch.events[i].client_id for i in rows]
        drifts = self._drift.update(clients, batch.time_ms[rows], p_values[rows], self.suspected)
        for drift in drifts:
            _log.warning(
                "the world of model %s has moved: mean p-value of its clients %.2f, before %.2f; "
                "refresh its reference",
                self._model.model_id, drift.now, drift.before,
            )  # fmt: skip
        return len(drifts)

    def _attend(
        self, i: int, mask: int, batch: EventBatch, names: tuple[str, ...], row: int, found: Watched
    ) -> None:
        cells = len(self.reference.centroids) if self.reference else 0
        view = RowView(self._table, row, cells)
        moment = Moment(
            batch.events[i], batch.positions[i], view, names, self.reference is not None
        )
        finding = None
        if mask & EVERYTHING:
            finding = self._judge.decide(
                mask & EVERYTHING, moment, self._evidence[row], self._verdicts[row],
                self._first[row],
            )  # fmt: skip
        if finding is not None:
            client = moment.event.client_id
            found.findings.append((i, with_fidelity(finding, self._board.estimate(client))))
            self._board.suspect(client, finding.log_evidence)
        if mask >> PROFILE_DUE & 1:
            self._novel(i, moment, row, found)
        if finding is not None or mask >> PROFILE_DUE & 1:
            found.profiles.append((i, self._profile(moment, row)))

    def _novel(self, i: int, moment: Moment, row: int, found: Watched) -> None:
        """Ask the novelty model about a client that no hypothesis explains."""
        if self._novelty is None or self._verdicts[row, FIRED]:
            return
        p_value = self._novelty.p_value(vector(moment.view))
        if p_value <= 1.0 / (1.0 + self._novelty.profiles):
            found.findings.append((i, anomaly(moment, p_value, self._novelty.profiles)))

    def _profile(self, moment: Moment, row: int) -> ClientProfile:
        stats = self._table.stats[row]
        evidence = self._evidence[row]
        return ClientProfile(
            client=moment.event.client,
            first_seen=datetime.fromtimestamp(stats[Stat.FIRST_MS] / 1000.0, UTC),
            last_seen=datetime.fromtimestamp(stats[Stat.LAST_MS] / 1000.0, UTC),
            queries=int(stats[Stat.QUERIES]),
            identity_source=moment.event.identity_source,
            status="calibrated" if moment.calibrated else "learning",
            features=read_features(moment.view),
            scores={sign.name: round(float(evidence[s, LOG_E]), 4) for s, sign in enumerate(SIGNS)},
        )

    def _grow(self, capacity: int) -> None:
        self._table.grow(capacity)
        added = capacity - len(self._evidence)
        self._evidence = np.pad(self._evidence, ((0, added), (0, 0), (0, 0)))
        self._verdicts = np.pad(self._verdicts, ((0, added), (0, 0)))
        self._first = np.pad(self._first, ((0, added), (0, 0)))

    def _clear(self, row: int) -> None:
        self._table.clear(row)
        self._evidence[row] = 0.0
        self._verdicts[row] = 0
        self._first[row] = 0

    def _under_suspicion(self) -> NDArray[np.bool_]:
        return np.asarray(self._verdicts[:, FIRED] > 0, dtype=np.bool_)
