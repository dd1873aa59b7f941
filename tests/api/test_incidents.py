"""Reading incidents and acting on them."""

import base64
import json
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import fields
from datetime import datetime

import httpx
import pytest

from detector.api.schemas import EvidenceOut, IncidentOut, LogRangeOut, TimelineEntryOut
from detector.incidents.model import GENESIS_HASH, Incident, TimelineEntry
from detector.pipeline.ports import Transaction
from detector.scoring.finding import AttackClass, Evidence, LogRange
from detector.storage import migrate
from detector.storage.store import open_store
from tests.api.conftest import House
from tests.fakes.findings import EVENT_TIME

Problem = Callable[[httpx.Response, int], str]
INTERNAL = {"marks", "waiting"}  # what replay and escalation go by: of no use outside
ADDED = {"atlas_techniques", "mitigations"}


def crafted(opened_at: str, incident_id: str) -> str:
    """A cursor that anybody can make."""
    content = json.dumps([opened_at, incident_id]).encode()
    return base64.urlsafe_b64encode(content).decode().rstrip("=")


@pytest.mark.parametrize(
    ("domain", "out"),
    [(TimelineEntry, TimelineEntryOut), (Evidence, EvidenceOut), (LogRange, LogRangeOut)],
)
def test_children_have_the_fields_of_the_domain(domain: type, out: type) -> None:
    assert {f.name for f in fields(domain)} == set(out.model_fields)  # type: ignore[attr-defined]


def test_incident_has_the_fields_of_the_domain() -> None:
    domain = {field.name for field in fields(Incident)}
    assert domain - INTERNAL == set(IncidentOut.model_fields) - ADDED


def test_empty_list(client: httpx.Client) -> None:
    assert client.get("/api/v1/incidents").json() == {"items": [], "next_cursor": None}


def test_pages_hold_every_incident_once(house: House, client: httpx.Client) -> None:
    opened = {house.open_incident(f"key-{i}").incident_id for i in range(7)}
    seen, cursor = [], None
    while True:
        parameters = {"limit": 3} | ({"after": cursor} if cursor else {})
        page = client.get("/api/v1/incidents", params=parameters).json()
        seen += [item["incident_id"] for item in page["items"]]
        cursor = page["next_cursor"]
        if cursor is None:
            break
    assert len(seen) == 7
    assert set(seen) == opened


@pytest.mark.parametrize(
    ("parameters", "expected"),
    [
        ({"attack_class": "extraction"}, {"a"}),
        ({"attack_class": ["extraction", "inversion"]}, {"a", "b"}),
        ({"client_id": "b"}, {"b"}),
        ({"model_id": "credit-risk"}, {"a", "b"}),
        ({"model_id": "another"}, set()),
        ({"tenant_id": "nobody"}, set()),
        ({"stage": "new"}, {"a", "b"}),
        ({"stage": "closed"}, set()),
        ({"min_severity": "info"}, {"a", "b"}),
        ({"min_severity": "critical"}, {"a"}),
        ({"acknowledged": "true"}, set()),
        ({"assignee": "alice"}, set()),
        ({"opened_from": EVENT_TIME.isoformat()}, {"a", "b"}),
        ({"opened_before": EVENT_TIME.isoformat()}, set()),
    ],
)
def test_filters(
    house: House, client: httpx.Client, parameters: dict[str, str], expected: set[str]
) -> None:
    house.open_incident("a")
    house.open_incident("b", attack_class=AttackClass.INVERSION, confidence=0.6, progress=0.0)
    page = client.get("/api/v1/incidents", params=parameters).json()
    assert {item["client_id"] for item in page["items"]} == expected


@pytest.mark.parametrize(
    "parameters",
    [
        {"limit": 0},
        {"limit": 201},
        {"limit": "many"},
        {"after": "not-a-cursor"},
        {"after": "x" * 600},
        {"attack_class": "theft"},
        {"after": crafted("0001-01-01T00:00:00+23:00", "x")},
        {"after": crafted("2026-05-04T09:12:31Z", "nul\x00")},
        {"after": crafted("2026-05-04T09:12:31Z", "\ud800")},
        {"opened_from": "2026-05-04T09:12:31"},
        {"client_id": "nul\x00"},
        {"client_id": "x" * 1025},
        {"severity": "high"},
        {"stage": ["new"] * 21},
    ],
)
def test_filters_that_are_refused(
    client: httpx.Client, problem: Problem, parameters: dict[str, str]
) -> None:
    assert problem(client.get("/api/v1/incidents", params=parameters), 422)


