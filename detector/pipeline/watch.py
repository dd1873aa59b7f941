"""One model under watch: the state of its clients and the judgement of its events."""

import logging
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import compress
from typing import Any

import numpy as np
from numpy.typing import NDArray

from detector.events.assemble import assemble
from detector.events.batch import MAX_FIELDS, NO_LABEL, ColumnTable, EventBatch
from detector.events.located import LocatedEvent
from detector.events.model import ModelKey, PredictionEvent
from detector.events.names import Names
from detector.events.stretch import EventStretch
from detector.features.lens import make_lens, view_cells
from detector.features.rows import Tally
from detector.features.view import RowView, by_name, without_gaps
from detector.pipeline.ports import ClientProfile
from detector.pipeline.profiles import client_profiles
from detector.pipeline.saved import SavedPart, SavedSurrogate, SavedWatch
from detector.reference.answers import EMPTY
from detector.reference.drift import DriftMonitor
from detector.reference.picture import Reference
from detector.reference.sketch import MAX_COLUMNS, fold
from detector.reference.volumes import NO_VOLUMES, Volumes
from detector.scoring.clients import ClientStates, SavedRows
from detector.scoring.evidence import LOG_E, score
from detector.scoring.fidelity import MAX_SUSPECTS, FidelityBoard, with_fidelity
from detector.scoring.finding import Finding
from detector.scoring.flood import FloodMonitor, Place
from detector.scoring.hypotheses import ALL
from detector.scoring.judge import Judge, Moment, anomaly
from detector.scoring.novelty import novelty_model
from detector.scoring.profiles import Profiles, note, noted, room
from detector.scoring.signs import SIGNS
from detector.scoring.tables import ScoringPolicy, build_tables

_log = logging.getLogger(__name__)

CLIENT_FIELDS = MAX_FIELDS // 8
# Fewer than a hundred may be somebody's mistakes.
UNTOLD_DIGITS = 2


def _digits(count: int) -> int:
    return len(str(count))


