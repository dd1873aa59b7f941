"""A destination that receives signed Standard Webhooks (specification 1.0.0) over HTTP."""

import base64
import binascii
import logging
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from urllib.parse import urlsplit

import httpx
from standardwebhooks import Webhook

from detector import __version__
from detector.delivery.destination import DeliveryError, DestinationGoneError, Notification
from detector.delivery.guard import AddressPolicy, GuardedTransport, Resolve, resolve
from detector.delivery.payload import body
from detector.incidents.model import Severity
from detector.kit.errors import ConfigurationError
from detector.kit.web import is_web_url

SECRET_PREFIX = "whsec_"  # noqa: S105  (the public prefix of every secret)
_GONE = 410
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class WebhookSettings:
    """One webhook.

    Attributes:
        url: Absolute `http` or `https` URL.
        secrets: `whsec_…` secrets, newest first; two while one replaces the other, and both sign.
        name: Label in metrics and logs.
        level: Escalation level that it serves.
        min_severity: Incidents below it are not sent.
        public_url: Where people reach the API, for links in the payload.
        addresses: Which addresses may be connected to; public ones unless it says more.
        connect_timeout_s: Seconds for the connection.
        read_timeout_s: Seconds of silence before the answer counts as failed.
    """

    url: str = field(repr=False)
    secrets: tuple[str, ...] = field(repr=False)
    name: str = "webhook"
    level: int = 1
    min_severity: Severity = Severity.LOW
    public_url: str | None = None
    addresses: AddressPolicy = field(default_factory=AddressPolicy)
    connect_timeout_s: float = 5.0
    read_timeout_s: float = 10.0

    def __post_init__(self) -> None:
        """Raise `ConfigurationError` for a URL or secrets that cannot work."""
        if not is_web_url(self.url):
            raise ConfigurationError(
                f"{self.name}: the URL must be an absolute http(s) URL, its port from 1 to 65535"
            )
        if not 1 <= len(self.secrets) <= 2:
            raise ConfigurationError(f"{self.name}: one secret, or two while rotating, are needed")
        for secret in self.secrets:
            _signer(self.name, secret)


class WebhookDestination:
    """Posts notifications, signed with every secret in force."""

    def __init__(self, settings: WebhookSettings, resolver: Resolve = resolve) -> None:
        """Prepare a client; nothing is connected yet."""
        self._settings = settings
        self._signers = [_signer(settings.name, secret) for secret in settings.secrets]
        self._client = httpx.Client(
            transport=GuardedTransport(settings.addresses, resolver),
            timeout=httpx.Timeout(settings.read_timeout_s, connect=settings.connect_timeout_s),
            follow_redirects=False,
            trust_env=False,
            headers={"User-Agent": f"querywatch/{__version__}"},
        )

    @property
    def name(self) -> str:
        """The webhook's label."""
        return self._settings.name

    @property
    def level(self) -> int:
        """The escalation level it serves."""
        return self._settings.level

    @property
    def min_severity(self) -> Severity:
        """Incidents below it are not sent."""
        return self._settings.min_severity

    @property
    def send_timeout_s(self) -> float:
        """Connecting, writing and reading at their limits."""
        return self._settings.connect_timeout_s + 2 * self._settings.read_timeout_s

    def send(self, notification: Notification, at: datetime) -> None:
        """Post the incident's present state; only a 2xx answer counts as taken."""
        content = body(notification, self._settings.public_url)
        headers = self._headers(notification.message.message_id, at, content)
        try:
            # The answer's body is of no interest and is never read.
            with self._client.stream(
                "POST", self._settings.url, content=content, headers=headers
            ) as response:
                _judge(response, at)
                # The URL may hold what is secret, in front of its host as behind it.
                _log.info(
                    "%s: %s answered %d to %s", self.name, urlsplit(self._settings.url).hostname,
                    response.status_code, notification.message.message_id,
                )  # fmt: skip
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise DeliveryError(f"{type(error).__name__}: {error}") from error

    def close(self) -> None:
        """Release the client."""
        self._client.close()

    def _headers(self, message_id: str, at: datetime, content: bytes) -> dict[str, str]:
        # Whole aware UTC seconds: the library stamps UTC onto whatever it is given.
        moment = at.astimezone(UTC)
        text = content.decode()
        signatures = [signer.sign(message_id, moment, text) for signer in self._signers]
        return {
            "Content-Type": "application/json",
            "webhook-id": message_id,
            "webhook-timestamp": str(int(moment.timestamp())),
            "webhook-signature": " ".join(signatures),
        }


def _judge(response: httpx.Response, now: datetime) -> None:
    if response.is_success:
        return
    if response.status_code == _GONE:
        raise DestinationGoneError("answered 410 Gone")
    raise DeliveryError(
        f"answered {response.status_code}", retry_after_s(response.headers.get("Retry-After"), now)
    )


def retry_after_s(value: str | None, now: datetime) -> float | None:
    """Return the seconds that a Retry-After header (RFC 9110, 10.2.3) asks for, if it is valid."""
    if value is None:
        return None
    if value.strip().isdecimal():
        return float(value)
    try:
        moment = parsedate_to_datetime(value)
        aware = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
        return max((aware - now).total_seconds(), 0.0)
    except (ValueError, OverflowError):
        # Years and offsets of any length are read; not all of them fit a time.
        return None


def require_secret(secret: str) -> bytes:
    """Return the key that a secret holds; raises ValueError, which does not show it, for none."""
    try:
        key = base64.b64decode(secret.removeprefix(SECRET_PREFIX), validate=True)
    except (binascii.Error, ValueError):
        key = b""
    if not secret.startswith(SECRET_PREFIX) or not 24 <= len(key) <= 64:
        raise ValueError("a secret is whsec_ followed by 24 to 64 random bytes in base64")
    return key


def _signer(name: str, secret: str) -> Webhook:
    try:
        return Webhook(require_secret(secret))
    except ValueError as error:
        raise ConfigurationError(f"{name}: {error}") from None
