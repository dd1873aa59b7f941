"""Who may call: keys, loopback without one, permissions, actors."""

from collections.abc import Callable

import httpx
import pytest

from detector.api.dependencies import ApiDependencies
from detector.api.keys import ApiKey, Permission, find_key, is_loopback
from detector.kit.errors import ConfigurationError
from tests.api.conftest import House

Problem = Callable[[httpx.Response, int], str]
KEY = "qw-3f1c0a7d9e5b4826"
SIEM = ApiKey.of("siem", KEY)


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "10.0.0.4", "watch.example", "", "128.0.0.1"])  # noqa: S104 - refused
def test_no_key_no_foreign_address(house: House, host: str) -> None:
    with pytest.raises(ConfigurationError, match="QUERYWATCH_API_KEY"):
        house.dependencies(bind_host=host)
    assert house.dependencies(bind_host=host, keys=(SIEM,)).keys == (SIEM,)


@pytest.mark.parametrize("host", ["127.0.0.1", "127.8.9.10", "::1", "[::1]", "localhost"])
def test_loopback_needs_no_key(house: House, host: str) -> None:
    assert is_loopback(host)
    assert isinstance(house.dependencies(bind_host=host), ApiDependencies)


def test_key_is_required_once_one_is_set(house: House, problem: Problem) -> None:
    client = house.client(keys=(SIEM,))
    missing = client.get("/api/v1/incidents")
    assert problem(missing, 401)
    assert missing.headers["www-authenticate"] == "Bearer"
    for header in ("Bearer wrong", f"Basic {KEY}", KEY, f"Bearer {KEY}x", "Bearer"):
        response = client.get("/api/v1/incidents", headers={"Authorization": header})
        assert KEY not in problem(response, 401)
    right = client.get("/api/v1/incidents", headers={"Authorization": f"Bearer {KEY}"})
    assert right.status_code == 200


def test_two_keys_are_valid_while_they_rotate(house: House) -> None:
    client = house.client(keys=(SIEM, ApiKey.of("siem-next", "another-secret")))
    for secret in (KEY, "another-secret"):
        headers = {"Authorization": f"Bearer {secret}"}
        assert client.get("/api/v1/incidents", headers=headers).status_code == 200


def test_permission_is_required(house: House, problem: Problem) -> None:
    reader = ApiKey.of("reader", KEY, frozenset({Permission.INCIDENTS_READ}))
    client = house.client(KEY, keys=(reader,))
    path = f"/api/v1/incidents/{house.open_incident().incident_id}"
    assert client.get(path).status_code == 200
    assert "incidents:write" in problem(client.post(f"{path}/acknowledge"), 403)
    assert "models:read" in problem(client.get("/api/v1/models"), 403)
    assert client.get(f"{path}/timeline").json()["items"][1:] == []


def test_actor_is_the_key_and_whom_it_speaks_for(house: House) -> None:
    client = house.client(KEY, keys=(SIEM,))
    path = f"/api/v1/incidents/{house.open_incident().incident_id}"
    client.post(f"{path}/comments", json={"text": "one"})
    client.post(f"{path}/comments", json={"text": "two"}, headers={"X-Actor": "alice"})
    client.post(f"{path}/comments", json={"text": "3"}, headers={b"X-Actor": "Zoë".encode()})
    actors = [entry["actor"] for entry in client.get(f"{path}/timeline").json()["items"]]
    assert actors == ["querywatch", "siem", "siem/alice", "siem/Zoë"]


def test_actor_without_a_key(house: House, client: httpx.Client) -> None:
    path = f"/api/v1/incidents/{house.open_incident().incident_id}"
    assert client.post(f"{path}/acknowledge").json()["acknowledged_by"] == "local"


@pytest.mark.parametrize("actor", ["querywatch", "QueryWatch", "a/b", "x" * 101, "a\tb"])
def test_actor_that_would_deceive_is_refused(
    house: House, client: httpx.Client, problem: Problem, actor: str
) -> None:
    path = f"/api/v1/incidents/{house.open_incident().incident_id}/acknowledge"
    assert "X-Actor" in problem(client.post(path, headers={"X-Actor": actor}), 400)


@pytest.mark.parametrize(
    "headers",
    [
        {"Host": "rebound.example"},
        {"Host": "rebound.example:8080"},
        {"Host": "127.0.0.1.rebound.example"},
        {"Host": "localhost@rebound.example"},
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Origin": "http://localhost:1"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"X-Forwarded-For": "203.0.113.9"},
    ],
)
def test_keyless_api_refuses_what_a_web_page_could_send(
    client: httpx.Client, problem: Problem, headers: dict[str, str]
) -> None:
    assert "without an API key" in problem(client.get("/api/v1/incidents", headers=headers), 403)


def test_keyless_api_serves_its_own_origin(client: httpx.Client) -> None:
    origin = str(client.base_url).rstrip("/")
    headers = {"Origin": origin, "Sec-Fetch-Site": "same-origin"}
    assert client.get("/api/v1/incidents", headers=headers).status_code == 200


def test_plain_form_post_changes_nothing(
    house: House, client: httpx.Client, problem: Problem
) -> None:
    path = f"/api/v1/incidents/{house.open_incident().incident_id}"
    headers = {"Content-Type": "text/plain"}
    response = client.post(f"{path}/comments", content=b'{"text": "x"}', headers=headers)
    assert problem(response, 422)


def test_key_is_kept_as_a_digest_only() -> None:
    assert KEY not in repr(SIEM)
    assert len(SIEM.digest) == 32
    assert find_key([SIEM], KEY) is SIEM
    assert find_key([SIEM], KEY + "x") is None


@pytest.mark.parametrize(
    ("name", "secret"),
    [("", KEY), ("querywatch", KEY), ("a/b", KEY), ("siem", ""), ("siem", "a b"), ("siem", "é")],
)
def test_unusable_keys_are_refused(name: str, secret: str) -> None:
    with pytest.raises(ConfigurationError):
        ApiKey.of(name, secret)
