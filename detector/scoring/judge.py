"""From evidence over its threshold to a finding: which explanation, how sure, and why."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from detector.events.model import PredictionEvent
from detector.events.record import Position
from detector.features.catalogue import RowView, read_features
from detector.features.state import Stat
from detector.scoring.evidence import DUE, FIRED, LOG_E, RESTARTS
from detector.scoring.finding import AttackClass, Evidence, Finding, LogRange
from detector.scoring.hypotheses.wording import families
from detector.scoring.hypothesis import Hypothesis, Situation
from detector.scoring.tables import ScoringPolicy

RETRY = 4
REPORT_GROWTH = 1.25
REPORT_MINIMUM = 16
LIVE, SUPERSEDED = 1.0, 2.0


@dataclass(frozen=True, slots=True)
class Moment:
    """The event at which a client is judged."""

    event: PredictionEvent
    position: Position
    view: RowView
    names: tuple[str, ...]
    calibrated: bool


class Judge:
    """Chooses among hypotheses whose evidence suffices."""

    def __init__(self, hypotheses: Sequence[Hypothesis], policy: ScoringPolicy) -> None:
        self._hypotheses = hypotheses
        self._policy = policy

    def decide(
        self, mask: int, moment: Moment, evidence: NDArray[np.float32], first: NDArray[np.int64]
    ) -> list[Finding]:
        """Return findings for the hypotheses in the mask; marks what has fired in `evidence`.

        `evidence` (h, w) and `first` (h,) are the client's own rows.
        """
        query = int(moment.view.stat(Stat.QUERIES))
        features = read_features(moment.view)
        at = Situation(moment.view, features, moment.names, query, moment.calibrated)
        due = [h for h in range(len(self._hypotheses)) if mask >> h & 1]
        standing = [
            h for h in due if evidence[h, FIRED] != SUPERSEDED and self._hypotheses[h].holds(at)
        ]
        chosen = [h for h in standing if not self._explained(h, standing, evidence)]
        for h in due:
            wait = max(REPORT_MINIMUM, query * (REPORT_GROWTH - 1.0)) if h in chosen else RETRY
            evidence[h, DUE] = query + int(wait)
        findings = []
        for h in chosen:
            findings.append(self._finding(h, moment, at, evidence, int(first[h])))
            evidence[h, FIRED] = LIVE
        return findings

    def _explained(self, h: int, standing: Sequence[int], evidence: NDArray[np.float32]) -> bool:
        """Whether another explanation, standing now or fired before, covers this one."""
        technique = self._hypotheses[h].technique
        return any(
            technique in other.explains
            and other.technique not in self._hypotheses[h].explains
            and (g in standing or evidence[g, FIRED] == LIVE)
            for g, other in enumerate(self._hypotheses)
            if g != h
        )

    def _finding(
        self, h: int, moment: Moment, at: Situation, evidence: NDArray[np.float32], first: int
    ) -> Finding:
        hypothesis = self._hypotheses[h]
        supersedes = []
        for g, other in enumerate(self._hypotheses):
            covered = other.technique in hypothesis.explains
            if (
                covered
                and hypothesis.technique not in other.explains
                and evidence[g, FIRED] == LIVE
            ):
                evidence[g, FIRED] = SUPERSEDED
                supersedes.append(other.technique)
        k = float(evidence[h, RESTARTS])
        log_e = float(evidence[h, LOG_E]) - float(np.log((k + 1.0) * (k + 2.0)))
        prior = self._policy.attacker_share / len(self._hypotheses)
        span = LogRange(moment.position.topic, moment.position.partition,
                        min(first, moment.position.offset), moment.position.offset)  # fmt: skip
        said = (*hypothesis.evidence(at), *families(at))
        return Finding(
            client=moment.event.client,
            technique=hypothesis.technique,
            attack_class=hypothesis.attack_class,
            atlas=hypothesis.atlas,
            confidence=round(1.0 / (1.0 + float(np.exp(-min(log_e, 60.0))) / prior), 4),
            log_evidence=round(log_e, 4),
            progress=round(min(at.query / hypothesis.budget, 1.0), 4),
            calibrated=at.calibrated,
            identity_source=moment.event.identity_source,
            event_id=moment.event.event_id,
            time_ms=moment.event.time_ms,
            query=at.query,
            position=moment.position,
            evidence=tuple(_placed(item, span) for item in said),
            features={name: round(value, 6) for name, value in at.features.items()},
            supersedes=tuple(supersedes),
        )


def _placed(item: Evidence, span: LogRange) -> Evidence:
    return replace(item, ranges=(span,))


def anomaly(moment: Moment, p_value: float, benign: int) -> Finding:
    """Return the finding of the novelty model; weak by itself, so its confidence stays low."""
    features = read_features(moment.view)
    query = int(moment.view.stat(Stat.QUERIES))
    span = LogRange(
        moment.position.topic, moment.position.partition,
        moment.position.offset, moment.position.offset,
    )  # fmt: skip
    statement = Evidence(
        "client_novelty",
        f"the client's features are stranger than those of all {benign} benign profiles "
        f"(p = {p_value:.3f})",
        {"p_value": round(p_value, 4), "benign_profiles": benign},
        (span,),
    )
    return Finding(
        client=moment.event.client,
        technique="anomalous_client",
        attack_class=AttackClass.ANOMALY,
        atlas=(),
        confidence=0.3,
        log_evidence=round(-float(np.log(p_value)), 4),
        progress=0.0,
        calibrated=moment.calibrated,
        identity_source=moment.event.identity_source,
        event_id=moment.event.event_id,
        time_ms=moment.event.time_ms,
        query=query,
        position=moment.position,
        evidence=(statement,),
        features={name: round(value, 6) for name, value in features.items()},
    )
