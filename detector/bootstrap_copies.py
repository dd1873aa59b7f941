"""The composition root of what concerns a topic's keys and records that are written again."""

import logging
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, replace
from functools import cache
from threading import Event

from prometheus_client import CollectorRegistry, start_http_server

from detector.bootstrap import event_decoder, kafka_settings
from detector.config import Settings
from detector.events.record import by_partition
from detector.kit.clock import SystemClock
from detector.kit.errors import ConfigurationError
from detector.kit.metrics import RekeyMetrics, StreamMetrics
from detector.pipeline.copies import Target
from detector.pipeline.keys import KeyPurity, KeyWatch, unkeyed
from detector.pipeline.ports import Store
from detector.pipeline.rekey import Rekeying, RekeyStats
from detector.pipeline.resend import Clerk
from detector.sources.file_target import FileTarget
from detector.sources.group import GroupSource
from detector.sources.kafka_target import KafkaTarget, require_topic
from detector.sources.originals import FileOriginals, KafkaOriginals
from detector.sources.sample import latest_records

_log = logging.getLogger(__name__)


def dead_letter_clerk(settings: Settings, store: Store, *, of_kafka: bool) -> Clerk:
    """Who settles dead letters; with `of_kafka`, the log is asked for what was not kept whole."""
    originals = KafkaOriginals(kafka_settings(settings)) if of_kafka else FileOriginals()
    clock = SystemClock()
    return Clerk(store, event_decoder(clock), originals, clock)


@contextmanager
def replay_targets(settings: Settings, file: str | None) -> Iterator[Callable[[str], Target]]:
    """Yield what gives each topic its target: the topic itself, or the one file for all."""
    with ExitStack() as opened:

        @cache
        def target_of(topic: str) -> Target:
            if file is not None:
                return FileTarget(file)
            return opened.enter_context(closing(KafkaTarget(kafka_settings(settings), topic)))

        yield target_of


@dataclass(frozen=True, slots=True)
class RekeyProcess:
    """A copy at work: `run` returns once `stop` is set."""

    run: Callable[[], object]
    stop: Event


def rekeying(
    settings: Settings, source: str, target: str, metrics: tuple[str, int] | None = None
) -> RekeyProcess:
    """Copy `source` to `target` in a group of its own; connects at once.

    `metrics` is the host and port that serve Prometheus metrics, if any.

    Raises:
        ConfigurationError: when a topic does not exist, or the port is taken.
        RecoverableError: when no broker answers.
    """
    base = kafka_settings(settings)
    how = replace(base, topics=(source,), group=f"{base.group}-rekey")
    require_topic(how, source, make=False)
    require_topic(how, target)
    stop, clock = Event(), SystemClock()
    report = _rekey_report(metrics)

    def run() -> None:
        with closing(KafkaTarget(how, target, stop)) as opened:
            member = GroupSource(how)
            Rekeying(member, opened, event_decoder(clock), clock, stop, report).run()

    return RekeyProcess(run, stop)


def _rekey_report(address: tuple[str, int] | None) -> Callable[[RekeyStats], object]:
    registry = CollectorRegistry()
    shown = RekeyMetrics(registry)
    if address is not None:
        try:
            start_http_server(address[1], address[0], registry)
        except OSError as error:
            raise ConfigurationError(
                f"--metrics: cannot listen on {address[0]}, port {address[1]}: {error}"
            ) from error
    return lambda stats: shown.show(stats.copied, stats.undecodable, stats.lag)


def key_watch(settings: Settings, metrics: StreamMetrics) -> KeyWatch:
    """Measure how the topic is keyed, from its latest records, and go on measuring.

    Raises:
        ConfigurationError: when events of a client would meet in different workers, unless
            `kafka_unkeyed` allows that, which is then a warning.
        RecoverableError: when no broker answers.
    """
    sample = latest_records(kafka_settings(settings))
    if not sample.partitions:
        _log.warning("there is no topic %s yet; it is waited for", settings.kafka_topic)
    purity = KeyPurity(sample.partitions, stride=1)
    for records in by_partition(sample.records).values():
        purity.observe(records, event_decoder(SystemClock()).decode_all(records).events)
    if not purity.is_pure:
        if settings.kafka_unkeyed == "refuse":
            raise ConfigurationError(
                f"{settings.kafka_topic}: {unkeyed(purity)}. Write it anew with `querywatch rekey "
                f"--from {settings.kafka_topic} --to NEW` and read that, or go on with --unkeyed "
                "allow and clients split over partitions"
            )
        _log.warning("%s: %s", settings.kafka_topic, unkeyed(purity))
    return KeyWatch(KeyPurity(sample.partitions), metrics)