@pytest.mark.parametrize("field", ["opened_from", "opened_before"])
@pytest.mark.parametrize(
    ("value", "reason"),
    [
        ("0001-01-01T00:00:00+23:00", "years 1 to 9999"),
        ("9999-12-31T23:59:59-23:00", "years 1 to 9999"),
        ("1714814400", "RFC 3339"),
        ("-1714814400.5", "RFC 3339"),
    ],
)
def test_time_that_is_refused_is_named(
    client: httpx.Client, problem: Problem, field: str, value: str, reason: str
) -> None:
    detail = problem(client.get("/api/v1/incidents", params={field: value}), 422)
    assert f"query.{field}: " in detail
    assert reason in detail


@pytest.mark.parametrize("field", ["opened_from", "opened_before"])
@pytest.mark.parametrize("value", ["0001-01-01T00:00:00Z", "9999-12-31T23:59:59+23:00"])
def test_times_at_either_end_are_taken(client: httpx.Client, field: str, value: str) -> None:
    assert client.get("/api/v1/incidents", params={field: value}).status_code == 200


def test_incident_in_full(house: House, client: httpx.Client) -> None:
    incident = house.open_incident()
    response = client.get(f"/api/v1/incidents/{incident.incident_id}")
    shown = response.json()
    assert response.headers["etag"] == '"1"'
    assert shown["evidence"][0]["ranges"] == [
        {"topic": "predictions", "partition": 0, "first_offset": 118, "last_offset": 402}
    ]
    assert shown["severity_breakdown"]
    assert all(factor["reason"] for factor in shown["severity_breakdown"])
    assert [item["name"] for item in shown["atlas_techniques"]] == [
        "Extract AI Model",
        "Train Proxy via Replication",
    ]
    assert "AML.M0004" in {item["atlas_id"] for item in shown["mitigations"]}
    assert datetime.fromisoformat(shown["opened_at"]) == EVENT_TIME


def test_analyst_takes_an_incident_through_its_life(house: House, client: httpx.Client) -> None:
    path = f"/api/v1/incidents/{house.open_incident().incident_id}"
    alice = {"X-Actor": "alice"}

    def post(act: str, body: object = None) -> dict[str, object]:
        response = client.post(f"{path}/{act}", json=body, headers=alice)
        assert response.status_code == 200, response.text
        changed: dict[str, object] = response.json()
        assert response.headers["etag"] == f'"{changed["version"]}"'
        return changed

    acknowledged = post("acknowledge")
    assert acknowledged["acknowledged_by"] == acknowledged["assignee"] == "alice"
    assert post("assign", {"assignee": "bob"})["assignee"] == "bob"
    assert post("assign", {"assignee": None})["assignee"] is None
    overridden = post("severity", {"severity": "low", "reason": "a test account"})
    assert (overridden["severity"], overridden["computed_severity"]) == ("low", "critical")
    assert post("severity", {"severity": None})["severity"] == "critical"
    post("comments", {"text": "asked the owner of the key"})
    post("stage", {"stage": "in_progress"})
    assert post("stage", {"stage": "resolved"})["stage"] == "resolved"
    closed = post("close", {"verdict": "benign", "comment": "authorised"})
    assert (closed["stage"], closed["verdict"]) == ("closed", "benign")
    assert post("reopen", {"reason": "it came back"})["stage"] == "reopened"

    entries = client.get(f"{path}/timeline").json()["items"]
    assert entries[0]["previous_hash"] == GENESIS_HASH
    assert [e["previous_hash"] for e in entries[1:]] == [e["entry_hash"] for e in entries[:-1]]
    assert [e["sequence"] for e in entries] == list(range(1, len(entries) + 1))
    assert entries[0]["actor"] == "querywatch"
    assert {e["actor"] for e in entries[1:]} == {"alice"}
    told = " ".join(e["summary"] + str(e["data"]) for e in entries)
    for text in ("a test account", "asked the owner of the key", "authorised", "it came back"):
        assert text in told


def test_closing_needs_a_verdict(house: House, client: httpx.Client, problem: Problem) -> None:
    path = f"/api/v1/incidents/{house.open_incident().incident_id}/close"
    assert "body.verdict" in problem(client.post(path, json={}), 422)


