"""The composition root: the one place where settings become objects and objects meet.

Nothing happens at import, and nothing is connected before a command asks for it.
"""

import math
import os
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from threading import Event

from alembic.util import CommandError
from prometheus_client import CollectorRegistry
from sqlalchemy import make_url
from sqlalchemy.exc import DBAPIError

from detector.config import Settings
from detector.events.decode import Decoded, Decoder
from detector.events.model import ModelKey
from detector.events.record import Record
from detector.kit.clock import Clock, SystemClock
from detector.kit.errors import ConfigurationError, RecoverableError
from detector.kit.metrics import StreamMetrics
from detector.pipeline.detect import Detection, build_detection
from detector.pipeline.keys import KeyWatch
from detector.pipeline.learning import DetectionPolicy
from detector.pipeline.ports import ReferenceInfo, ReferenceStatus, Store
from detector.pipeline.triage import Triage, TriagePolicy
from detector.pipeline.work import PartitionProcessor, Parts
from detector.reference.picture import Reference
from detector.scoring.tables import ScoringPolicy
from detector.sources.clients import open_kafka_source
from detector.sources.compression import STDIN
from detector.sources.files import FileSource, Progress
from detector.sources.kafka import KafkaSettings
from detector.storage import migrate
from detector.storage.engine import in_memory
from detector.storage.store import open_store
from detector.stream.loop import Loop
from detector.stream.policy import LoopPolicy

READ_AHEAD = 5_000


def upgrade_database(settings: Settings) -> None:
    """Migrate up to the schema of this version."""
    _migrating(partial(migrate.upgrade, settings.database_url))


def move_database(settings: Settings, revision: str) -> None:
    """Migrate to a revision, up or down; going down loses what the newer schema held."""

    def move() -> None:
        migrate.require_revision(revision)
        migrate.upgrade(settings.database_url)
        migrate.downgrade(settings.database_url, revision)

    _migrating(move)


def open_database(settings: Settings, *, upgrade: bool = False) -> Store:
    """Open the store and make sure that its schema is current.

    SQLite is brought up to date by itself; another database only when `upgrade` asks for it.
    """
    url = make_url(settings.database_url)
    if upgrade or (url.get_backend_name() == "sqlite" and not in_memory(url)):
        upgrade_database(settings)
    return _ready(open_store(settings.database_url))


def open_existing_database(settings: Settings) -> Store:
    """Open the store as it is; a SQLite file that does not exist is an error and is not made."""
    url = make_url(settings.database_url)
    if url.get_backend_name() == "sqlite" and not Path(url.database or "").is_file():
        raise ConfigurationError(f"database: there is no file {url.database}")
    return _ready(open_store(settings.database_url))


def file_loop(
    settings: Settings, store: Store, names: Sequence[str], progress: Progress | None = None,
    *, resume: bool = False, decoder: Decoder | None = None,
    watch: Callable[[Detection], Detection] | None = None,
) -> Loop:  # fmt: skip
    """A loop that reads log files to their end: from the beginning, or where reading stopped.

    Who wants to know what cannot be used gives a decoder, and `watch` is handed each detection.
    """
    source, metrics = _file_source(names, progress), StreamMetrics(CollectorRegistry())
    policy = LoopPolicy(
        batch_records=settings.batch_size,
        # Nothing outlives the process there.
        snapshot_seconds=(
            math.inf if in_memory(settings.database_url) else settings.snapshot_interval
        ),
        letter_share=settings.dead_letter_share,
        # No group gives files to one run and not to another.
        reclaim_seconds=None,
    )
    work = processor(settings, metrics, anew=not resume, decoder=decoder, watch=watch)
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
    source = _file_source(names, progress)
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


def _file_source(names: Sequence[str], progress: Progress | None) -> FileSource:
    """The files, once each can be read; raises `ConfigurationError`, which names the one."""
    for name in names:
        path = Path(name)
        if name != STDIN and path.is_dir():
            raise ConfigurationError(f"{name}: is a folder, and a log is a file")
        if name != STDIN and path.exists() and not os.access(path, os.R_OK):
            raise ConfigurationError(f"{name}: this user may not read it")
        if names.count(name) > 1:
            raise ConfigurationError(f"{name}: is named twice")
    return FileSource(names, progress)


def decoded_files(
    names: Sequence[str], progress: Progress | None = None, decoder: Decoder | None = None
) -> Iterator[Decoded]:
    """The decoded content of log files, a stretch at a time."""
    decoder = decoder or Decoder()
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


def processor(
    settings: Settings,
    metrics: StreamMetrics,
    *,
    anew: bool = False,
    keys: KeyWatch | None = None,
    decoder: Decoder | None = None,
    watch: Callable[[Detection], Detection] | None = None,
) -> PartitionProcessor:
    """What makes the work of partitions; with `anew` from their beginnings."""
    clock = SystemClock()
    triage = Triage(TriagePolicy(notify_from=settings.webhook_min_severity), clock)
    policy = detection_policy(settings)

    def new_detection() -> Detection:
        detection = build_detection(policy)
        return detection if watch is None else watch(detection)

    decoder = decoder or event_decoder(clock)
    return PartitionProcessor(Parts(decoder, new_detection, triage, clock, metrics, keys), anew)


def event_decoder(clock: Clock) -> Decoder:
    """A decoder that believes no event from the future."""
    return Decoder(now_ms=lambda: int(clock.now().timestamp() * 1000))


def detection_policy(settings: Settings) -> DetectionPolicy:
    """How detection is to behave."""
    return DetectionPolicy(
        scoring=ScoringPolicy(alarm_budget=settings.alarm_budget),
        max_clients=settings.max_clients,
        max_models=settings.max_models,
        max_suspects=settings.max_suspects,
        learn_events=settings.learning_min_events,
        learn_clients=settings.learning_min_clients,
    )


def _ready(store: Store) -> Store:
    try:
        store.ready()
    except DBAPIError as error:
        store.close()
        raise RecoverableError(f"the database is unwell: {error.orig}") from error
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
