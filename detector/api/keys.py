"""API keys and the permissions that they carry."""

import hashlib
import hmac
import ipaddress
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from detector.kit.errors import ConfigurationError

RESERVED_NAMES = ("querywatch", "local")
"""What the timeline calls the machine and the keyless caller."""


class Permission(StrEnum):
    """What a route may demand."""

    INCIDENTS_READ = "incidents:read"
    INCIDENTS_WRITE = "incidents:write"
    CLIENTS_READ = "clients:read"
    MODELS_READ = "models:read"
    REFERENCES_WRITE = "references:write"


ALL_PERMISSIONS = frozenset(Permission)


@dataclass(frozen=True, slots=True)
class ApiKey:
    """A key as it is kept: by name and SHA-256 digest, never in clear."""

    name: str
    digest: bytes
    permissions: frozenset[Permission] = ALL_PERMISSIONS

    @classmethod
    def of(
        cls, name: str, secret: str, permissions: frozenset[Permission] = ALL_PERMISSIONS
    ) -> "ApiKey":
        """Return the key of a secret; raises `ConfigurationError` for an empty or odd one."""
        if not name or "/" in name or not name.isprintable() or name in RESERVED_NAMES:
            raise ConfigurationError(f"API key: {name!r} cannot be a key's name")
        if not secret or not secret.isascii() or any(c.isspace() for c in secret):
            raise ConfigurationError(f"API key {name}: it must be non-empty ASCII without spaces")
        return cls(name, _digest(secret), permissions)


def find_key(keys: Sequence[ApiKey], secret: str) -> ApiKey | None:
    """Return the key whose secret this is; takes the same time whichever it is, or none."""
    presented = _digest(secret)
    found = None
    for key in keys:
        if hmac.compare_digest(key.digest, presented):
            found = key
    return found


def is_loopback(host: str) -> bool:
    """Whether a host name or address literal can only mean this machine."""
    name = host.strip("[]").rstrip(".").lower()
    if name == "localhost":
        return True
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False


def require_key_off_loopback(bind_host: str, keys: Sequence[ApiKey]) -> None:
    """Raise `ConfigurationError` when others could reach an API that asks for no key."""
    if not keys and not is_loopback(bind_host):
        raise ConfigurationError(
            f"API key: one is required (QUERYWATCH_API_KEY) to listen on {bind_host!r};"
            " without one only a loopback address such as 127.0.0.1 will do"
        )


def _digest(secret: str) -> bytes:
    return hashlib.sha256(secret.encode()).digest()
