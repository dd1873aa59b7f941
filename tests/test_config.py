"""Settings: where values come from, what is refused and how it is said, and what is never shown."""

import re
from pathlib import Path

import pytest

from detector.config import Settings, all_settings
from detector.incidents.model import Severity
from detector.kit.errors import ConfigurationError

SECRET = "whsec_" + "c2VjcmV0" * 4
DOCS = Path(__file__).parents[1] / "docs" / "configuration.md"


def test_defaults_need_no_environment() -> None:
    settings = Settings.load(environ={})
    assert settings == Settings()
    assert settings.database_url == "sqlite:///querywatch.db"
    assert settings.host == "127.0.0.1"


def test_option_beats_environment_beats_default() -> None:
    environ = {"QUERYWATCH_KAFKA_TOPIC": "from-env", "QUERYWATCH_PORT": "9000"}
    settings = Settings.load({"kafka_topic": "from-option", "port": None}, environ)
    assert (settings.kafka_topic, settings.port) == ("from-option", 9000)
    assert settings.kafka_group == Settings().kafka_group


def test_empty_variable_counts_as_unset() -> None:
    assert Settings.load(environ={"QUERYWATCH_API_KEY": ""}).api_key is None


def test_values_are_parsed() -> None:
    settings = Settings.load(
        environ={
            "QUERYWATCH_KAFKA_BOOTSTRAP_SERVERS": "a:9092, b:9092",
            "QUERYWATCH_ESCALATION_DELAY": "2h",
            "QUERYWATCH_WEBHOOK_MIN_SEVERITY": "High",
            "QUERYWATCH_KAFKA_SECURITY_PROTOCOL": "ssl",
        }
    )
    assert settings.kafka_bootstrap_servers == ("a:9092", "b:9092")
    assert settings.escalation_delay == 7200.0
    assert settings.webhook_min_severity is Severity.HIGH
    assert settings.kafka_security_protocol == "SSL"


@pytest.mark.parametrize(
    ("variable", "raw", "reason"),
    [
        ("QUERYWATCH_PORT", "http", "whole number from 0 to 65535"),
        ("QUERYWATCH_PORT", "70000", "whole number from 0 to 65535"),
        ("QUERYWATCH_ALARM_BUDGET", "nan", "between 0 and 1"),
        ("QUERYWATCH_ALARM_BUDGET", "1", "between 0 and 1"),
        ("QUERYWATCH_ESCALATION_DELAY", "soon", "duration such as 30s"),
        ("QUERYWATCH_WEBHOOK_MIN_SEVERITY", "loud", "one of info, low"),
        ("QUERYWATCH_WEBHOOK_URL", "ftp://somewhere", "http or https"),
        ("QUERYWATCH_WEBHOOK_URL", "https://somewhere:8x/", "port from 1 to 65535"),
        ("QUERYWATCH_ESCALATION_URL", "https://somewhere:65536/", "port from 1 to 65535"),
        ("QUERYWATCH_PUBLIC_URL", "https://[::1/", "http or https"),
        ("QUERYWATCH_WEBHOOK_ALLOWED_NETWORKS", "10.0.0.0/8,intranet", "intranet is no IP network"),
        ("QUERYWATCH_KAFKA_TLS_CA_FILE", "/does/not/exist.pem", "is not a file"),
        ("QUERYWATCH_KAFKA_BOOTSTRAP_SERVERS", " , ", "separated by commas"),
        ("QUERYWATCH_BATCH_SIZE", "0", "whole number from 1"),
    ],
)
def test_error_names_the_variable_and_the_reason(variable: str, raw: str, reason: str) -> None:
    with pytest.raises(ConfigurationError, match=re.escape(reason)) as caught:
        Settings.load(environ={variable: raw})
    assert str(caught.value).startswith(f"{variable}: ")


def test_error_names_the_option_when_that_is_where_it_came_from() -> None:
    with pytest.raises(ConfigurationError, match=r"^--bootstrap-servers: "):
        Settings.load({"kafka_bootstrap_servers": ","}, {})


