"""Which of a client's incidents a finding belongs to."""

from collections.abc import Sequence
from datetime import datetime

from detector.incidents.aggregate import (
    IncidentPolicy,
    extend,
    fold,
    note_superseded,
    open_incident,
    reclassify,
)
from detector.incidents.identity import dedup_key, incident_id
from detector.incidents.model import Incident, IncidentChange
from detector.scoring.finding import Finding


def absorb(
    known: Sequence[Incident], finding: Finding, policy: IncidentPolicy, at: datetime
) -> tuple[IncidentChange, ...]:
    """Return what a finding changes, given every incident of its client; nothing for a replay.

    The client's open incident of the finding's class is extended. Without one, an open incident
    that rests only on techniques which the finding supersedes is reclassified; without that, a new
    one opens. Further incidents that the finding explains are closed as duplicates, unless
    somebody has acknowledged them. A technique that a better one took the place of adds nothing,
    until it takes the place of that in turn.
    """
    if any(_applied(incident, finding) for incident in known):
        return ()
    living = [incident for incident in known if incident.is_open]
    if better := next((i for i in living if _explains_better(i, finding)), None):
        return (note_superseded(better, finding, at),)
    key = dedup_key(finding.client, finding.attack_class)
    own = next((incident for incident in living if incident.dedup_key == key), None)
    explained = [i for i in living if i is not own and set(i.techniques) <= set(finding.supersedes)]
    if own is not None:
        survivor = extend(own, finding, policy, at)
    elif explained:
        survivor = reclassify(explained.pop(0), finding, policy, at)
    elif any(incident.incident_id == incident_id(finding) for incident in known):
        return ()
    else:
        survivor = open_incident(finding, policy, at)
    into = survivor.incident.incident_id
    folded = [fold(i, into, finding, at) for i in explained if i.acknowledged_at is None]
    return (*folded, survivor)


def _applied(incident: Incident, finding: Finding) -> bool:
    """Whether the incident has this finding, or a later one of its technique, in it already."""
    return any(
        mark.technique == finding.technique
        and finding.query <= mark.query
        and finding.time_ms <= mark.time_ms
        for mark in incident.marks
    )


def _explains_better(incident: Incident, finding: Finding) -> bool:
    """Whether the incident stands for what took the place of the finding's technique."""
    if set(incident.techniques) <= set(finding.supersedes):
        return False
    return any(mark.technique == finding.technique and mark.superseded for mark in incident.marks)
