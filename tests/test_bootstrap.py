"""Settings arrive where they belong, and nothing happens before a command asks for it."""

import subprocess
import sys
from ipaddress import ip_network
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry

from detector import bootstrap, bootstrap_copies, bootstrap_serving
from detector.config import Settings
from detector.incidents.model import Severity
from detector.kit.errors import ConfigurationError
from detector.kit.metrics import StreamMetrics
from detector.pipeline.learn import ReferenceBuilder
from detector.sources.sample import TopicSample
from tests.logs import write_attacked_log, write_benign_log

SECRETS = ("whsec_" + "c2VjcmV0" * 4, "whsec_" + "b2xkb2xk" * 4)


def test_import_reads_no_environment_and_touches_nothing(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", "import detector.bootstrap, detector.cli.main"],
        cwd=tmp_path,
        env={"QUERYWATCH_PORT": "nonsense", "QUERYWATCH_DATABASE_URL": "nonsense"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        check=False,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")
    assert list(tmp_path.iterdir()) == []


HEAVY = ("fastapi", "pandas", "river", "scipy.stats", "sklearn", "uvicorn")
JUDGING = """
import sys, detector.cli.processes
from detector import bootstrap
from detector.pipeline.detect import build_detection
from detector.pipeline.learning import DetectionPolicy
from detector.reference.picture import Reference
reference = Reference.from_bytes(open(sys.argv[1], "rb").read())
detection = build_detection(DetectionPolicy(), {reference.model: reference})
events = [event for made in bootstrap.decoded_files([sys.argv[2]]) for event in made.events]
detection.process(events[:100])
print(detection.clients() > 20, [m for m in sys.argv[3:] if m in sys.modules])
"""


@pytest.mark.parametrize("clients", [8, 60])
def test_who_judges_loads_no_library_that_learns_and_no_web_framework(
    tmp_path: Path, clients: int
) -> None:
    [decoded] = bootstrap.decoded_files([str(write_benign_log(tmp_path / "b", clients=clients))])
    builder = ReferenceBuilder(decoded.events[0].event.model)
    builder.add(decoded.events)
    picture = tmp_path / "picture"
    picture.write_bytes(builder.build().to_bytes())
    log = write_attacked_log(tmp_path / "log")
    command = [sys.executable, "-c", JUDGING, str(picture), str(log), *HEAVY]
    done = subprocess.run(command, capture_output=True, check=True, text=True)
    assert done.stdout == "True []\n"


def test_kafka_settings_carry_sasl_and_tls(tmp_path: Path) -> None:
    ca = tmp_path / "ca.pem"
    ca.touch()
    settings = Settings(
        kafka_bootstrap_servers=("a:1", "b:2"),
        kafka_security_protocol="SASL_SSL",
        kafka_sasl_username="user",
        kafka_sasl_password="pass-word",
        kafka_tls_ca_file=str(ca),
    )
    options = bootstrap.kafka_settings(settings).consumer_options()
    assert options["bootstrap_servers"] == ["a:1", "b:2"]
    assert options["sasl_mechanism"] == "SCRAM-SHA-512"
    assert options["sasl_plain_password"] == "pass-word"
    assert options["ssl_cafile"] == str(ca)


def test_webhooks_serve_one_level_each() -> None:
    settings = Settings(
        webhook_url="https://one.example/in",
        webhook_secrets=SECRETS,
        webhook_allowed_networks=("10.0.0.0/8",),
        escalation_url="https://two.example/in",
        escalation_secrets=SECRETS[:1],
    )
    first, second = bootstrap_serving.webhooks(settings)
    assert (first.level, first.name, first.min_severity) == (1, "webhook", Severity.MEDIUM)
    assert (second.level, second.name, second.min_severity) == (2, "escalation", Severity.HIGH)
    assert first.secrets == SECRETS
    assert first.addresses.allowed == (ip_network("10.0.0.0/8"),)


def test_secret_that_cannot_sign_is_refused() -> None:
    settings = Settings(webhook_url="https://one.example/in", webhook_secrets=("guess",))
    with pytest.raises(ConfigurationError, match="whsec_") as caught:
        bootstrap_serving.webhooks(settings)
    assert "guess" not in str(caught.value)


def test_delivery_starts_and_stops_without_destinations(tmp_path: Path) -> None:
    settings = Settings(database_url=f"sqlite:///{tmp_path}/q.db")
    store = bootstrap.open_database(settings)
    service = bootstrap_serving.delivery(settings, store, CollectorRegistry())
    service.start()
    assert service.alive()
    service.stop()
    store.close()


def test_a_topic_that_is_not_there_yet_is_told(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(bootstrap_copies, "latest_records", lambda settings: TopicSample(0, ()))
    metrics = StreamMetrics(CollectorRegistry())
    bootstrap_copies.key_watch(Settings(kafka_topic="nosuch"), metrics)
    assert "there is no topic nosuch yet; it is waited for" in caplog.text


def test_sqlite_is_brought_up_to_date_by_itself(tmp_path: Path) -> None:
    settings = Settings(database_url=f"sqlite:///{tmp_path}/q.db")
    bootstrap.open_database(settings).close()
    bootstrap.open_existing_database(settings).close()


def test_postgresql_is_migrated_only_when_asked(postgres_database_url: str) -> None:
    settings = Settings(database_url=postgres_database_url)
    with pytest.raises(ConfigurationError, match="run `querywatch migrate`"):
        bootstrap.open_database(settings)
    bootstrap.open_database(settings, upgrade=True).close()
    bootstrap.open_database(settings).close()
