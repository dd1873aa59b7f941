"""Examples shown in the OpenAPI document; a test reads each with its schema.

No value is null: FastAPI leaves nulls out of the document, and with them the fields.
"""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Final

from detector.api.problems import MEDIA_TYPE, ProblemOut
from detector.incidents import atlas
from detector.scoring.finding import AttackClass

Responses = dict[int | str, dict[str, object]]

_ID: Final = "0b8a3f0e-7f43-5c55-9c0e-5a3a1c9f3e11"
_HEAD: Final = "9f2c4be1a7d05386e1c4f9b2d8a07365c1e4b7a09d3f62581e7c4a90b3d6f825"
_GENESIS: Final = "0" * 64

SUMMARY: Mapping[str, object] = {
    "incident_id": _ID,
    "tenant_id": "",
    "client_id": "key-4711",
    "model_id": "credit-risk",
    "attack_class": "extraction",
    "techniques": ["tree_path_finding"],
    "atlas": ["AML.T0024.002", "AML.T0005.001"],
    "stage": "closed",
    "severity": "high",
    "computed_severity": "critical",
    "severity_override": "high",
    "confidence": 0.998,
    "progress": 0.12,
    "calibrated": True,
    "identity_source": "principal",
    "opened_at": "2026-05-04T09:12:31Z",
    "opened_at_query": 31,
    "last_seen": "2026-05-04T09:15:02Z",
    "queries": 240,
    "dedup_key": "6fb3a3a2-2f3e-5b0e-8a55-0d6f5f8b7a10",
    "created_at": "2026-05-04T09:12:32Z",
    "updated_at": "2026-05-04T11:00:00Z",
    "assignee": "alice",
    "acknowledged_at": "2026-05-04T09:20:00Z",
    "acknowledged_by": "alice",
    "verdict": "true_positive",
    "closed_at": "2026-05-04T11:00:00Z",
    "escalation_level": 1,
    "timeline_length": 4,
    "timeline_head": _HEAD,
    "version": 4,
}

INCIDENT: Mapping[str, object] = {
    **SUMMARY,
    "severity_breakdown": [
        {
            "name": "confidence",
            "value": 0.998,
            "points": 40.0,
            "reason": "the evidence leaves little doubt",
        }
    ],
    "evidence": [
        {
            "kind": "one_field_changes",
            "statement": "30 of 31 queries differ from an earlier one in exactly one field",
            "numbers": {"changes": 30, "queries": 31},
            "ranges": [
                {"topic": "predictions", "partition": 0, "first_offset": 118, "last_offset": 402}
            ],
        }
    ],
    "features": {"one_field_share": 0.968},
    "atlas_techniques": [
        item._asdict() for item in atlas.techniques(("AML.T0024.002", "AML.T0005.001"))
    ],
    "mitigations": [item._asdict() for item in atlas.mitigations(AttackClass.EXTRACTION)],
}

PAGE: Mapping[str, object] = {"items": [SUMMARY], "next_cursor": "WyIyMDI2LTA1LTA0VDA5OjEyOjMxIl0"}

TIMELINE: Mapping[str, object] = {
    "items": [
        {
            "incident_id": _ID,
            "sequence": 1,
            "at": "2026-05-04T09:12:32Z",
            "actor": "querywatch",
            "kind": "opened",
            "summary": "opened by tree_path_finding at query 31",
            "data": {"technique": "tree_path_finding", "query": 31},
            "previous_hash": _GENESIS,
            "entry_hash": _HEAD,
        }
    ]
}

PROFILE: Mapping[str, object] = {
    "client": {"tenant_id": "", "model_id": "credit-risk", "client_id": "key-4711"},
    "first_seen": "2026-05-04T09:12:01Z",
    "last_seen": "2026-05-04T09:15:02Z",
    "queries": 240,
    "identity_source": "principal",
    "status": "calibrated",
    "features": {"one_field_share": 0.968},
    "scores": {"tree_path_finding": 0.998},
}

MODELS: Mapping[str, object] = {
    "items": [{"tenant_id": "", "model_id": "credit-risk", "active_version": 2, "versions": 2}]
}

REFERENCE: Mapping[str, object] = {
    "model": {"tenant_id": "", "model_id": "credit-risk"},
    "version": 2,
    "status": "active",
    "created_at": "2026-05-01T00:00:00Z",
    "events": 20000,
    "clients": 64,
    "origin": "reference build",
    "digest": "5d41402abc4b2a76b9719d911017c592ae7f0a1b6f0d1c9b7e5a3c2d4e6f8091",
    "summary": {"fields": 12},
}

REFERENCES: Mapping[str, object] = {"items": [REFERENCE]}

HEALTH: Mapping[str, object] = {"status": "alive"}

READY: Mapping[str, object] = {
    "ready": True,
    "checks": [{"name": "database", "ready": True, "detail": ""}],
}

NOT_READY: Mapping[str, object] = {
    "ready": False,
    "checks": [{"name": "database", "ready": False, "detail": "the schema is not current"}],
}

METRICS: Final = "querywatch_store_up 1.0\nquerywatch_outbox_pending 0.0\n"

_PROBLEMS: Mapping[HTTPStatus, str] = {
    HTTPStatus.BAD_REQUEST: "X-Actor must be a printable name of up to 100 characters",
    HTTPStatus.UNAUTHORIZED: "an API key is required: Authorization: Bearer KEY",
    HTTPStatus.FORBIDDEN: "the key lacks the permission incidents:write",
    HTTPStatus.NOT_FOUND: "no incident has this id",
    HTTPStatus.CONFLICT: "an incident in stage closed cannot move to closed;"
    " allowed moves: reopened",
    HTTPStatus.PRECONDITION_FAILED: "the incident is at version 4 by now",
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE: "a request body may hold at most 65536 bytes",
    HTTPStatus.UNPROCESSABLE_ENTITY: "body.verdict: Field required",
    HTTPStatus.INTERNAL_SERVER_ERROR: "the request could not be handled; see the server's log",
    HTTPStatus.SERVICE_UNAVAILABLE: "the database does not answer",
}

_ALWAYS = (
    HTTPStatus.BAD_REQUEST,
    HTTPStatus.UNAUTHORIZED,
    HTTPStatus.FORBIDDEN,
    HTTPStatus.UNPROCESSABLE_ENTITY,
    HTTPStatus.INTERNAL_SERVER_ERROR,
    HTTPStatus.SERVICE_UNAVAILABLE,
)


def shown(example: object, *problems: HTTPStatus) -> Responses:
    """Return a route's `responses`: a 200 with its example, and every problem it may answer."""
    content = {"application/json": {"example": example}}
    answers: Responses = {200: {"description": "Done.", "content": content}}
    return answers | {int(status): _problem(status) for status in (*_ALWAYS, *problems)}


def _problem(status: HTTPStatus) -> dict[str, object]:
    example = ProblemOut(title=status.phrase, status=status, detail=_PROBLEMS[status])
    schema = {"$ref": "#/components/schemas/ProblemOut"}
    return {
        "description": status.phrase,
        "content": {MEDIA_TYPE: {"schema": schema, "example": example.model_dump(mode="json")}},
    }
