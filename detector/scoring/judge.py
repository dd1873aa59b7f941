"""From evidence over its threshold to a finding: which explanation, how sure, and why.

A client has one explanation at a time: the first hypothesis that a credible sign carries and whose
traits are there. Another one must be that at two looks in a row to replace what stands, lest an
incident goes to and fro between two; the last resorts replace nothing but what is weak.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from detector.events.located import LocatedEvent
from detector.features.state import Stat
from detector.features.view import RowView
from detector.scoring.evidence import BETTER, DUE, FIRED, LOG_E, LOOK, RESTARTS, SAID, STANDING
from detector.scoring.finding import AttackClass, Evidence, Finding, LogRange
from detector.scoring.hypotheses import LAST_RESORT, WEAK
from detector.scoring.hypotheses.wording import families
from detector.scoring.hypothesis import Hypothesis, Situation
from detector.scoring.signs import Sign
from detector.scoring.tables import ScoringPolicy

LOOKS = 64
FEWEST = 16
FRESH = 8
REPORT_GROWTH = 1.25
GRAIN = 1e6
"""Evidence of a report is kept in whole parts of so many to one nat."""


@dataclass(frozen=True, slots=True)
class Moment:
    """The event at which a client is judged.

    Attributes:
        located: Makes the event; most looks at a client end without one.
        view: The client's row.
        names: Folded column names.
        calibrated: Whether a reference stands behind the judgement.
    """

    located: Callable[[], LocatedEvent]
    view: RowView
    names: tuple[str, ...]
    calibrated: bool


class Judge:
    """Chooses among the hypotheses that the credible signs carry."""

    def __init__(
        self, hypotheses: Sequence[Hypothesis], signs: Sequence[Sign], policy: ScoringPolicy
    ) -> None:
        self._hypotheses = hypotheses
        self._signs = signs
        self._policy = policy

    def decide(
        self, mask: int, moment: Moment, evidence: NDArray[np.float32],
        verdict: NDArray[np.int64], first: NDArray[np.int64],
    ) -> Finding | None:  # fmt: skip
        """Return the finding, or None when there is nothing new to report of the client.

        A finding is new when the explanation is, or when the client has grown by a quarter since
        the one before and so has the evidence, if by less: ordinary queries alone are no news. Bit
        s of the mask says that sign s is credible. `evidence` (s, w), `verdict`
        (v,) and `first` (s,) are the client's own rows; the verdict is brought up to date.
        """
        query = int(moment.view.stat(Stat.QUERIES))
        # What a fresh sign stands for may need a few more queries to show in the traits.
        before = int(verdict[FIRED])
        fired = before | mask
        verdict[LOOK] = query + (FRESH if fired != before else max(FEWEST, query // LOOKS))
        verdict[FIRED] = fired
        credible = [s for s in range(len(self._signs)) if fired >> s & 1]
        names = frozenset(self._signs[s].name for s in credible)
        at = Situation(moment.view, moment.names, query, moment.calibrated, names)
        standing = int(verdict[STANDING]) - 1
        chosen = self._choose(at, standing)
        if chosen is None or self._put_off(chosen, query, verdict):
            return None
        if chosen == standing and query < verdict[DUE]:
            return None
        carrying = [s for s in credible if self._signs[s].name in self._hypotheses[chosen].signs]
        strongest = max(carrying or credible, key=lambda s: _weighted(evidence[s]))
        weight = int(GRAIN * _weighted(evidence[strongest]))
        if chosen == standing and weight <= verdict[SAID]:
            return None
        verdict[DUE] = query + int(max(FEWEST, query * (REPORT_GROWTH - 1.0)))
        verdict[STANDING], verdict[SAID] = chosen + 1, weight
        replaced = (self._hypotheses[standing].technique,) if standing not in (-1, chosen) else ()
        return self._finding(chosen, moment.located(), at, evidence[strongest],
                             int(first[strongest]), replaced)  # fmt: skip

    @staticmethod
    def _put_off(chosen: int, query: int, verdict: NDArray[np.int64]) -> bool:
        """Put off another explanation than what stands until it is chosen at two looks in a row.

        The second is soon. Returns whether this was the first.
        """
        before, verdict[BETTER] = int(verdict[BETTER]) - 1, 0
        if chosen in (before, int(verdict[STANDING]) - 1) or not verdict[STANDING]:
            return False
        verdict[BETTER] = chosen + 1
        verdict[LOOK] = query + FRESH
        return True

    def _choose(self, at: Situation, standing: int) -> int | None:
        """Return the number of the first hypothesis that fits."""
        weak = standing < 0 or self._hypotheses[standing].technique in WEAK
        for h, hypothesis in enumerate(self._hypotheses):
            if hypothesis.technique in LAST_RESORT and not weak:
                return standing
            if hypothesis.signs & at.credible and hypothesis.holds(at):
                return h
        return standing if standing >= 0 else None

    def _finding(
        self, h: int, located: LocatedEvent, at: Situation, evidence: NDArray[np.float32],
        first: int, supersedes: tuple[str, ...],
    ) -> Finding:  # fmt: skip
        hypothesis, (position, event) = self._hypotheses[h], located
        log_e = _weighted(evidence)
        prior = self._policy.attacker_share / len(self._signs)
        span = LogRange(position.topic, position.partition,
                        min(first, position.offset), position.offset)  # fmt: skip
        said = (*hypothesis.evidence(at), *families(at))
        return Finding(
            client=event.client,
            technique=hypothesis.technique,
            attack_class=hypothesis.attack_class,
            atlas=hypothesis.atlas,
            confidence=round(1.0 / (1.0 + float(np.exp(-min(log_e, 60.0))) / prior), 4),
            log_evidence=round(log_e, 4),
            progress=round(min(at.query / hypothesis.budget, 1.0), 4),
            calibrated=at.calibrated,
            identity_source=event.identity_source,
            event_id=event.event_id,
            time_ms=event.time_ms,
            query=at.query,
            position=position,
            evidence=tuple(replace(item, ranges=(span,)) for item in said),
            features={name: round(value, 6) for name, value in at.features.items()},
            supersedes=supersedes,
        )


def _weighted(evidence: NDArray[np.float32]) -> float:
    """Return the log evidence of one sign, less what its restarts cost."""
    k = float(evidence[RESTARTS])
    return float(evidence[LOG_E]) - float(np.log((k + 1.0) * (k + 2.0)))


def anomaly(
    located: LocatedEvent, features: Mapping[str, float], p_value: float, benign: int
) -> Finding:
    """Return the finding of the novelty model; weak by itself, so its confidence stays low.

    `benign` is the number of clients that the p-value rests on.
    """
    position, event = located
    span = LogRange(position.topic, position.partition, position.offset, position.offset)
    statement = Evidence(
        "client_novelty",
        f"the client's features are stranger than those of all {benign} benign clients "
        f"(p = {p_value:.3f})",
        {"p_value": round(p_value, 4), "benign_profiles": benign},
        (span,),
    )
    return Finding(
        client=event.client,
        technique="anomalous_client",
        attack_class=AttackClass.ANOMALY,
        atlas=(),
        confidence=0.3,
        log_evidence=round(-float(np.log(p_value)), 4),
        progress=0.0,
        calibrated=True,
        identity_source=event.identity_source,
        event_id=event.event_id,
        time_ms=event.time_ms,
        query=int(features["queries"]),
        position=position,
        evidence=(statement,),
        features={name: round(value, 6) for name, value in features.items()},
    )
