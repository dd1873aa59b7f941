"""The composition root of what writes records to a log again: dead letters, rekeying."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from functools import cache

from detector.bootstrap import event_decoder, kafka_settings
from detector.config import Settings
from detector.kit.clock import SystemClock
from detector.pipeline.copies import Target
from detector.pipeline.ports import Store
from detector.pipeline.resend import Clerk
from detector.sources.file_target import FileTarget
from detector.sources.kafka_target import KafkaTarget
from detector.sources.originals import FileOriginals, KafkaOriginals


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
