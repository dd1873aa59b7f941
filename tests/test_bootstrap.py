"""Settings arrive where they belong, and nothing happens before a command asks for it."""

import subprocess
import sys
from ipaddress import ip_network
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry

from detector import bootstrap, bootstrap_serving
from detector.config import Settings
from detector.incidents.model import Severity
from detector.kit.errors import ConfigurationError

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


def test_who_only_reads_loads_no_library_that_learns_and_no_web_framework() -> None:
    heavy = ("fastapi", "pandas", "river", "scipy.stats", "sklearn", "uvicorn")
    code = f"import sys, detector.cli.processes; print([m for m in {heavy} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True, text=True)
    assert done.stdout == "[]\n"


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
