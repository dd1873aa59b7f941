"""Rules for the files in `deploy/`. No container engine is needed; the files are not run here."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from detector.config import FILE, Settings, all_settings

ROOT = Path(__file__).parents[1]
DEPLOY = ROOT / "deploy"
DOCKERFILE = (DEPLOY / "Dockerfile").read_text(encoding="utf-8")
COMPOSE = yaml.safe_load((DEPLOY / "compose.yaml").read_text(encoding="utf-8"))
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
OURS = ("querywatch", "producer")
KEYS = {
    "build", "cap_drop", "command", "depends_on", "environment", "healthcheck", "image", "ports",
    "read_only", "restart", "secrets", "security_opt", "stop_grace_period", "tmpfs", "volumes",
}  # fmt: skip


def instructions() -> list[tuple[str, str]]:
    """The Dockerfile's instructions in order, continued lines joined."""
    joined = re.sub(r"\\\n\s*", " ", DOCKERFILE)
    lines = [line for line in joined.splitlines() if line and not line.startswith("#")]
    return [(line.split()[0], line.split(maxsplit=1)[1]) for line in map(str.strip, lines)]


def final_stage() -> list[tuple[str, str]]:
    found = instructions()
    last = max(index for index, (word, _) in enumerate(found) if word == "FROM")
    return found[last:]


def test_the_compose_file_has_the_four_parts() -> None:
    assert {"kafka", "postgres", *OURS} <= set(SERVICES)


@pytest.mark.parametrize("name", SERVICES)
def test_service_is_well_formed(name: str) -> None:
    service = SERVICES[name]
    assert set(service) <= KEYS
    assert ("image" in service) != ("build" in service)
    assert "restart" in service
    for needed, rule in service.get("depends_on", {}).items():
        if rule["condition"] == "service_healthy":
            assert "test" in SERVICES[needed]["healthcheck"]
        else:
            assert rule["condition"] == "service_completed_successfully"
            assert SERVICES[needed]["restart"] == "no"


@pytest.mark.parametrize("name", SERVICES)
def test_images_are_pinned_to_a_version(name: str) -> None:
    image = SERVICES[name].get("image", "built:1")
    assert re.search(r":\d", image), image


@pytest.mark.parametrize("name", SERVICES)
def test_ports_are_published_on_loopback_only(name: str) -> None:
    assert all(port.startswith("127.0.0.1:") for port in SERVICES[name].get("ports", ()))


@pytest.mark.parametrize("name", SERVICES)
def test_volumes_and_secrets_are_declared(name: str) -> None:
    named = {volume.partition(":")[0] for volume in SERVICES[name].get("volumes", ())}
    assert named <= set(COMPOSE["volumes"])
    assert set(SERVICES[name].get("secrets", ())) <= set(COMPOSE["secrets"])


@pytest.mark.parametrize("name", OURS)
def test_our_containers_have_no_rights_to_spare(name: str) -> None:
    service = SERVICES[name]
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]


@pytest.mark.parametrize("name", OURS)
def test_every_variable_is_a_setting_that_loads(name: str, tmp_path: Path) -> None:
    environment: dict[str, str] = SERVICES[name]["environment"]
    known = {item.variable for item in all_settings()}
    secrets = {item.variable + FILE.upper() for item in all_settings() if item.secret}
    assert set(environment) <= known | secrets
    for variable, value in environment.items():
        if variable in secrets:
            secret = value.removeprefix("/run/secrets/")
            assert secret in SERVICES[name]["secrets"]
    secret_file = tmp_path / "secret"
    secret_file.write_text("postgresql+psycopg://querywatch:secret@postgres/querywatch")
    local = {key: str(secret_file) if key in secrets else val for key, val in environment.items()}
    assert Settings.load(environ=local).kafka_bootstrap_servers == ("kafka:9092",)


def test_no_secret_stands_in_the_files() -> None:
    text = (DEPLOY / "compose.yaml").read_text(encoding="utf-8") + DOCKERFILE
    secret_names = [item.variable for item in all_settings() if item.secret]
    assert not [name for name in secret_names if re.search(rf"{name}\s*[:=]", text)]
    assert "PASSWORD:" not in text


def test_the_image_is_built_in_stages_from_a_pinned_version() -> None:
    bases = [rest for word, rest in instructions() if word == "FROM"]
    assert len(bases) == 2
    assert all(re.match(r"python:3\.\d+-slim", base) for base in bases)
    assert "pip" not in " ".join(rest for word, rest in final_stage() if word == "RUN")


def test_the_image_runs_without_rights_and_can_be_probed() -> None:
    words = dict(final_stage())
    user = words["USER"].partition(":")[0]
    assert user.isdigit()
    assert int(user) > 0
    assert str(Settings().port) in words["HEALTHCHECK"]
    assert words["EXPOSE"] == str(Settings().port)
    assert words["STOPSIGNAL"] == "SIGTERM"
    assert words["ENTRYPOINT"] == '["querywatch"]'


def test_what_is_copied_exists_and_reaches_the_builder() -> None:
    allowed = (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()
    sources = [
        source
        for word, rest in instructions()
        if word == "COPY" and "--from" not in rest
        for source in rest.split()[:-1]
    ]
    assert "migrations" in sources
    assert "schemas" in sources
    for source in sources:
        assert (ROOT / source).exists(), source
        assert f"!{source.partition('/')[0]}" in allowed


def test_the_locked_requirements_are_installed_with_their_hashes() -> None:
    installs = [rest for word, rest in instructions() if word == "RUN" and "pip install" in rest]
    assert "--require-hashes" in installs[0]
