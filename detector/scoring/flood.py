"""A flood of client ids: names made up faster than anybody gets to know them.

Whoever asks under a new name each time leaves no behaviour to judge, and pushes out what is held of
others. No client can be named for it, so the incident is about the model. It is told by the share
of new ids among the events of the latest stretch in which the budget of clients turned over, in a
population that had settled before: one whose events hardly ever brought a new id.
"""

from dataclasses import dataclass

from detector.events.model import ClientKey, ModelKey
from detector.events.record import Position
from detector.features.rows import Left
from detector.scoring.finding import AttackClass, Evidence, Finding, LogRange

MANY_CLIENTS = "*"
TECHNIQUE = "identity_flood"
SETTLED_SHARE = 0.1
FLOOD_SHARE = 0.5
CONFIDENCE = 0.9999


@dataclass(frozen=True, slots=True)
class Place:
    """The event that made room necessary."""

    model: ModelKey
    event_id: str
    time_ms: int
    position: Position
    calibrated: bool


class FloodMonitor:
    """Watches one model's newcomers.

    Attributes:
        ids: How many new ids the flood has brought so far, 0 without one.
        told: How many there were when it was last told of.
    """

    def __init__(self, budget: int) -> None:
        """`budget` is how many clients are held at most."""
        self._budget = budget
        self.ids = 0
        self.told = 0

    def take(self, left: Left, place: Place) -> Finding | None:
        """Judge one making of room; returns a finding when a flood begins or has doubled."""
        usual = left.settled > SETTLED_SHARE or left.admitted < FLOOD_SHARE * left.events
        if usual or left.newcomers < left.established:
            self.ids = self.told = 0
            return None
        self.ids += left.admitted
        if self.ids < 2 * self.told:
            return None
        self.told = self.ids
        return self._finding(left, place)

    def _finding(self, left: Left, place: Place) -> Finding:
        share = left.admitted / left.events
        at = place.position
        statement = (
            f"{self.ids:,} new client ids: {share:.0%} of the latest {left.events:,} queries came "
            f"under a new one, before at the least {left.settled:.1%} of all; "
            f"{left.newcomers:,} ids left again before their eighth query"
        )
        numbers = {
            "new_ids": self.ids,
            "share": round(share, 4),
            "share_before": round(left.settled, 4),
            "events": left.events,
        }
        return Finding(
            client=ClientKey(*place.model, MANY_CLIENTS),
            technique=TECHNIQUE,
            attack_class=AttackClass.ANOMALY,
            atlas=(),
            confidence=CONFIDENCE,
            log_evidence=0.0,
            progress=round(min(self.ids / self._budget, 1.0), 4),
            calibrated=place.calibrated,
            identity_source="principal",
            event_id=place.event_id,
            time_ms=place.time_ms,
            query=self.ids,
            position=at,
            evidence=(
                Evidence(
                    TECHNIQUE, statement, numbers,
                    (LogRange(at.topic, at.partition, at.offset, at.offset),),
                ),
            ),
            features={},
        )  # fmt: skip
