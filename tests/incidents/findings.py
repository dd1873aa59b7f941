"""Findings for tests, with every field at a plausible default."""

from dataclasses import replace
from typing import Any

from detector.events.model import ClientKey
from detector.events.record import Position
from detector.scoring.finding import AttackClass, Evidence, Finding, LogRange

CLIENT = ClientKey("acme", "churn", "mallory")
START_MS = 1_760_000_000_000

_BASE = Finding(
    client=CLIENT,
    technique="tree_path_finding",
    attack_class=AttackClass.EXTRACTION,
    atlas=("AML.T0024.002",),
    confidence=0.99,
    log_evidence=9.0,
    progress=0.1,
    calibrated=True,
    identity_source="principal",
    event_id="",
    time_ms=0,
    query=0,
    position=Position("predictions", 0, 0),
    evidence=(),
    features={"one_field_share": 0.97},
)


def finding(query: int, **values: Any) -> Finding:
    """A finding at the client's query of that ordinal; one query a second, one log offset each."""
    stretch = LogRange("predictions", 0, max(0, query - 32), query)
    defaults = {
        "query": query,
        "event_id": f"event-{query}",
        "time_ms": START_MS + 1000 * query,
        "position": Position("predictions", 0, query),
        "evidence": (
            Evidence(
                "one_field_changes", f"31 of {query} changed one field", {"n": 31}, (stretch,)
            ),
        ),
    }
    return replace(_BASE, **{**defaults, **values})
