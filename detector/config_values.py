"""From the text of a setting to its value; what cannot be used is a ValueError with the reason."""

import ipaddress
import math
import re
from collections.abc import Callable
from pathlib import Path

from detector.incidents.model import Severity
from detector.kit.errors import ConfigurationError
from detector.kit.web import is_web_url

MOST_SECRETS = 2
_DURATION = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h|d)?")
_SECONDS = {"ms": 0.001, "s": 1.0, None: 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}


def text(raw: str) -> str:
    """Any text that a database takes, too."""
    if "\0" in raw:
        raise ValueError("must not hold a NUL character")
    return raw


def database(raw: str) -> str:
    """The URL of a database of a kind that is supported."""
    from detector.storage.engine import require_supported  # no other setting needs the library

    try:
        require_supported(text(raw))
    except ConfigurationError as error:
        raise ValueError(str(error).removeprefix("database URL: ")) from error
    return raw


def items(raw: str) -> tuple[str, ...]:
    """A list separated by commas."""
    found = tuple(item.strip() for item in raw.split(",") if item.strip())
    if not found:
        raise ValueError("must be a list separated by commas")
    return found


def secrets(raw: str) -> tuple[str, ...]:
    """One or two secrets that webhooks are signed with."""
    from detector.delivery.webhook import require_secret  # loads an HTTP client

    for secret in items(raw):
        require_secret(secret)
    if len(items(raw)) > MOST_SECRETS:
        raise ValueError("one secret, or two while rotating, are needed")
    return items(raw)


def integer(low: int, high: int) -> Callable[[str], int]:
    """Return the reader of a whole number within these bounds, both in."""

    def parse(raw: str) -> int:
        if not re.fullmatch(r"-?\d{1,18}", raw.strip()) or not low <= int(raw) <= high:
            raise ValueError(f"must be a whole number from {low} to {high}")
        return int(raw)

    return parse


def share(raw: str) -> float:
    """A number between 0 and 1, both out."""
    try:
        value = float(raw)
    except ValueError:
        value = math.nan
    if not 0 < value < 1:
        raise ValueError("must be a number between 0 and 1, both excluded")
    return value


def part(raw: str) -> float:
    """The same, or 1."""
    return 1.0 if raw.strip() in ("1", "1.0") else share(raw)


def duration(raw: str) -> float:
    """A duration in seconds, of `30s`, `15m`, `2h` and the like."""
    match = _DURATION.fullmatch(raw.strip())
    if match is None:
        raise ValueError("must be a duration such as 30s, 15m or 2h")
    return float(match[1]) * _SECONDS[match[2]]


def choice(*names: str) -> Callable[[str], str]:
    """Return the reader of one of these names, whatever its case."""

    def parse(raw: str) -> str:
        for name in names:
            if raw.strip().lower() == name.lower():
                return name
        raise ValueError(f"must be one of {', '.join(names)}")

    return parse


def severity(raw: str) -> Severity:
    """A severity by its name."""
    return Severity(choice(*Severity)(raw))


def url(raw: str) -> str:
    """An absolute http or https URL."""
    if not is_web_url(raw):
        raise ValueError("must be an absolute http or https URL, its port from 1 to 65535")
    return raw


def networks(raw: str) -> tuple[str, ...]:
    """A list of IP networks."""
    for item in items(raw):
        try:
            ipaddress.ip_network(item)
        except ValueError as error:
            raise ValueError(f"{item} is no IP network such as 10.0.0.0/8") from error
    return items(raw)


def file(raw: str) -> str:
    """The path of a file that is there."""
    if not Path(raw).is_file():
        raise ValueError(f"{raw} is not a file")
    return raw
