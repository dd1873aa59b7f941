"""Every setting of the program, and the only place that reads the environment.

A setting has one name everywhere: the field `database_url` is the variable
`QUERYWATCH_DATABASE_URL` and the option `--database-url`; options of Kafka leave the word out
(`kafka_topic` is `--topic`). An option beats the environment, the environment beats the default.
A secret may stand in a file instead, named by `QUERYWATCH_…_FILE` or `--…-file`.
"""

import dataclasses
import ipaddress
import math
import os
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self, TypeVar

from detector.incidents.model import Severity
from detector.kit.errors import ConfigurationError
from detector.kit.web import is_web_url

T = TypeVar("T")

PREFIX = "QUERYWATCH_"
FILE = "_file"
_DURATION = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h|d)?")
_SECONDS = {"ms": 0.001, "s": 1.0, None: 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}


@dataclass(frozen=True, slots=True)
class Setting:
    """What is known of one field of `Settings`.

    Attributes:
        name: The field's name.
        group: Which commands take it.
        help: One line for the reference and for `--help`.
        parse: Text to value; raises ValueError with the reason.
        default: The value when nobody sets it.
        secret: Never shown; may come from a file.
    """

    name: str
    group: str
    help: str
    parse: Callable[[str], object]
    default: object
    secret: bool

    @property
    def variable(self) -> str:
        """The environment variable."""
        return PREFIX + self.name.upper()

    @property
    def option(self) -> str:
        """The command line's option."""
        return "--" + self.name.removeprefix("kafka_").replace("_", "-")


def _text(raw: str) -> str:
    if "\0" in raw:
        raise ValueError("must not hold a NUL character")
    return raw


def _list(raw: str) -> tuple[str, ...]:
    items = tuple(item.strip() for item in raw.split(",") if item.strip())
    if not items:
        raise ValueError("must be a list separated by commas")
    return items


def _integer(low: int, high: int) -> Callable[[str], int]:
    def parse(raw: str) -> int:
        if not re.fullmatch(r"-?\d{1,18}", raw.strip()) or not low <= int(raw) <= high:
            raise ValueError(f"must be a whole number from {low} to {high}")
        return int(raw)

    return parse


def _share(raw: str) -> float:
    try:
        value = float(raw)
    except ValueError:
        value = math.nan
    if not 0 < value < 1:
        raise ValueError("must be a number between 0 and 1, both excluded")
    return value


def _part(raw: str) -> float:
    return 1.0 if raw.strip() in ("1", "1.0") else _share(raw)


def _duration(raw: str) -> float:
    match = _DURATION.fullmatch(raw.strip())
    if match is None:
        raise ValueError("must be a duration such as 30s, 15m or 2h")
    return float(match[1]) * _SECONDS[match[2]]


def _choice(*names: str) -> Callable[[str], str]:
    def parse(raw: str) -> str:
        for name in names:
            if raw.strip().lower() == name.lower():
                return name
        raise ValueError(f"must be one of {', '.join(names)}")

    return parse


def _severity(raw: str) -> Severity:
    return Severity(_choice(*Severity)(raw))


def _url(raw: str) -> str:
    if not is_web_url(raw):
        raise ValueError("must be an absolute http or https URL, its port from 1 to 65535")
    return raw


def _networks(raw: str) -> tuple[str, ...]:
    for item in _list(raw):
        try:
            ipaddress.ip_network(item)
        except ValueError as error:
            raise ValueError(f"{item} is no IP network such as 10.0.0.0/8") from error
    return _list(raw)


def _file(raw: str) -> str:
    if not Path(raw).is_file():
        raise ValueError(f"{raw} is not a file")
    return raw


def _setting(
    group: str, default: T, parse: Callable[[str], object], text: str, *, secret: bool = False
) -> T:
    value: T = dataclasses.field(
        default=default,
        repr=not secret,
        metadata={"group": group, "parse": parse, "help": text, "secret": secret},
    )
    return value


