"""The composition root: the one place where settings become objects and objects meet.

Nothing happens at import, and nothing is connected before a command asks for it.
"""

import ipaddress
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import timedelta
from functools import partial
from pathlib import Path
from threading import Event
from typing import Any

import numpy as np
from alembic.util import CommandError
from fastapi import FastAPI
from numpy.typing import NDArray
from prometheus_client import CollectorRegistry
from sqlalchemy import URL, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError

from detector.api.app import create_app
from detector.api.dependencies import ApiDependencies, Probe
from detector.api.keys import ApiKey
from detector.config import Settings
from detector.delivery.guard import AddressPolicy
from detector.delivery.metrics import DeliveryMetrics
from detector.delivery.service import DeliveryService, EscalationTimer, require_distinct
from detector.delivery.webhook import WebhookDestination, WebhookSettings
from detector.delivery.worker import DeliveryWorker
from detector.evaluation.observer import Verdict, Watched
from detector.events.decode import Decoded, Decoder
from detector.events.located import LocatedEvent
from detector.events.model import Input, ModelKey, PredictionEvent
from detector.events.record import Position, Record
from detector.incidents.aggregate import IncidentPolicy, event_time
from detector.incidents.correlate import absorb
from detector.incidents.model import Incident, Severity
from detector.kit.clock import Clock, SystemClock
from detector.kit.errors import ConfigurationError, RecoverableError
from detector.kit.metrics import StreamMetrics
from detector.pipeline.detect import build_detection
from detector.pipeline.escalation import EscalationPolicy, escalate
from detector.pipeline.keys import KeyWatch
from detector.pipeline.learn import learn
from detector.pipeline.learning import DetectionPolicy
from detector.pipeline.ports import ReferenceInfo, ReferenceStatus, Store
from detector.pipeline.triage import Triage, TriagePolicy
from detector.pipeline.watch import ModelWatch
from detector.pipeline.work import PartitionProcessor, Parts
from detector.reference.picture import Reference
from detector.scoring.finding import Finding
from detector.scoring.tables import ScoringPolicy
from detector.sources.clients import open_kafka_source
from detector.sources.files import FileSource, Progress
from detector.sources.kafka import KafkaSettings
from detector.storage import migrate
from detector.storage.engine import in_memory
from detector.storage.store import open_store
from detector.stream.loop import Loop
from detector.stream.policy import LoopPolicy

READ_AHEAD = 5_000
KEY_NAME = "api"
STATE_MODULES = ("detector.features", "detector.scoring.clients")
MEASURED_ROWS = 61
"""Rows of a watch whose state is measured: a number that no other dimension has."""


def upgrade_database(settings: Settings) -> None:
    """Migrate up to the schema of this version."""
    _migrating(partial(migrate.upgrade, settings.database_url))


def move_database(settings: Settings, revision: str) -> None:
    """Migrate to a revision, up or down; going down loses what the newer schema held."""

    def move() -> None:
        migrate.upgrade(settings.database_url)
        migrate.downgrade(settings.database_url, revision)

    _migrating(move)


def open_database(settings: Settings, *, upgrade: bool = False) -> Store:
    """Open the store and make sure that its schema is current.

    SQLite is brought up to date by itself; another database only when `upgrade` asks for it.
    """
    url = _database_url(settings)
    if upgrade or (url.get_backend_name() == "sqlite" and not in_memory(url)):
        upgrade_database(settings)
    return _ready(open_store(settings.database_url))


def open_existing_database(settings: Settings) -> Store:
    """Open the store as it is; a SQLite file that does not exist is an error and is not made."""
    url = _database_url(settings)
    if url.get_backend_name() == "sqlite" and not Path(url.database or "").is_file():
        raise ConfigurationError(f"database: there is no file {url.database}")
    return _ready(open_store(settings.database_url))


def file_loop(
    settings: Settings, store: Store, names: Sequence[str], progress: Progress | None = None,
    *, resume: bool = False,
) -> Loop:  # fmt: skip
    """A loop that reads log files to their end: from the beginning, or where reading stopped."""
    source, metrics = FileSource(names, progress), StreamMetrics(CollectorRegistry())
    policy = LoopPolicy(
        batch_records=settings.batch_size,
        # Nothing outlives the process there.
        snapshot_seconds=(
            math.inf if in_memory(settings.database_url) else settings.snapshot_interval
        ),
        letter_share=settings.dead_letter_share,
    )
    work = processor(settings, metrics, anew=not resume)
    return Loop(source, store, work, SystemClock(), metrics, Event(), policy)


