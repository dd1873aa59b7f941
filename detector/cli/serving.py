"""Serving and delivering, as parts of a process."""

import logging
import socket
from collections.abc import Mapping
from threading import Event

import uvicorn
from prometheus_client import CollectorRegistry

from detector import bootstrap_serving
from detector.api.dependencies import Probe
from detector.api.keys import require_key_off_loopback
from detector.cli.supervise import Part
from detector.config import Settings
from detector.delivery.service import DeliveryService
from detector.kit.errors import ConfigurationError, RecoverableError
from detector.pipeline.ports import Store

_log = logging.getLogger(__name__)
GRACE_SECONDS = 3


def require_key(settings: Settings) -> None:
    """Raise `ConfigurationError` when others could reach an API that asks for no key."""
    require_key_off_loopback(settings.host, bootstrap_serving.api_keys(settings))


def serving_parts(
    settings: Settings, store: Store, registry: CollectorRegistry, stop: Event
) -> list[Part]:
    """What serves the API, listening already, and what delivers notifications."""
    service = bootstrap_serving.delivery(settings, store, registry)
    probes: Mapping[str, Probe] = {"delivery": lambda: _require_alive(service)}
    app = bootstrap_serving.api(settings, store, registry, probes)
    listener = _listen(settings)
    server = uvicorn.Server(
        uvicorn.Config(
            app,
            log_config=None,
            access_log=False,
            server_header=False,
            proxy_headers=False,
            timeout_graceful_shutdown=GRACE_SECONDS,
        )
    )

    def answer() -> None:
        with listener:
            server.run([listener])

    def end() -> None:
        server.should_exit = True

    def deliver() -> None:
        service.start()
        stop.wait()

    return [Part("api", answer, end), Part("delivery", deliver, service.stop)]


def _require_alive(service: DeliveryService) -> None:
    if not service.alive():
        raise RecoverableError("a delivery thread has ended")


def _listen(settings: Settings) -> socket.socket:
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    try:
        listener = socket.create_server((settings.host, settings.port), family=family)
    except OSError as error:
        raise ConfigurationError(
            f"cannot listen on {settings.host}, port {settings.port}: {error.strerror or error}"
        ) from error
    host = f"[{settings.host}]" if ":" in settings.host else settings.host
    _log.info("the API listens on http://%s:%d", host, listener.getsockname()[1])
    return listener
