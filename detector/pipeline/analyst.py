"""What an analyst does to an incident, as use cases over a transaction.

Each act raises `NotFoundError` for an unknown incident and `ConflictError` when the incident's
stage does not allow it, or when it is not at the version that the analyst saw.
"""

from collections.abc import Callable
from datetime import datetime

from detector.incidents import acts
from detector.incidents.model import Incident, IncidentChange, Severity, Stage, Verdict
from detector.kit.clock import Clock
from detector.kit.errors import ConflictError, NotFoundError
from detector.pipeline.ports import Transaction


class Analyst:
    """The acts of one actor (a person or an API key's name).

    Args:
        transaction: The caller commits it.
        actor: Whose name the timeline carries.
        clock: When the act happens.
    """

    def __init__(self, transaction: Transaction, actor: str, clock: Clock) -> None:
        self._incidents = transaction.incidents
        self._actor = actor
        self._clock = clock

    def acknowledge(
        self,
        incident_id: str,
        assignee: str | None = None,
        expected_version: int | None = None,
    ) -> IncidentChange:
        """Take it on; assigns the actor unless another assignee is named."""
        return self._act(
            incident_id,
            expected_version,
            lambda incident, at: acts.acknowledge(incident, self._actor, at, assignee),
        )

    def assign(
        self, incident_id: str, assignee: str | None, expected_version: int | None = None
    ) -> IncidentChange:
        """Hand it to somebody, or to nobody with None."""
        return self._act(
            incident_id,
            expected_version,
            lambda incident, at: acts.assign(incident, self._actor, at, assignee),
        )

    def comment(
        self, incident_id: str, text: str, expected_version: int | None = None
    ) -> IncidentChange:
        """Add a remark."""
        return self._act(
            incident_id,
            expected_version,
            lambda incident, at: acts.comment(incident, self._actor, at, text),
        )

    def move(
        self, incident_id: str, stage: Stage, expected_version: int | None = None
    ) -> IncidentChange:
        """Move it along the state machine."""
        return self._act(
            incident_id,
            expected_version,
            lambda incident, at: acts.move(incident, self._actor, at, stage),
        )

    def close(
        self,
        incident_id: str,
        verdict: Verdict,
        text: str | None = None,
        expected_version: int | None = None,
    ) -> IncidentChange:
        """Close it with a conclusion."""
        return self._act(
            incident_id,
            expected_version,
            lambda incident, at: acts.close(incident, self._actor, at, verdict, text),
        )

    def reopen(self, incident_id: str, expected_version: int | None = None) -> IncidentChange:
        """Take it up again."""
        return self._act(
            incident_id,
            expected_version,
            lambda incident, at: acts.reopen(incident, self._actor, at),
        )

    def override_severity(
        self, incident_id: str, severity: Severity | None, expected_version: int | None = None
    ) -> IncidentChange:
        """Set the severity by hand; None goes back to the computed one."""
        return self._act(
            incident_id,
            expected_version,
            lambda incident, at: acts.override_severity(incident, self._actor, at, severity),
        )

    def _act(
        self,
        incident_id: str,
        expected_version: int | None,
        act: Callable[[Incident, datetime], IncidentChange],
    ) -> IncidentChange:
        incident = self._incidents.get(incident_id, hold=True)
        if incident is None:
            raise NotFoundError(f"there is no incident {incident_id}")
        if expected_version not in (None, incident.version):
            raise ConflictError(
                f"incident {incident_id} is at version {incident.version}, not {expected_version}; "
                "read it again and repeat the change"
            )
        change = act(incident, self._clock.now())
        self._incidents.save(change)
        return change