def kafka_loop(
    settings: Settings, store: Store, metrics: StreamMetrics, stop: Event,
    keys: KeyWatch | None = None,
) -> Loop:  # fmt: skip
    """A loop that reads the topic until `stop` is set; connects at once.

    `keys` measures whether the topic is keyed by client.
    """
    source = open_kafka_source(settings.kafka_client, kafka_settings(settings))
    policy = LoopPolicy(
        batch_records=settings.batch_size,
        snapshot_seconds=settings.snapshot_interval,
        letter_share=settings.dead_letter_share,
    )
    work = processor(settings, metrics, keys=keys)
    return Loop(source, store, work, SystemClock(), metrics, stop, policy)


def kafka_settings(settings: Settings) -> KafkaSettings:
    """How to reach the topic."""
    sasl = settings.kafka_security_protocol.startswith("SASL")
    return KafkaSettings(
        bootstrap_servers=settings.kafka_bootstrap_servers,
        topics=(settings.kafka_topic,),
        group=settings.kafka_group,
        group_instance_id=settings.kafka_group_instance,
        session_timeout_ms=int(settings.kafka_session_timeout * 1000),
        fetch_max_wait_ms=int(settings.kafka_fetch_wait * 1000),
        security_protocol=settings.kafka_security_protocol,
        sasl_mechanism=settings.kafka_sasl_mechanism if sasl else None,
        sasl_username=settings.kafka_sasl_username,
        sasl_password=settings.kafka_sasl_password,
        ssl_cafile=settings.kafka_tls_ca_file,
        ssl_certfile=settings.kafka_tls_cert_file,
        ssl_keyfile=settings.kafka_tls_key_file,
        ssl_key_password=settings.kafka_tls_key_password,
    )


def file_records(
    names: Sequence[str], progress: Progress | None = None
) -> Iterator[Sequence[Record]]:
    """The records of log files, a stretch at a time."""
    source = FileSource(names, progress)
    try:
        for partition in source.poll(READ_AHEAD, 0.0).assigned:
            source.start(partition, None)
        ended = False
        while not ended:
            poll = source.poll(READ_AHEAD, 0.0)
            ended = poll.ended
            yield poll.records
    finally:
        source.close()


def decoded_files(names: Sequence[str], progress: Progress | None = None) -> Iterator[Decoded]:
    """The decoded content of log files, a stretch at a time."""
    decoder = Decoder()
    for records in file_records(names, progress):
        yield decoder.decode_all(records)


def reference_info(
    model: ModelKey, reference: Reference, *, origin: str, activate: bool
) -> ReferenceInfo:
    """What is stored beside a reference's body; the store numbers it."""
    status = ReferenceStatus.ACTIVE if activate else ReferenceStatus.INACTIVE
    return ReferenceInfo(
        model=model,
        version=0,
        status=status,
        created_at=SystemClock().now(),
        events=reference.events,
        clients=reference.clients,
        origin=origin,
        digest=reference.digest(),
        summary=reference.summary(),
    )


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
    """Workers for the configured webhooks, and the escalation timer where there is a second."""
    clock = SystemClock()
    metrics = DeliveryMetrics(registry)
    destinations = [WebhookDestination(webhook) for webhook in webhooks(settings)]
    require_distinct(destinations)
    timer = None
    if settings.escalation_url:
        policy = EscalationPolicy(
            min_severity=settings.escalation_min_severity,
            after=timedelta(seconds=settings.escalation_delay),
        )
        timer = EscalationTimer(partial(escalate, policy=policy), store, clock, metrics)
    workers = [DeliveryWorker(item, store, clock, metrics) for item in destinations]
    return DeliveryService(workers, timer)


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


