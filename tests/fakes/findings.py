"""Findings as scoring hands them over, for tests of what comes after."""

from dataclasses import replace
from datetime import UTC, datetime

from detector.events.model import ClientKey
from detector.events.record import Position
from detector.scoring.finding import AttackClass, Evidence, Finding, LogRange

EVENT_TIME = datetime(2026, 5, 4, 9, 12, 31, tzinfo=UTC)


def finding(client_id: str = "key-4711", **changes: object) -> Finding:
    """A grave finding of tree path-finding, with `changes`."""
    grave = Finding(
        client=ClientKey("", "credit-risk", client_id),
        technique="tree_path_finding",
        attack_class=AttackClass.EXTRACTION,
        atlas=("AML.T0024.002", "AML.T0005.001"),
        confidence=0.999,
        log_evidence=12.0,
        progress=0.9,
        calibrated=True,
        identity_source="principal",
        event_id=f"event-{client_id}",
        time_ms=int(EVENT_TIME.timestamp() * 1000),
        query=31,
        position=Position("predictions", 0, 402),
        evidence=(
            Evidence(
                "one_field_changes",
                "30 of 31 queries differ in one field",
                {"changes": 30, "queries": 31},
                (LogRange("predictions", 0, 118, 402),),
            ),
        ),
        features={"one_field_share": 0.968},
    )
    return replace(grave, **changes)  # type: ignore[arg-type]
