"""Every setting of the program, and the only place that reads the environment.

A setting has one name everywhere: the field `database_url` is the variable
`QUERYWATCH_DATABASE_URL` and the option `--database-url`; options of Kafka leave the word out
(`kafka_topic` is `--topic`). An option beats the environment, the environment beats the default.
A secret may stand in a file instead, named by `QUERYWATCH_…_FILE` or `--…-file`.
"""

import dataclasses
import difflib
import os
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self, TypeVar

from detector import config_values as read
from detector.incidents.model import Severity
from detector.kit.errors import ConfigurationError

T = TypeVar("T")

PREFIX = "QUERYWATCH_"
FILE = "_file"
_OTHERS = re.compile(r"TEST_|REQUIRE_SERVICES$|SERVICE_|PORT_")
"""Variables of the tests, and those that Kubernetes sets for a service of that name."""


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
        read.database,
        "SQLAlchemy URL of the database: sqlite:///FILE or postgresql+psycopg://…",
        secret=True,
    )
    kafka_bootstrap_servers: tuple[str, ...] = _setting(
        "kafka", ("localhost:9092",), read.items, "Kafka brokers, host:port, separated by commas"
    )
    kafka_topic: str = _setting(
        "kafka", "predictions", read.text, "Topic that holds the access log"
    )
    kafka_group: str = _setting("kafka", "querywatch", read.text, "Consumer group")
    kafka_client: str = _setting(
        "kafka",
        "kafka-python",
        read.choice("kafka-python", "librdkafka"),
        "kafka-python, or librdkafka, which is faster and an extra to install",
    )
    kafka_group_instance: str | None = _setting(
        "kafka",
        None,
        read.text,
        "Name of this process in the group, its own; keeps its partitions over a short restart",
    )
    kafka_session_timeout: float = _setting(
        "kafka", 45.0, read.duration, "Silence after which another process gets the partitions"
    )
    kafka_fetch_wait: float = _setting(
        "kafka",
        0.1,
        read.duration,
        "How long the broker may gather records before it answers a fetch",
    )
    kafka_unkeyed: str = _setting(
        "kafka",
        "refuse",
        read.choice("refuse", "allow"),
        "refuse or allow to read a topic whose records are not keyed by client",
    )
    kafka_security_protocol: str = _setting(
        "kafka",
        "PLAINTEXT",
        read.choice("PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"),
        "PLAINTEXT, SSL, SASL_PLAINTEXT or SASL_SSL",
    )
    kafka_sasl_mechanism: str = _setting(
        "kafka",
        "SCRAM-SHA-512",
        read.choice("PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"),
        "PLAIN, SCRAM-SHA-256 or SCRAM-SHA-512; used with SASL protocols",
    )
    kafka_sasl_username: str | None = _setting("kafka", None, read.text, "User name for SASL")
    kafka_sasl_password: str | None = _setting(
        "kafka", None, read.text, "Password for SASL", secret=True
    )
    kafka_tls_ca_file: str | None = _setting(
        "kafka", None, read.file, "Certificates that the broker's is checked against (PEM)"
    )
    kafka_tls_cert_file: str | None = _setting("kafka", None, read.file, "Client certificate (PEM)")
    kafka_tls_key_file: str | None = _setting("kafka", None, read.file, "Client key (PEM)")
    kafka_tls_key_password: str | None = _setting(
        "kafka", None, read.text, "What decrypts the client key", secret=True
    )
    batch_size: int = _setting(
        "stream", 4000, read.integer(1, 100_000), "Most records handled in one database transaction"
    )
    snapshot_interval: float = _setting(
        "stream", 5.0, read.duration, "Least time between two snapshots of a partition's state"
    )
    dead_letter_share: float = _setting(
        "stream",
        0.5,
        read.part,
        "Share of unusable records above which a partition is read no more; 1: never",
    )
    host: str = _setting("api", "127.0.0.1", read.text, "Address the API listens on")
    port: int = _setting(
        "api", 8080, read.integer(0, 65535), "Port the API listens on; 0: any free one"
    )
    api_key: str | None = _setting(
        "api", None, read.text, "Key that API callers present; required off loopback", secret=True
    )
    public_url: str | None = _setting(
        "delivery", None, read.url, "Where people reach the API, for links in notifications"
    )
    webhook_url: str | None = _setting(
        "delivery",
        None,
        read.url,
        "Where incidents are sent as signed Standard Webhooks",
        secret=True,
    )
    webhook_secrets: tuple[str, ...] = _setting(
        "delivery",
        (),
        read.secrets,
        "whsec_… secret; two, newest first, while rotating",
        secret=True,
    )
    webhook_min_severity: Severity = _setting(  # noqa: RUF009 - it makes a field
        "delivery", Severity.MEDIUM, read.severity, "Incidents below it are not sent"
    )
    webhook_allowed_networks: tuple[str, ...] = _setting(
        "delivery", (), read.networks, "Networks beside the public ones that webhooks may go to"
    )
    escalation_url: str | None = _setting(
        "delivery",
        None,
        read.url,
        "Second webhook, told when nobody acknowledges in time",
        secret=True,
    )
    escalation_secrets: tuple[str, ...] = _setting(
        "delivery", (), read.secrets, "whsec_… secret of the second webhook", secret=True
    )
    escalation_delay: float = _setting(
        "delivery", 900.0, read.duration, "Time to acknowledge before the second webhook is told"
    )
    escalation_min_severity: Severity = _setting(  # noqa: RUF009 - it makes a field
        "delivery", Severity.HIGH, read.severity, "Incidents below it do not escalate"
    )
    alarm_budget: float = _setting(
        "detection", 0.001, read.share, "False incidents accepted a benign client's whole life"
    )
    max_clients: int = _setting(
        "detection",
        100_000,
        read.integer(1, 100_000_000),
        "Clients of a model kept in memory for each partition",
    )
    max_models: int = _setting(
        "detection", 256, read.integer(1, 1_000_000), "Models of a partition; more are refused"
    )
    max_suspects: int = _setting(
        "detection",
        256,
        read.integer(0, 1_000_000),
        "Suspects of a model of whom is estimated what they could reproduce; 0: none",
    )
    learning_min_events: int = _setting(
        "detection", 5_000, read.integer(200, 10**12), "Events seen before a model's own reference"
    )
    learning_min_clients: int = _setting(
        "detection", 50, read.integer(5, 10**9), "Clients seen before a model's own reference"
    )
    log_level: str = _setting(
        "logging",
        "INFO",
        read.choice("DEBUG", "INFO", "WARNING", "ERROR"),
        "DEBUG, INFO, WARNING or ERROR",
    )
    log_format: str = _setting("logging", "text", read.choice("text", "json"), "text or json")

    def __post_init__(self) -> None:
        """Raise `ConfigurationError` for settings that do not go together."""
        for name in ("webhook", "escalation"):
            url, secrets = getattr(self, f"{name}_url"), getattr(self, f"{name}_secrets")
            if url and not secrets:
                raise _unusable(f"{name}_secrets", f"is needed with {variable(f'{name}_url')}")
            if secrets and not url:
                raise _unusable(f"{name}_url", f"is needed with {variable(f'{name}_secrets')}")
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


def misspelt(environ: Mapping[str, str] | None = None) -> Iterator[tuple[str, str]]:
    """Variables that look like a setting and are none, each with what may be meant, or nothing."""
    found = os.environ if environ is None else environ
    known = [item.name.upper() for item in all_settings()]
    known += [(item.name + FILE).upper() for item in all_settings() if item.secret]
    for name in sorted(found):
        own = name.removeprefix(PREFIX)
        if own != name and own not in known and not _OTHERS.match(own):
            yield (
                name,
                "".join(PREFIX + close for close in difflib.get_close_matches(own, known, 1)),
            )


def shown_default(value: object) -> str:
    """A default as people write it; nothing for none."""
    if isinstance(value, tuple):
        return ",".join(map(str, value))
    return "" if value is None else f"{value:g}" if isinstance(value, float) else str(value)


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