def test_impossible_move_names_the_allowed_ones(
    house: House, client: httpx.Client, problem: Problem
) -> None:
    path = f"/api/v1/incidents/{house.open_incident().incident_id}"
    client.post(f"{path}/close", json={"verdict": "duplicate"})
    again = client.post(f"{path}/close", json={"verdict": "duplicate"})
    assert "reopened" in problem(again, 409)
    assert problem(client.post(f"{path}/stage", json={"stage": "triaged"}), 409)


def test_change_of_a_stale_version_is_refused(
    house: House, client: httpx.Client, problem: Problem
) -> None:
    path = f"/api/v1/incidents/{house.open_incident().incident_id}"
    first = client.post(f"{path}/comments", json={"text": "one"}, headers={"If-Match": '"1"'})
    assert first.headers["etag"] == '"2"'
    stale = client.post(f"{path}/comments", json={"text": "two"}, headers={"If-Match": '"1"'})
    assert "version 2" in problem(stale, 412)
    assert stale.headers["etag"] == '"2"'
    for tag in ('"7", "2"', "*"):
        response = client.post(f"{path}/comments", json={"text": "x"}, headers={"If-Match": tag})
        assert response.status_code == 200
    weak = client.post(f"{path}/comments", json={"text": "x"}, headers={"If-Match": 'W/"4"'})
    assert problem(weak, 412)
    assert len(client.get(f"{path}/timeline").json()["items"]) == 4


def test_the_version_that_was_compared_is_the_one_that_is_changed(
    postgres_database_url: str,
) -> None:
    """Whoever acts between the comparison and the change has to wait."""
    migrate.upgrade(postgres_database_url)
    store = open_store(postgres_database_url)
    with ExitStack() as stack:
        stack.callback(store.close)
        house = House(store, stack)
        key = house.open_incident().incident_id
        machine = threading.Thread(target=house.open_incident, kwargs={"query": 400})

        class Interrupted:
            """The store, but that the machine acts as soon as the incident was first read."""

            @contextmanager
            def transaction(self) -> Iterator[Transaction]:
                with store.transaction() as transaction:
                    read = transaction.incidents.get

                    def get(incident_id: str, *, hold: bool = False) -> Incident | None:
                        found = read(incident_id, hold=hold)
                        if machine.ident is None:
                            machine.start()
                            machine.join(0.5)
                        return found

                    transaction.incidents.get = get  # type: ignore[method-assign]
                    yield transaction

        client = house.client(store=Interrupted())
        path = f"/api/v1/incidents/{key}"
        answer = client.post(
            f"{path}/stage", json={"stage": "triaged"}, headers={"If-Match": '"1"'}
        )
        assert (answer.status_code, answer.headers["etag"]) == (200, '"2"')
        machine.join()
        seen = [entry["kind"] for entry in client.get(f"{path}/timeline").json()["items"]]
        assert seen == ["opened", "stage", "extended"]


@pytest.mark.parametrize("act", ["acknowledge", "reopen"])
def test_unknown_incident(client: httpx.Client, problem: Problem, act: str) -> None:
    assert problem(client.post(f"/api/v1/incidents/nothing/{act}"), 404)
    assert problem(client.get("/api/v1/incidents/nothing"), 404)
    assert problem(client.get("/api/v1/incidents/nothing/timeline"), 404)


@pytest.mark.parametrize(
    "body",
    [
        b"{",
        b"[]",
        b'{"text": ""}',
        b'{"text": "nul \\u0000"}',
        b'{"text": "\\ud800"}',
        b'{"text": 5}',
        b'{"text": "x", "more": 1}',
        b'{"text": "' + b"x" * 10_001 + b'"}',
        b"\xff\xfe",
        b"[" * 50_000,
    ],
)
def test_comments_that_are_refused(
    house: House, client: httpx.Client, problem: Problem, body: bytes
) -> None:
    path = f"/api/v1/incidents/{house.open_incident().incident_id}"
    headers = {"Content-Type": "application/json"}
    response = client.post(f"{path}/comments", content=body, headers=headers)
    assert response.status_code in (400, 422)
    assert problem(response, response.status_code)
    assert len(client.get(f"{path}/timeline").json()["items"]) == 1