@dataclass(frozen=True, kw_only=True)
class Settings:
    """All settings, checked. Durations are seconds."""

    database_url: str = _setting(
        "database",
        "sqlite:///querywatch.db",
        _text,
        "SQLAlchemy URL of the database: sqlite:///FILE or postgresql+psycopg://…",
        secret=True,
    )
    kafka_bootstrap_servers: tuple[str, ...] = _setting(
        "kafka", ("localhost:9092",), _list, "Kafka brokers, host:port, separated by commas"
    )
    kafka_topic: str = _setting("kafka", "predictions", _text, "Topic that holds the access log")
    kafka_group: str = _setting("kafka", "querywatch", _text, "Consumer group")
    kafka_client: str = _setting(
        "kafka",
        "kafka-python",
        _choice("kafka-python", "librdkafka"),
        "kafka-python, or librdkafka, which is faster and an extra to install",
    )
    kafka_group_instance: str | None = _setting(
        "kafka",
        None,
        _text,
        "Name of this process in the group, its own; keeps its partitions over a short restart",
    )
    kafka_session_timeout: float = _setting(
        "kafka", 45.0, _duration, "Silence after which another process gets the partitions"
    )
    kafka_fetch_wait: float = _setting(
        "kafka", 0.1, _duration, "How long the broker may gather records before it answers a fetch"
    )
    kafka_unkeyed: str = _setting(
        "kafka",
        "refuse",
        _choice("refuse", "allow"),
        "refuse or allow to read a topic whose records are not keyed by client",
    )
    kafka_security_protocol: str = _setting(
        "kafka",
        "PLAINTEXT",
        _choice("PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"),
        "PLAINTEXT, SSL, SASL_PLAINTEXT or SASL_SSL",
    )
    kafka_sasl_mechanism: str = _setting(
        "kafka",
        "SCRAM-SHA-512",
        _choice("PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"),
        "PLAIN, SCRAM-SHA-256 or SCRAM-SHA-512; used with SASL protocols",
    )
    kafka_sasl_username: str | None = _setting("kafka", None, _text, "User name for SASL")
    kafka_sasl_password: str | None = _setting(
        "kafka", None, _text, "Password for SASL", secret=True
    )
    kafka_tls_ca_file: str | None = _setting(
        "kafka", None, _file, "Certificates that the broker's is checked against (PEM)"
    )
    kafka_tls_cert_file: str | None = _setting("kafka", None, _file, "Client certificate (PEM)")
    kafka_tls_key_file: str | None = _setting("kafka", None, _file, "Client key (PEM)")
    kafka_tls_key_password: str | None = _setting(
        "kafka", None, _text, "What decrypts the client key", secret=True
    )
    batch_size: int = _setting(
        "stream", 4000, _integer(1, 100_000), "Most records handled in one database transaction"
    )
    snapshot_interval: float = _setting(
        "stream", 5.0, _duration, "Least time between two snapshots of a partition's state"
    )
    dead_letter_share: float = _setting(
        "stream",
        0.5,
        _part,
        "Share of unusable records above which a partition is read no more; 1: never",
    )
    host: str = _setting("api", "127.0.0.1", _text, "Address the API listens on")
    port: int = _setting(
        "api", 8080, _integer(0, 65535), "Port the API listens on; 0: any free one"
    )
    api_key: str | None = _setting(
        "api", None, _text, "Key that API callers present; required off loopback", secret=True
    )
    public_url: str | None = _setting(
        "delivery", None, _url, "Where people reach the API, for links in notifications"
    )
    webhook_url: str | None = _setting(
        "delivery", None, _url, "Where incidents are sent as signed Standard Webhooks"
    )
    webhook_secrets: tuple[str, ...] = _setting(
        "delivery", (), _list, "whsec_… secret; two, newest first, while rotating", secret=True
    )
    webhook_min_severity: Severity = _setting(  # noqa: RUF009 - it makes a field
        "delivery", Severity.MEDIUM, _severity, "Incidents below it are not sent"
    )
    webhook_allowed_networks: tuple[str, ...] = _setting(
        "delivery", (), _networks, "Networks beside the public ones that webhooks may go to"
    )
    escalation_url: str | None = _setting(
        "delivery", None, _url, "Second webhook, told when nobody acknowledges in time"
    )
    escalation_secrets: tuple[str, ...] = _setting(
        "delivery", (), _list, "whsec_… secret of the second webhook", secret=True
    )
    escalation_delay: float = _setting(
        "delivery", 900.0, _duration, "Time to acknowledge before the second webhook is told"
    )
    escalation_min_severity: Severity = _setting(  # noqa: RUF009 - it makes a field
        "delivery", Severity.HIGH, _severity, "Incidents below it do not escalate"
    )
    alarm_budget: float = _setting(
        "detection", 0.001, _share, "False incidents accepted a benign client's whole life"
    )
    max_clients: int = _setting(
        "detection",
        100_000,
        _integer(1, 100_000_000),
        "Clients of a model kept in memory for each partition",
    )
    max_models: int = _setting(
        "detection", 256, _integer(1, 1_000_000), "Models of a partition; more are refused"
    )
    max_suspects: int = _setting(
        "detection",
        256,
        _integer(0, 1_000_000),
        "Suspects of a model of whom is estimated what they could reproduce; 0: none",
    )
    learning_min_events: int = _setting(
        "detection", 5_000, _integer(200, 10**12), "Events seen before a model's own reference"
    )
    learning_min_clients: int = _setting(
        "detection", 50, _integer(5, 10**9), "Clients seen before a model's own reference"
    )
    log_level: str = _setting(
        "logging",
        "INFO",
        _choice("DEBUG", "INFO", "WARNING", "ERROR"),
        "DEBUG, INFO, WARNING or ERROR",
    )
    log_format: str = _setting("logging", "text", _choice("text", "json"), "text or json")

    def __post_init__(self) -> None:
        """Raise `ConfigurationError` for settings that do not go together."""
        for name in ("webhook", "escalation"):
            url, secrets = getattr(self, f"{name}_url"), getattr(self, f"{name}_secrets")
            if url and not secrets:
                raise _unusable(f"{name}_secrets", f"is needed with {variable(f'{name}_url')}")
        if self.escalation_url and not self.webhook_url:
            raise _unusable("webhook_url", f"is needed with {variable('escalation_url')}")
        if self.kafka_security_protocol.startswith("SASL"):
            for name in ("kafka_sasl_username", "kafka_sasl_password"):
                if getattr(self, name) is None:
                    raise _unusable(name, f"is needed with {self.kafka_security_protocol}")
        if (self.kafka_tls_cert_file is None) != (self.kafka_tls_key_file is None):
            raise _unusable(
                "kafka_tls_key_file", f"goes together with {variable('kafka_tls_cert_file')}"
            )

    @classmethod
    def load(
        cls,
        options: Mapping[str, str | None] | None = None,
        environ: Mapping[str, str] | None = None,
        defaults: Mapping[str, object] | None = None,
    ) -> Self:
        """Read the settings; raises `ConfigurationError` naming the variable or option.

        Args:
            options: Given on the command line, by field name (`api_key_file` for a secret's file).
            environ: The environment; the process's own when None. An empty variable counts as
                not set.
            defaults: Where a command differs from the general defaults, by field name.
        """
        found = os.environ if environ is None else environ
        given = {name: raw for name, raw in (options or {}).items() if raw is not None}
        values: dict[str, Any] = dict(defaults or {})
        for setting in all_settings():
            if (origin := _origin(setting, given, found)) is not None:
                source, raw = origin
                try:
                    values[setting.name] = setting.parse(raw)
                except ValueError as error:
                    raise ConfigurationError(f"{source}: {error}") from error
        return cls(**values)


