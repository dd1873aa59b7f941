"""Health, readiness, metrics, references, clients, size of bodies, inner errors."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from detector.api.keys import ApiKey
from detector.events.model import ClientKey, ModelKey
from detector.kit.errors import ConfigurationError, RecoverableError
from detector.pipeline.ports import ClientProfile, ReferenceInfo, ReferenceStatus
from detector.storage.store import open_store
from tests.api.conftest import House
from tests.fakes.findings import EVENT_TIME

Problem = Callable[[httpx.Response, int], str]
ODD = "tenant/ü?&=#%2F client"


def test_health_and_readiness(client: httpx.Client) -> None:
    assert client.get("/healthz").json() == {"status": "alive"}
    ready = client.get("/readyz")
    assert ready.status_code == 200
    assert ready.json()["checks"] == [{"name": "database", "ready": True, "detail": ""}]


def test_readiness_says_what_is_missing(house: House, tmp_path: Path) -> None:
    empty = open_store(f"sqlite:///{tmp_path / 'empty.db'}")
    house.stack.callback(empty.close)

    def broken() -> None:
        raise RuntimeError("postgresql://user:hunter2@inner")

    def waiting() -> None:
        raise RecoverableError("the broker does not answer")

    client = house.client(store=empty, probes={"delivery": broken, "log": waiting})
    response = client.get("/readyz")
    assert response.status_code == 503
    checks = {check["name"]: check for check in response.json()["checks"]}
    assert not checks["database"]["ready"]
    assert "migrate" in checks["database"]["detail"] or "schema" in checks["database"]["detail"]
    assert checks["log"]["detail"] == "the broker does not answer"
    assert checks["delivery"]["detail"] == "failed with RuntimeError"
    assert "hunter2" not in response.text
    assert client.get("/healthz").status_code == 200


def samples(text: str) -> Iterator[tuple[str, dict[str, str], float]]:
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            yield sample.name, sample.labels, sample.value


def test_metrics_are_bounded_and_name_no_client(house: House, client: httpx.Client) -> None:
    for i in range(12):
        incident = house.open_incident(f"client-{i}")
        client.get(f"/api/v1/incidents/{incident.incident_id}")
        client.get(f"/no/such/place/{i}")
        client.request(f"ODD{i}", "/healthz")
    text = client.get("/metrics").text
    found = list(samples(text))
    assert len(found) < 200
    assert "client-1" not in text
    values = {name: value for name, labels, value in found if not labels}
    assert values["querywatch_outbox_pending"] == 12
    assert values["querywatch_store_up"] == 1
    routes = {labels["route"] for _, labels, _ in found if "route" in labels}
    assert {"/api/v1/incidents/{incident_id}", "unmatched"} <= routes


def test_metrics_need_no_key(house: House) -> None:
    key = ApiKey.of("prometheus", "a-scraping-secret")
    assert house.client(keys=(key,)).get("/metrics").status_code == 200


def test_client_profile(house: House, client: httpx.Client, problem: Problem) -> None:
    key = ClientKey(ODD, "model/1", "key 7/\U0001f511")
    profile = ClientProfile(
        key, EVENT_TIME, EVENT_TIME, 12, "principal", "learning", {"entropy": 0.5}, {}
    )
    with house.store.transaction() as transaction:
        transaction.clients.put([profile])
    shown = client.get("/api/v1/clients/profile", params=key._asdict())
    assert shown.json()["client"] == key._asdict()
    assert shown.json()["queries"] == 12
    assert shown.json()["features"] == {"entropy": 0.5}
    unknown = {"client_id": "nobody", "model_id": "model/1"}
    assert problem(client.get("/api/v1/clients/profile", params=unknown), 404)
    assert "model_id" in problem(client.get("/api/v1/clients/profile?client_id=x"), 422)


def test_references_and_models(house: House, client: httpx.Client, problem: Problem) -> None:
    info = ReferenceInfo(
        ModelKey("", "credit/risk"), 0, ReferenceStatus.ACTIVE, EVENT_TIME, 100, 4, "test", "d1"
    )
    with house.store.transaction() as transaction:
        transaction.references.add(info, b"one")
        transaction.references.add(replace(info, digest="d2"), b"two")
    models = client.get("/api/v1/models").json()["items"]
    expected = {"tenant_id": "", "model_id": "credit/risk", "active_version": 2, "versions": 2}
    assert models == [expected]
    parameters = {"model_id": "credit/risk"}
    activated = client.post("/api/v1/references/1/activate", params=parameters).json()
    assert (activated["version"], activated["status"]) == (1, "active")
    listed = client.get("/api/v1/references", params=parameters).json()["items"]
    assert [(r["version"], r["status"]) for r in listed] == [(2, "inactive"), (1, "active")]
    assert client.get("/api/v1/references?model_id=other").json()["items"] == []
    assert len(client.get("/api/v1/references").json()["items"]) == 2
    assert problem(client.post("/api/v1/references/9/activate", params=parameters), 404)
    assert problem(client.post("/api/v1/references/9/activate"), 422)


def test_announced_body_that_is_too_large_is_refused(
    client: httpx.Client, problem: Problem
) -> None:
    path = "/api/v1/incidents/x/comments"
    assert "65536" in problem(client.post(path, content=b" " * 65_537), 413)


def test_streamed_body_is_cut_off(house: House, client: httpx.Client, problem: Problem) -> None:
    incident = house.open_incident()
    chunks = (b"x" * 1024 for _ in range(80))
    path = f"/api/v1/incidents/{incident.incident_id}/comments"
    headers = {"Content-Type": "application/json"}
    assert problem(client.post(path, content=chunks, headers=headers), 413)


def test_unknown_path_and_method_are_problems(client: httpx.Client, problem: Problem) -> None:
    for path in ("/nothing", "/", "/docs"):
        assert "/api/v1/openapi.json" in problem(client.get(path), 404)
    assert problem(client.delete("/api/v1/incidents"), 405)


@pytest.mark.parametrize("body", [b"{", b'{"text": "\xff"}', b""], ids=["json", "utf-8", "none"])
def test_a_body_that_cannot_be_read(house: House, client: httpx.Client, body: bytes) -> None:
    path = f"/api/v1/incidents/{house.open_incident().incident_id}/comments"
    answer = client.post(path, content=body, headers={"Content-Type": "application/json"})
    assert answer.status_code == (400 if body else 422)
    assert answer.json()["title"]


@pytest.mark.parametrize("path", ["models", "references", "clients/profile?client_id=c&model_id=m"])
def test_an_unknown_filter_is_refused_everywhere(
    client: httpx.Client, problem: Problem, path: str
) -> None:
    found = client.get(f"/api/v1/{path}", params=None if "?" in path else {"x": "1"})
    if "?" in path:
        found = client.get(f"/api/v1/{path}&x=1")
    assert problem(found, 422)
    assert found.json()["errors"][0]["location"] == "query.x"


class FailingStore:
    """A store whose every transaction fails with a given error."""

    def __init__(self, error: Exception) -> None:
        self.transaction = self._fail
        self.error = error

    def _fail(self) -> None:
        raise self.error


def test_inner_errors_keep_the_inside_to_themselves(house: House, problem: Problem) -> None:
    secret = "postgresql://user:hunter2@inner"
    client = house.client(store=FailingStore(RuntimeError(secret)))
    assert "hunter2" not in problem(client.get("/api/v1/incidents"), 500)
    away = house.client(store=FailingStore(RecoverableError(secret))).get("/api/v1/incidents")
    assert "hunter2" not in problem(away, 503)
    assert away.headers["retry-after"] == "5"


def test_metrics_survive_a_database_that_does_not_answer(house: House) -> None:
    client = house.client(store=FailingStore(RecoverableError("away")))
    assert "querywatch_store_up 0.0" in client.get("/metrics").text


def test_application_needs_a_key_off_loopback(house: House) -> None:
    with pytest.raises(ConfigurationError):
        house.client(bind_host="192.0.2.1")
