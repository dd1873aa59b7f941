"""What a log holds, model by model, counted as it streams by in bounded memory."""

from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import numpy as np
from numpy.typing import NDArray

from detector.events.decode import Decoded
from detector.events.model import ModelKey, PredictionEvent
from detector.pipeline.census_clients import ClientCensus, IdentityFacts
from detector.pipeline.census_fields import share
from detector.pipeline.census_inputs import InputCensus, InputFacts
from detector.pipeline.census_outputs import OutputCensus, OutputFacts

MOST_MODELS = 64
MOST_UNKNOWN = 64
LATE_MS = 60_000
"""Records this much older than one before them are late; less is how log writers jitter."""


@dataclass(frozen=True, slots=True)
class TimeFacts:
    """When the records of a model are from, in the order they were read.

    Attributes:
        first: Earliest time.
        last: Latest time.
        late: Share of records more than a minute older than one read before.
        largest_step_back: Seconds by which a record is older than one read before, at most.
    """

    first: datetime
    last: datetime
    late: float
    largest_step_back: float


@dataclass(frozen=True, slots=True)
class ModelFacts:
    """What the log holds of one model.

    Attributes:
        model: Which one.
        events: Valid records.
        events_with_inputs: Those with an input.
        logged: Share of predictions that are logged, by the records' sampling rates.
        sampled: Share of records with a sampling rate below 1.
        inputs: Its inputs.
        outputs: Its answers.
        identity: Its clients.
        time: Its times.
    """

    model: ModelKey
    events: int
    events_with_inputs: int
    logged: float
    sampled: float
    inputs: InputFacts
    outputs: OutputFacts
    identity: IdentityFacts
    time: TimeFacts


@dataclass(frozen=True, slots=True)
class LogFacts:
    """What a log holds.

    Attributes:
        events: Valid records of all models.
        rejected: Records that are none, by reason.
        unknown_fields: Records with each unknown field, by JSON path.
        left_out: Valid records of models that were not looked at.
        models: The models looked at, in order.
    """

    events: int
    rejected: dict[str, int]
    unknown_fields: dict[str, int]
    left_out: int
    models: tuple[ModelFacts, ...]


class LogCensus:
    """Counts of a whole log; at most `MOST_MODELS` models are looked at, the first seen."""

    def __init__(self, only: Collection[str] = ()) -> None:
        """Look at models with these ids only; at all of them when none is named."""
        self._only = only
        self._events = 0
        self._left_out = 0
        self._rejected: Counter[str] = Counter()
        self._unknown: Counter[str] = Counter()
        self._models: dict[ModelKey, ModelCensus] = {}

    def add(self, decoded: Decoded) -> None:
        """Take a stretch of the log."""
        self._events += len(decoded.events)
        self._rejected.update(str(letter.reason) for letter in decoded.dead)
        for path, count in decoded.unknown_fields.items():
            known = path in self._unknown or len(self._unknown) < MOST_UNKNOWN
            self._unknown[path if known else "other"] += count
        groups: dict[ModelKey, list[PredictionEvent]] = {}
        for item in decoded.events:
            groups.setdefault(item.event.model, []).append(item.event)
        for model, events in groups.items():
            if self._wanted(model):
                self._models.setdefault(model, ModelCensus()).add(events)
            else:
                self._left_out += len(events)

    def _wanted(self, model: ModelKey) -> bool:
        if self._only and model.model_id not in self._only:
            return False
        return model in self._models or len(self._models) < MOST_MODELS

    def facts(self) -> LogFacts:
        """Return what was counted."""
        return LogFacts(
            events=self._events,
            rejected=dict(self._rejected.most_common()),
            unknown_fields=dict(self._unknown.most_common()),
            left_out=self._left_out,
            models=tuple(self._models[model].facts(model) for model in sorted(self._models)),
        )


class ModelCensus:
    """Counts of one model."""

    def __init__(self) -> None:
        self._inputs = InputCensus()
        self._outputs = OutputCensus()
        self._clients = ClientCensus()
        self._clock = _Clock()
        self._events = 0
        self._sampled = 0
        self._predictions = 0.0

    def add(self, events: Sequence[PredictionEvent]) -> None:
        """Take some records of the model, at least one."""
        self._events += len(events)
        self._sampled += sum(event.sampling_rate < 1.0 for event in events)
        self._predictions += sum(1.0 / event.sampling_rate for event in events)
        self._inputs.add([event.input for event in events])
        self._outputs.add(events)
        self._clients.add(events)
        self._clock.add(np.array([event.time_ms for event in events], dtype=np.int64))

    def facts(self, model: ModelKey) -> ModelFacts:
        """Return what was counted."""
        return ModelFacts(
            model=model,
            events=self._events,
            events_with_inputs=self._inputs.inputs,
            logged=share(self._events, self._predictions),
            sampled=share(self._sampled, self._events),
            inputs=self._inputs.facts(),
            outputs=self._outputs.facts(),
            identity=self._clients.facts(),
            time=self._clock.facts(self._events),
        )


class _Clock:
    """Earliest and latest time, and how far records fall behind those before them."""

    def __init__(self) -> None:
        self._first: int | None = None
        self._last = 0
        self._late = 0
        self._largest_step_back = 0

    def add(self, times: NDArray[np.int64]) -> None:
        start = int(times[0]) if self._first is None else self._last
        latest = np.maximum.accumulate(np.concatenate([[start], times]))[1:]
        behind = latest - times
        self._late += int((behind > LATE_MS).sum())
        self._largest_step_back = max(self._largest_step_back, int(behind.max()))
        earliest = int(times.min())
        self._first = earliest if self._first is None else min(self._first, earliest)
        self._last = int(latest[-1])

    def facts(self, events: int) -> TimeFacts:
        return TimeFacts(
            first=_moment(self._first or 0),
            last=_moment(self._last),
            late=share(self._late, events),
            largest_step_back=self._largest_step_back / 1000.0,
        )


def _moment(time_ms: int) -> datetime:
    return datetime.fromtimestamp(time_ms / 1000.0, UTC)