def all_settings() -> Iterator[Setting]:
    """Every setting, in the order of the reference."""
    for item in dataclasses.fields(Settings):
        yield Setting(name=item.name, default=item.default, **item.metadata)


def variable(name: str) -> str:
    """The environment variable of a setting."""
    return PREFIX + name.upper()


def _unusable(name: str, reason: str) -> ConfigurationError:
    return ConfigurationError(f"{variable(name)}: {reason}")


def _origin(
    setting: Setting, given: Mapping[str, str], environ: Mapping[str, str]
) -> tuple[str, str] | None:
    """Where the setting's text comes from and the text; None when nobody gave one."""
    levels = (
        (given, setting.name, setting.option, "-file", FILE),
        (environ, setting.variable, setting.variable, FILE.upper(), FILE.upper()),
    )
    for values, key, label, label_suffix, key_suffix in levels:
        direct = values.get(key) or None
        path = values.get(key + key_suffix) if setting.secret else None
        if direct and path:
            raise ConfigurationError(f"{label}: is given twice, directly and as a file")
        if path:
            return label + label_suffix, _read(label + label_suffix, path)
        if direct:
            return label, direct
    return None


def _read(label: str, path: str) -> str:
    try:
        content = Path(path).read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"{label}: {path} cannot be read") from error
    if not content:
        raise ConfigurationError(f"{label}: {path} is empty")
    return content