@pytest.mark.parametrize(
    ("environ", "missing"),
    [
        ({"QUERYWATCH_WEBHOOK_URL": "https://a.example"}, "QUERYWATCH_WEBHOOK_SECRETS"),
        (
            {
                "QUERYWATCH_ESCALATION_URL": "https://b.example",
                "QUERYWATCH_ESCALATION_SECRETS": SECRET,
            },
            "QUERYWATCH_WEBHOOK_URL",
        ),
        ({"QUERYWATCH_KAFKA_SECURITY_PROTOCOL": "SASL_SSL"}, "QUERYWATCH_KAFKA_SASL_USERNAME"),
    ],
)
def test_settings_that_need_another_say_which(environ: dict[str, str], missing: str) -> None:
    with pytest.raises(ConfigurationError, match=f"^{missing}: is needed with"):
        Settings.load(environ=environ)


def test_secret_may_stand_in_a_file(tmp_path: Path) -> None:
    path = tmp_path / "key"
    path.write_text("from-file\n")
    environ = {"QUERYWATCH_API_KEY_FILE": str(path)}
    assert Settings.load(environ=environ).api_key == "from-file"
    assert Settings.load({"api_key_file": str(path)}, {}).api_key == "from-file"
    with pytest.raises(ConfigurationError, match="QUERYWATCH_API_KEY: is given twice"):
        Settings.load(environ=environ | {"QUERYWATCH_API_KEY": "direct"})


def test_secret_file_that_cannot_serve_is_refused(tmp_path: Path) -> None:
    empty = tmp_path / "empty"
    empty.write_text("\n")
    for path, reason in ((empty, "is empty"), (tmp_path / "absent", "cannot be read")):
        with pytest.raises(ConfigurationError, match=f"^QUERYWATCH_API_KEY_FILE: .*{reason}"):
            Settings.load(environ={"QUERYWATCH_API_KEY_FILE": str(path)})


def test_secrets_are_not_shown() -> None:
    environ = {
        setting.variable: SECRET
        for setting in all_settings()
        if setting.secret and setting.name != "database_url"
    }
    for name in ("WEBHOOK", "ESCALATION"):
        environ[f"QUERYWATCH_{name}_URL"] = f"https://u:{SECRET}@host/{SECRET}"
    settings = Settings.load(
        environ=environ | {"QUERYWATCH_DATABASE_URL": "postgresql+psycopg://u:pw-pw@h/db"}
    )
    assert SECRET not in repr(settings)
    assert "pw-pw" not in repr(settings)


@pytest.mark.parametrize(
    ("environ", "words"),
    [
        ({"WEBHOOK_SECRETS": "whsec_x"}, "QUERYWATCH_WEBHOOK_SECRETS: a secret is whsec_"),
        ({"WEBHOOK_SECRETS": ",".join([SECRET] * 3)}, "QUERYWATCH_WEBHOOK_SECRETS: one secret"),
        (
            {"WEBHOOK_SECRETS": SECRET},
            "QUERYWATCH_WEBHOOK_URL: is needed with QUERYWATCH_WEBHOOK_S",
        ),
        ({"DATABASE_URL": "mysql://h/d"}, "QUERYWATCH_DATABASE_URL: sqlite:///… and postgresql"),
    ],
)
def test_an_error_names_the_setting(environ: dict[str, str], words: str) -> None:
    given = {f"QUERYWATCH_{name}": value for name, value in environ.items()}
    with pytest.raises(ConfigurationError, match=f"^{re.escape(words)}"):
        Settings.load(environ=given)


def test_variables_and_options_are_one_name() -> None:
    options = [setting.option for setting in all_settings()]
    assert len(set(options)) == len(options)
    for setting in all_settings():
        words = setting.option.removeprefix("--").replace("-", "_").upper()
        assert setting.variable in (f"QUERYWATCH_{words}", f"QUERYWATCH_KAFKA_{words}")


def test_the_documented_table_is_the_settings() -> None:
    rows = re.findall(r"^\| `(QUERYWATCH_\w+)` \| `(--[\w-]+)` \| (.*) \| (.*) \|$", _docs(), re.M)
    expected = [
        (item.variable, item.option, shown_default(item.default), item.help)
        for item in all_settings()
    ]
    assert rows == expected


def shown_default(value: object) -> str:
    """How the table shows a default."""
    if value is None or value == ():
        return "–"  # noqa: RUF001
    if isinstance(value, tuple):
        return f"`{','.join(value)}`"
    return f"`{value:g}`" if isinstance(value, float) else f"`{value}`"


def _docs() -> str:
    return DOCS.read_text(encoding="utf-8")
