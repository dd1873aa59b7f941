"""What a receiver gets: signature, payload, ids."""

import json
import logging
from collections.abc import Callable

import pytest
from standardwebhooks import Webhook, WebhookVerificationError

from detector.delivery.webhook import WebhookDestination, WebhookSettings
from detector.kit.errors import ConfigurationError
from detector.pipeline.analyst import Analyst
from tests.delivery.conftest import SECRET, Post


def test_receiver_verifies_signature_and_reads_the_incident(post: Post) -> None:
    incident = post.open_incident()
    assert post.worker().deliver_due() == 1
    (received,) = post.receiver.received
    payload = Webhook(SECRET).verify(received.body, received.headers)
    assert payload["type"] == "incident.opened"
    assert payload["timestamp"] == incident.created_at.isoformat().replace("+00:00", "Z")
    data = payload["data"]
    assert data["incident_id"] == incident.incident_id
    assert data["client_id"] == "key-4711"
    assert data["attack_class"] == "extraction"
    assert data["opened_at_query"] == 31
    assert data["evidence"][0]["numbers"] == {"changes": 30, "queries": 31}
    assert data["evidence"][0]["ranges"][0]["last_offset"] == 402
    assert data["stage"] == "new"
    assert "links" not in data
    assert received.headers["content-type"] == "application/json"
    assert post.pending() == 0
    assert post.count("delivered") == 1


def test_body_that_was_tampered_with_does_not_verify(post: Post) -> None:
    post.open_incident()
    post.worker().deliver_due()
    received = post.receiver.received[0]
    with pytest.raises(WebhookVerificationError):
        Webhook(SECRET).verify(received.body.replace(b"key-4711", b"key-0000"), received.headers)


def test_the_log_names_the_host_and_nothing_that_is_secret(
    post: Post, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    incident = post.open_incident()
    url = post.settings().url.replace("http://", "http://user:SEKRET@") + "?token=SEKRET"
    settings = post.settings(url=url)
    assert "SEKRET" not in repr(settings)
    post.worker(WebhookDestination(settings)).deliver_due()
    ours = [record.getMessage() for record in caplog.records if record.name.startswith("detector")]
    assert any("webhook: 127.0.0.1 answered 200" in line for line in ours), (ours, incident)
    assert not any("SEKRET" in line for line in ours)


def test_both_secrets_sign_while_they_rotate(post: Post, secret: Callable[[bytes], str]) -> None:
    new = secret(b"second secret, 32 bytes in all..")
    post.open_incident()
    post.worker(WebhookDestination(post.settings(secrets=(new, SECRET)))).deliver_due()
    received = post.receiver.received[0]
    for each in (new, SECRET):
        assert Webhook(each).verify(received.body, received.headers)["type"] == "incident.opened"


def test_links_lead_to_the_api(post: Post) -> None:
    incident = post.open_incident()
    settings = post.settings(public_url="https://watch.example/")
    post.worker(WebhookDestination(settings)).deliver_due()
    links = json.loads(post.receiver.received[0].body)["data"]["links"]
    base = f"https://watch.example/api/v1/incidents/{incident.incident_id}"
    assert links == {"incident": base, "timeline": f"{base}/timeline"}


def test_state_at_the_moment_of_sending_is_sent(post: Post) -> None:
    incident = post.open_incident()
    with post.store.transaction() as transaction:
        Analyst(transaction, "alice", post.clock).acknowledge(incident.incident_id)
    post.worker().deliver_due()
    data = json.loads(post.receiver.received[0].body)["data"]
    assert data["acknowledged_by"] == "alice"
    assert data["version"] == incident.version + 1


@pytest.mark.parametrize(
    "url",
    [
        "receiver.example/hook",
        "ftp://receiver.example",
        "https://",
        "https://receiver.example:8x/",
        "https://receiver.example:65536/",
        "https://receiver.example:0/",
        "https://[::1/",
    ],
)
def test_url_that_cannot_work_is_refused(url: str) -> None:
    with pytest.raises(ConfigurationError, match="URL"):
        WebhookSettings(url, (SECRET,))


@pytest.mark.parametrize(
    "secrets", [(), (SECRET,) * 3, ("whsec_c2hvcnQ=",), ("whsec_!",), (SECRET[6:],)]
)
def test_secrets_that_cannot_work_are_refused_and_not_shown(secrets: tuple[str, ...]) -> None:
    with pytest.raises(ConfigurationError, match="secret") as caught:
        WebhookSettings("https://receiver.example", secrets)
    assert not any(secret[6:] in str(caught.value) for secret in secrets)
    assert SECRET not in repr(WebhookSettings("https://receiver.example", (SECRET,)))
