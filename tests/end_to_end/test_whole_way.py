"""From a producer to a triaged incident: real broker, database, process, HTTP and webhook."""

import json
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import httpx
from kafka import KafkaProducer
from standardwebhooks import Webhook

from tests.delivery.receiver import receiving
from tests.end_to_end.conftest import PATIENCE, querywatch, running
from tests.logs import MODEL, THIEF

SECRET = "whsec_" + "cXVlcnl3YXRjaC10ZXN0LXNlY3JldC1rZXk="
API_KEY = "qw_0123456789abcdef0123456789abcdef"


def eventually(look: Callable[[], Any]) -> Any:
    """What `look` returns once that is true."""
    deadline = time.monotonic() + PATIENCE
    while not (found := look()):
        assert time.monotonic() < deadline, "nothing came"
        time.sleep(0.1)
    return found


def test_producer_to_acknowledged_incident_and_verified_webhook(
    kafka_bootstrap: str,
    create_topic: Callable[..., str],
    postgres_database_url: str,
    attacked_log: Path,
    benign_log: Path,
    tmp_path: Path,
) -> None:
    topic = create_topic(partitions=3)
    kafka = {"kafka_bootstrap_servers": kafka_bootstrap, "kafka_topic": topic}
    database = {"database_url": postgres_database_url}
    querywatch(tmp_path, "migrate", **database)
    querywatch(tmp_path, "reference", "build", str(benign_log), "--model", MODEL, **database)
    querywatch(tmp_path, "produce", str(attacked_log), **kafka)
    with (
        receiving() as receiver,
        running(
            tmp_path,
            "run",
            **kafka,
            **database,
            kafka_group=topic,
            port="0",
            api_key=API_KEY,
            webhook_url=receiver.url,
            webhook_secrets=SECRET,
            webhook_min_severity="low",
            webhook_allowed_networks="127.0.0.0/8",
        ) as process,
        httpx.Client(
            base_url=process.wait_for(r"listens on (http://\S+)"),
            headers={"Authorization": f"Bearer {API_KEY}"},
        ) as client,
    ):
        listed = eventually(
            lambda: [
                item
                for item in client.get("/api/v1/incidents").raise_for_status().json()["items"]
                if item["client_id"] == THIEF
            ]
        )
        incident_id = listed[0]["incident_id"]
        assert listed[0]["attack_class"] == "extraction"
        refused = httpx.get(client.base_url.join("/api/v1/incidents"))
        assert refused.status_code == 401
        acknowledged = client.post(f"/api/v1/incidents/{incident_id}/acknowledge")
        assert acknowledged.raise_for_status().json()["acknowledged_by"]
        received = eventually(
            lambda: [
                item
                for item in receiver.received
                if json.loads(item.body)["data"]["incident_id"] == incident_id
            ]
        )
        Webhook(SECRET).verify(received[0].body, received[0].headers)
        assert process.stop() == 0
        assert not [line for line in process.lines if "Traceback" in line]
    exported = json.loads(querywatch(tmp_path, "incidents", "export", **database))
    assert incident_id in {incident["incident_id"] for incident in exported}


def test_consume_ends_on_sigterm_and_goes_on_where_it_was(
    kafka_bootstrap: str, create_topic: Callable[..., str], attacked_log: Path, tmp_path: Path
) -> None:
    topic = create_topic()
    kafka = {"kafka_bootstrap_servers": kafka_bootstrap, "kafka_topic": topic}
    settings = {**kafka, "kafka_group": topic, "database_url": f"sqlite:///{tmp_path}/q.db"}
    querywatch(tmp_path, "produce", str(attacked_log), **kafka)
    with running(tmp_path, "consume", **settings) as first:
        first.wait_for(r"reading from 0, (nothing) is stored")
        assert first.stop() == 0
    with running(tmp_path, "consume", **settings) as second:
        second.wait_for(r"reading from (\w+)")
        eventually(lambda: THIEF in querywatch(tmp_path, "incidents", "list", **settings))
        assert second.stop() == 0
    with running(tmp_path, "consume", **settings) as third:
        assert int(third.wait_for(r"reading from (\d+)")) > 0
        assert third.stop() == 0


def test_consume_reads_no_topic_whose_clients_are_split_unless_told_to(
    kafka_bootstrap: str, create_topic: Callable[..., str], attacked_log: Path, tmp_path: Path
) -> None:
    topic = create_topic(partitions=3)
    with closing(KafkaProducer(bootstrap_servers=kafka_bootstrap)) as producer:
        for n, line in enumerate(attacked_log.read_bytes().splitlines()):
            producer.send(topic, line, partition=n % 3)
        producer.flush()
    kafka = {"kafka_bootstrap_servers": kafka_bootstrap, "kafka_topic": topic, "kafka_group": topic}
    settings = {**kafka, "database_url": f"sqlite:///{tmp_path}/q.db"}
    with running(tmp_path, "consume", **settings) as refusing:
        assert refusing.popen.wait(PATIENCE) == 2
        assert "querywatch rekey" in refusing.wait_for(r"(the topic is not keyed by client.*)")
    with running(tmp_path, "consume", "--unkeyed", "allow", **settings) as warned:
        warned.wait_for(r"(not keyed by client)")
        warned.wait_for(r"reading from (\w+)")
        assert warned.stop() == 0
