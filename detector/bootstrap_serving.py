"""The composition root of what answers and tells people: the API, and delivery.

Apart from the other, so that a worker that only reads loads no web framework.
"""

import ipaddress
from collections.abc import Mapping
from datetime import timedelta
from functools import partial

from fastapi import FastAPI
from prometheus_client import CollectorRegistry

from detector.api.app import create_app
from detector.api.dependencies import ApiDependencies, Probe
from detector.api.keys import ApiKey
from detector.config import Settings
from detector.delivery.expiry import expiry
from detector.delivery.guard import AddressPolicy
from detector.delivery.metrics import DeliveryMetrics
from detector.delivery.service import DeliveryService, Timer, require_distinct
from detector.delivery.webhook import WebhookDestination, WebhookSettings
from detector.delivery.worker import DeliveryWorker
from detector.kit.clock import SystemClock
from detector.pipeline.escalation import LEVEL as ESCALATED
from detector.pipeline.escalation import EscalationPolicy, escalate
from detector.pipeline.ports import Store

KEY_NAME = "api"
EXPIRY_SECONDS = 60.0


def api(
    settings: Settings, store: Store, registry: CollectorRegistry, probes: Mapping[str, Probe]
) -> FastAPI:
    """The HTTP application; raises `ConfigurationError` when others could use it without a key."""
    return create_app(
        ApiDependencies(
            store=store,
            clock=SystemClock(),
            registry=registry,
            bind_host=settings.host,
            keys=api_keys(settings),
            probes=probes,
        )
    )


def api_keys(settings: Settings) -> tuple[ApiKey, ...]:
    """The keys that the API takes; none without one configured."""
    return (ApiKey.of(KEY_NAME, settings.api_key),) if settings.api_key else ()


def delivery(settings: Settings, store: Store, registry: CollectorRegistry) -> DeliveryService:
    """Workers for the configured webhooks, escalation where there is a second, and expiry."""
    clock = SystemClock()
    metrics = DeliveryMetrics(registry)
    destinations = [WebhookDestination(webhook) for webhook in webhooks(settings)]
    require_distinct(destinations)
    unserved = {1, ESCALATED} - {destination.level for destination in destinations}
    timers = [Timer("expiry", expiry(unserved, metrics), store, clock, metrics, EXPIRY_SECONDS)]
    if settings.escalation_url:
        policy = EscalationPolicy(
            min_severity=settings.escalation_min_severity,
            after=timedelta(seconds=settings.escalation_delay),
        )
        task = partial(escalate, policy=policy)
        timers.append(Timer("escalation", task, store, clock, metrics))
    workers = [DeliveryWorker(item, store, clock, metrics) for item in destinations]
    return DeliveryService(workers, timers)


def webhooks(settings: Settings) -> list[WebhookSettings]:
    """The configured webhooks, first level first."""
    networks = tuple(ipaddress.ip_network(item) for item in settings.webhook_allowed_networks)
    levels = (
        ("webhook", settings.webhook_url, settings.webhook_secrets, settings.webhook_min_severity),
        (
            "escalation",
            settings.escalation_url,
            settings.escalation_secrets,
            settings.escalation_min_severity,
        ),
    )
    return [
        WebhookSettings(
            url=url,
            secrets=secrets,
            name=name,
            level=level,
            min_severity=floor,
            public_url=settings.public_url,
            addresses=AddressPolicy(networks),
        )
        for level, (name, url, secrets, floor) in enumerate(levels, start=1)
        if url is not None
    ]