@dataclass(slots=True)
class Watched:
    """What a stretch of one model's events showed.

    Attributes:
        findings: Each with the index of the event that it came from.
        profiles: Likewise.
        drifts: How often the clients as a whole were found to look otherwise than before.
        unmatched: Inputs of which the reference names no field.
    """

    findings: list[tuple[int, Finding]] = field(default_factory=list)
    profiles: list[tuple[int, ClientProfile]] = field(default_factory=list)
    drifts: int = 0
    unmatched: int = 0


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
        self._states = ClientStates(len(SIGNS), max_clients)
        self._flood = FloodMonitor(max_clients)
        self.adopt(reference)

    def adopt(self, reference: Reference | None) -> None:
        """Judge by this reference from the next event on; evidence begins anew under it."""
        self._refer(reference)
        self._widen(min(len(self._columns.names), MAX_COLUMNS))
        if reference is not None:
            self._states.forget_evidence()

    def _refer(self, reference: Reference | None) -> None:
        self.reference = reference
        self.digest = reference.digest() if reference else None
        self._columns = self._table((), ())
        self._added: dict[str, int] = {}
        self._inputs = self._unmatched = 0
        self._novelty = novelty_model(reference) if reference else None
        self._regions = len(reference.centroids) if reference else 0
        answers = reference.answers if reference else EMPTY
        self._board = FidelityBoard(answers, self._max_suspects)
        self._drift = DriftMonitor() if reference else None
        self._tables = build_tables(
            SIGNS,
            reference.nulls if reference else {},
            reference.ceilings if reference else {},
            reference.asked if reference else NO_VOLUMES,
            self._policy,
            reference is not None,
        ).arrays()

    def _table(self, fields: Iterable[str], classes: Iterable[int]) -> ColumnTable:
        """Return the columns of the reference; without one they are added by `_admit` alone."""
        if self.reference is None:
            return ColumnTable(fields, max_fields=0, classes=classes)
        return self.reference.layout.table(self.reference.names, classes)

    def _widen(self, width: int) -> None:
        self._names: tuple[str, ...] = ()
        self._states.reshape(width)
        self._lens = make_lens(self.reference, width)

    @property
    def clients(self) -> int:
        """How many clients are held."""
        return len(self._states)

    def suspects(self, client_ids: Iterable[str]) -> set[str]:
        """Return those of the clients about whom any hypothesis has fired."""
        clients = list(client_ids)
        return set(compress(clients, self._states.suspected(Names.of(clients)).tolist()))

    def volumes(self, client_ids: Iterable[str]) -> Volumes:
        """Return how much those of the clients asked that are held."""
        return self._states.volumes(Names.of(list(client_ids)))

    def process(self, located: Sequence[LocatedEvent]) -> Watched:
        """Update and judge with events of this model, in the order of the log."""
        found = Watched()
        # Without a reference every event is looked at, some twice: made once, then.
        events = EventStretch.of(located if self.reference else list(located))
        begin = 0
        while begin < len(events):
            end = self._alike(events, begin)
            self._process(events[begin:end], begin, found)
            begin = end
        return found

    def _alike(self, located: Sequence[LocatedEvent], begin: int) -> int:
        """Return where the next event with new columns stands, so that batches do not matter."""
        if self.reference is not None:
            return len(located)
        self._admit(located[begin].event)
        new = (i for i in range(begin + 1, len(located)) if self._new(located[i].event))
        return next(new, len(located))

    def _new(self, event: PredictionEvent) -> list[str]:
        """Return the names of the event's fields that are to get a column.

        One client gives a part of the columns at most, so that none takes them from the others.
        """
        client = CLIENT_FIELDS - self._added.get(event.client_id, 0)
        room = min(client, MAX_FIELDS - len(self._columns.names))
        return self._columns.lacks(event.input)[:room] if room > 0 else []

    def _admit(self, event: PredictionEvent) -> None:
        new = self._new(event)
        if new:
            self._columns.add(new)
            self._added[event.client_id] = self._added.get(event.client_id, 0) + len(new)

    def _process(self, located: EventStretch, first: int, found: Watched) -> None:
        """Take in events that have the columns known by now; the first is event `first`."""
        batch = assemble(self._model, located, self._columns)
        self._match(located, batch, found)
        layout = self.reference.layout if self.reference else None
        cells, names = fold(batch.cells, batch.names, layout.units if layout else None)
        if names[:1] != self._names[:1] or len(names) < len(self._names):
            self._widen(len(names))
        elif len(names) > len(self._names):
            self._states.widen(len(names))
            self._lens = make_lens(self.reference, len(names))
        self._names = names
        columns = self._judged(batch, np.ascontiguousarray(cells))
        begin = 0
        while begin < len(batch):
            rows = self._states.assign(batch.clients[begin:])
            self._floods(batch, begin, first, found)
            self._score(batch, columns, begin, rows, first, found)
            begin += len(rows)

    def _match(self, located: EventStretch, batch: EventBatch, found: Watched) -> None:
        """Count inputs of which the reference names no field, and tell of them, ever more rarely.

        They are judged as if there was no input.
        """
        if self.reference is None:
            return
        given, matched = int(located.has_input.sum()), int(batch.has_input.sum())
        before, self._inputs = self._unmatched, self._inputs + given
        self._unmatched += given - matched
        found.unmatched += given - matched
        if _digits(self._unmatched) > max(_digits(before), UNTOLD_DIGITS):
            _log.warning(
                "model %s: %d of %d inputs name no field that its reference knows, and are not "
                "judged; are they of another form or release? Then build a reference anew",
                self._model.model_id, self._unmatched, self._inputs,
            )  # fmt: skip

    def _judged(self, batch: EventBatch, cells: NDArray[np.float64]) -> tuple[Any, ...]:
        """Return the scaled cells and all other columns in the order that the kernel takes them."""
        p_values, broken = np.ones(len(batch)), np.zeros(len(batch), dtype=np.int64)
        if self.reference:
            p_values, broken = self.reference.judge(cells)
        z = view_cells(cells, self.reference)
        scores = self.reference.layout.shares(batch.scores) if self.reference else batch.scores
        return (z, batch.offsets, cells, batch.has_input, batch.labels, scores, batch.margins,
                batch.time_ms, p_values, broken)  # fmt: skip

    def _score(
        self, batch: EventBatch, columns: tuple[Any, ...], begin: int, rows: NDArray[np.int64],
        first: int, found: Watched,
    ) -> None:  # fmt: skip
        """Score the batch's events from `begin` on for which there are rows."""
        count = begin + len(rows)
        z, offsets, *rest = (column[begin:count] for column in columns)
        days, states, held = np.full(len(rows), np.nan), self._states, self._states.rows()
        profiles = room(len(rows), len(SIGNS))
        answers = np.where(batch.has_input, batch.labels, NO_LABEL)[begin:count]
        asking = batch.clients[begin:count]
        i = learnt = 0
        while True:
            i, mask = score(
                i, rows, z, tuple(rest), self._lens, held, offsets, self._tables, days,
                self._regions, profiles,
            )  # fmt: skip
            if mask == 0:
                break
            event = partial(batch.located.__getitem__, begin + i)
            finding = self._decide(int(mask), event, int(rows[i]))
            if finding is not None:
                # The board changes at findings alone, so that what lies between is learnt at once.
                new = slice(learnt, i + 1)
                self._board.learn(asking[new], z[new], answers[new])
                learnt = i + 1
                finding = self._followed(finding)
                found.findings.append((first + begin + i, finding))
                note(
                    i, states.table.row(int(rows[i])), False, self._regions,
                    states.judgement(int(rows[i])).evidence, LOG_E, profiles,
                )  # fmt: skip
            i += 1
        self._board.learn(asking[learnt:], z[learnt:], answers[learnt:])
        self._look_at(noted(profiles), batch.located[begin:count], first + begin, found)
        found.drifts += self._drifts(batch.time_ms[begin:count], days)

    def _drifts(self, time_ms: NDArray[np.int64], days: NDArray[np.float64]) -> int:
        """Say and count when the model's clients as a whole no longer look as they did.

        `days` are the means of the client-days that the events completed, else NaN.
        """
        if self._drift is None:
            return 0
        completed = np.flatnonzero(~np.isnan(days))
        means = days[completed].tolist()
        drifts = self._drift.update(zip(time_ms[completed].tolist(), means, strict=True))
        for drift in drifts:
            _log.warning(
                "the world of model %s has moved: mean p-value of its clients %.2f, before %.2f; "
                "refresh its reference",
                self._model.model_id, drift.now, drift.before,
            )  # fmt: skip
        return len(drifts)

    def _floods(self, batch: EventBatch, at: int, first: int, found: Watched) -> None:
        """Judge how room was made for the event at `at`, if it was."""
        for left in self._states.departures():
            position, event = batch.located[at]
            place = Place(
                self._model, event.event_id, event.time_ms, position,
                self.reference is not None,
            )  # fmt: skip
            finding = self._flood.take(left, place)
            if finding is not None:
                found.findings.append((first + at, finding))

    def _decide(self, mask: int, located: Callable[[], LocatedEvent], row: int) -> Finding | None:
        """Judge the client of an event, which is made where there is something to say of it."""
        states = self._states
        view = RowView(states.table, row, self._regions)
        moment = Moment(located, view, self._names, self.reference is not None)
        judged = states.judgement(row)
        return self._judge.decide(mask, moment, judged.evidence, judged.verdicts, judged.first)

    def _followed(self, finding: Finding) -> Finding:
        """Add what the client could reproduce by now, and follow it from its next answer on."""
        client = finding.client.client_id
        told = with_fidelity(finding, self._board.estimate(client))
        self._board.suspect(client, finding.log_evidence)
        return told

    def _look_at(
        self, profiles: Profiles, located: Sequence[LocatedEvent], first: int, found: Watched
    ) -> None:
        """Hand on the profiles, and ask the novelty model about clients that no sign explains."""
        events = [located[at] for at in profiles.at.tolist()]
        at = (first + profiles.at).tolist()
        made = client_profiles(profiles, events, "calibrated" if self.reference else "learning")
        found.profiles += zip(at, made, strict=True)
        unexplained = np.flatnonzero(profiles.unexplained)
        if self._novelty is None or not len(unexplained):
            return
        benign = self._novelty.profiles
        p_values = self._novelty.p_values(without_gaps(profiles.features[unexplained]))
        novel = p_values <= 1.0 / (1.0 + benign)
        for k, p_value in zip(unexplained[novel].tolist(), p_values[novel].tolist(), strict=True):
            features = by_name(profiles.features[k].tolist())
            found.findings.append((at[k], anomaly(events[k], features, p_value, benign)))

    def header(self) -> SavedWatch:
        """Return what is saved of the watch beside its parts."""
        return SavedWatch(
            *self._model, self.digest, list(self._columns.names), list(self._columns.classes),
            list(self._names), self._states.table.width, self._states.capacity,
            self._states.tally, self._flood.ids, self._flood.told, self._board.names(),
            self._drift.save() if self._drift else None, self._added,
        )  # fmt: skip

    def save(self, every: bool) -> Iterator[SavedPart]:
        """Return what changed since `saved`, or everything, part by part."""
        yield from self._states.save(*self._model, every)
        for suspect in self._board.save(every):
            yield SavedSurrogate(*self._model, suspect)

    def saved(self) -> None:
        """Note that everything so far is kept."""
        self._states.saved()
        self._board.saved()

    def restore(
        self, header: SavedWatch, rows: Sequence[SavedRows], suspects: Sequence[SavedSurrogate]
    ) -> None:
        """Go on from what was saved under the same reference.

        Raises `ValueError` where the parts do not fit; this object is of no use then.
        """
        if header.reference != self.digest:
            raise ValueError("saved under another reference")
        self._columns = self._table(header.fields, header.classes)
        self._added = dict(header.added)
        self._names = tuple(header.names)
        self._states.restore(header.capacity, header.width, Tally(*header.tally), rows)
        self._lens = make_lens(self.reference, header.width)
        self._flood.ids, self._flood.told = header.flood_ids, header.flood_told
        self._board.restore(header.suspects, [part.suspect for part in suspects])
        if self._drift is not None and header.drift is not None:
            self._drift.restore(header.drift)
