"""The composition root of what the evaluation measures: the product's own detection."""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from detector.bootstrap import detection_policy
from detector.config import Settings
from detector.evaluation.observer import Verdict, Watched
from detector.events.located import LocatedEvent
from detector.events.model import Input, ModelKey, PredictionEvent
from detector.events.record import Position
from detector.incidents.aggregate import IncidentPolicy, event_time
from detector.incidents.correlate import absorb
from detector.incidents.model import Incident, Severity
from detector.pipeline.detect import build_detection
from detector.pipeline.learn import learn
from detector.pipeline.learning import DetectionPolicy
from detector.pipeline.watch import ModelWatch
from detector.scoring.finding import Finding

STATE_MODULES = ("detector.features", "detector.scoring.clients")
MEASURED_ROWS = 61
"""Rows of a watch whose state is measured: a number that no other dimension has."""


class ProductObserver:
    """The detection, triage and severity of the product, as the evaluation asks for them.

    Clients are judged one by one; none is kept between calls that could make another one leave.
    """

    def __init__(self, policy: DetectionPolicy) -> None:
        self._policy = policy
        self._detection = build_detection(policy)

    def learn(self, events: Sequence[LocatedEvent]) -> None:
        """Learn the reference that all clients are judged by."""
        model = events[0].event.model
        self._detection = build_detection(self._policy, {model: learn(model, events)})

    def watch(self, events: Sequence[LocatedEvent]) -> Watched:
        """Judge the whole life of one client and follow its incidents."""
        detections = self._detection.process(events)
        incidents: dict[str, Incident] = {}
        verdicts = tuple(_verdict(finding, incidents) for finding in detections.findings)
        trail = tuple((p.queries, max(p.scores.values())) for p in detections.profiles)
        return Watched(verdicts, trail)

    def state_bytes(self, fields: int) -> int:
        """Bytes of state that a client of a model with that many fields takes, as measured."""
        watch = ModelWatch(ModelKey("", "state"), None, self._policy.scoring, MEASURED_ROWS)
        given = Input(features=[0.0] * fields)
        event = PredictionEvent(
            event_id="state", time_ms=0, client_id="one", model_id="state", input=given
        )
        watch.process([LocatedEvent(Position("state", 0, 0), event)])
        # Two that begin at one place are one piece of memory.
        arrays = {array.ctypes.data: array for array in _clients_arrays(watch)}
        return sum(array.nbytes for array in arrays.values()) // MEASURED_ROWS


def _clients_arrays(holder: object) -> Iterator[NDArray[Any]]:
    """Every array that a watch, and what it is made of, has with a row for each client."""
    for part in vars(holder).values():
        if isinstance(part, np.ndarray) and part.shape[:1] == (MEASURED_ROWS,):
            yield part
        elif type(part).__module__.startswith(STATE_MODULES) and hasattr(part, "__dict__"):
            yield from _clients_arrays(part)


def observer(settings: Settings) -> ProductObserver:
    """What the evaluation measures: detection as these settings make it."""
    return ProductObserver(detection_policy(settings))


def _verdict(finding: Finding, incidents: dict[str, Incident]) -> Verdict:
    """What a finding comes to, given the client's incidents so far, which it changes."""
    at = event_time(finding.time_ms)
    changes = absorb(tuple(incidents.values()), finding, IncidentPolicy(), at)
    incidents.update((change.incident.incident_id, change.incident) for change in changes)
    return Verdict(
        query=finding.query,
        attack_class=finding.attack_class,
        technique=finding.technique,
        log_evidence=finding.log_evidence,
        confidence=finding.confidence,
        statements=tuple(evidence.statement for evidence in finding.evidence),
        supersedes=finding.supersedes,
        alarm=bool(changes) and changes[-1].incident.severity is not Severity.INFO,
    )