class ProductObserver:
    """The detection, triage and severity of the product, as the evaluation asks for them.

    Clients are judged one by one; none is kept between calls that could make another one leave.
    """

    def __init__(self, policy: DetectionPolicy) -> None:
        self._policy = policy
        self._detection = build_detection(policy)

    def learn(self, events: Sequence[LocatedEvent]) -> None:
        """Learn the reference that all clients are judged by."""
        model = events[0].event.model
        self._detection = build_detection(self._policy, {model: learn(model, events)})

    def watch(self, events: Sequence[LocatedEvent]) -> Watched:
        """Judge the whole life of one client and follow its incidents."""
        detections = self._detection.process(events)
        incidents: dict[str, Incident] = {}
        verdicts = tuple(_verdict(finding, incidents) for finding in detections.findings)
        trail = tuple((p.queries, max(p.scores.values())) for p in detections.profiles)
        return Watched(verdicts, trail)

    def state_bytes(self, fields: int) -> int:
        """Bytes of state that a client of a model with that many fields takes, as measured."""
        watch = ModelWatch(ModelKey("", "state"), None, self._policy.scoring, MEASURED_ROWS)
        given = Input(features=[0.0] * fields)
        event = PredictionEvent(
            event_id="state", time_ms=0, client_id="one", model_id="state", input=given
        )
        watch.process([LocatedEvent(Position("state", 0, 0), event)])
        # Two that begin at one place are one piece of memory.
        arrays = {array.ctypes.data: array for array in _clients_arrays(watch)}
        return sum(array.nbytes for array in arrays.values()) // MEASURED_ROWS


def _clients_arrays(holder: object) -> Iterator[NDArray[Any]]:
    """Every array that a watch, and what it is made of, has with a row for each client."""
    for part in vars(holder).values():
        if isinstance(part, np.ndarray) and part.shape[:1] == (MEASURED_ROWS,):
            yield part
        elif type(part).__module__.startswith(STATE_MODULES) and hasattr(part, "__dict__"):
            yield from _clients_arrays(part)


def observer(settings: Settings) -> ProductObserver:
    """What the evaluation measures: detection as these settings make it."""
    return ProductObserver(_detection_policy(settings))


def _verdict(finding: Finding, incidents: dict[str, Incident]) -> Verdict:
    """What a finding comes to, given the client's incidents so far, which it changes."""
    at = event_time(finding.time_ms)
    changes = absorb(tuple(incidents.values()), finding, IncidentPolicy(), at)
    incidents.update((change.incident.incident_id, change.incident) for change in changes)
    return Verdict(
        query=finding.query,
        attack_class=finding.attack_class,
        technique=finding.technique,
        log_evidence=finding.log_evidence,
        confidence=finding.confidence,
        statements=tuple(evidence.statement for evidence in finding.evidence),
        supersedes=finding.supersedes,
        alarm=bool(changes) and changes[-1].incident.severity is not Severity.INFO,
    )


def processor(
    settings: Settings,
    metrics: StreamMetrics,
    *,
    anew: bool = False,
    keys: KeyWatch | None = None,
) -> PartitionProcessor:
    """What makes the work of partitions; with `anew` from their beginnings."""
    clock = SystemClock()
    triage = Triage(TriagePolicy(notify_from=settings.webhook_min_severity), clock)
    new_detection = partial(build_detection, _detection_policy(settings))
    return PartitionProcessor(
        Parts(event_decoder(clock), new_detection, triage, clock, metrics, keys), anew
    )


def event_decoder(clock: Clock) -> Decoder:
    """A decoder that believes no event from the future."""
    return Decoder(now_ms=lambda: int(clock.now().timestamp() * 1000))


def _detection_policy(settings: Settings) -> DetectionPolicy:
    return DetectionPolicy(
        scoring=ScoringPolicy(alarm_budget=settings.alarm_budget),
        max_clients=settings.max_clients,
        max_models=settings.max_models,
        max_suspects=settings.max_suspects,
        learn_events=settings.learning_min_events,
        learn_clients=settings.learning_min_clients,
    )


def _database_url(settings: Settings) -> URL:
    try:
        return make_url(settings.database_url)
    except ArgumentError as error:
        raise ConfigurationError("database URL: not of the form dialect://…") from error


def _ready(store: Store) -> Store:
    try:
        store.ready()
    except Exception:
        store.close()
        raise
    return store


def _migrating(work: Callable[[], None]) -> None:
    """Do the work; Alembic's and the driver's errors become those that are shown in a line."""
    try:
        work()
    except CommandError as error:
        raise ConfigurationError(f"migration: {error}") from error
    except DBAPIError as error:
        raise RecoverableError(f"the database is unwell: {error.orig}") from error
