"""Kafka as a source, by librdkafka through confluent-kafka: faster, an optional extra.

librdkafka expands a batch compressed by gzip, snappy or lz4 before anybody may object, up to what
the broker lets in times the codec's ratio. A batch that it refuses (zstd beyond the limit, a wrong
checksum, data that do not decompress) it would ask for again for ever; such a place is read once
by kafka-python, which makes one record with a fault of it.
"""

import logging
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from itertools import groupby
from typing import Any

import numpy as np
from confluent_kafka import Consumer, KafkaError, KafkaException, Message, TopicPartition

from detector.events.record import Partition, Record
from detector.events.records import Records
from detector.kit.errors import ConfigurationError, RecoverableError
from detector.pipeline.source import LogEnds, Poll
from detector.sources.kafka import KafkaSettings
from detector.sources.librdkafka_options import consumer_options
from detector.sources.membership import Membership, steps
from detector.sources.messages import records_of
from detector.sources.one_place import read_at

log = logging.getLogger(__name__)

_ANSWER_S = 10.0
# A partition without a leader does not answer, and others wait meanwhile.
_ENDS_S = 3.0
# Long enough for a question to be on its way.
_WAKE_S = 0.1
_STARTING_S = 10.0
# Longer than a partition that was only just assigned needs until it can seek.
_MOMENT_S = 0.5
_FROM_THE_START = 0
_REFUSALS = frozenset(
    {
        KafkaError._AUTHENTICATION,
        KafkaError._INVALID_ARG,
        KafkaError.SASL_AUTHENTICATION_FAILED,
        KafkaError.TOPIC_AUTHORIZATION_FAILED,
        KafkaError.GROUP_AUTHORIZATION_FAILED,
        KafkaError.CLUSTER_AUTHORIZATION_FAILED,
    }
)
_TRUNCATED = KafkaError(KafkaError._LOG_TRUNCATION).str()
_UNREADABLE = frozenset({KafkaError._BAD_COMPRESSION, KafkaError._BAD_MSG})


class LibrdkafkaSource:
    """A member of a consumer group. Only one thread may use it.

    Raises:
        RecoverableError: when no broker answers.
        ConfigurationError: when the broker refuses the credentials.
    """

    def __init__(self, settings: KafkaSettings) -> None:
        self._settings = settings
        self._membership = Membership()
        self._read_to: dict[Partition, int] = {}
        self._idle: set[Partition] = set()
        self._astray: set[Partition] = set()
        # Those of them whose log was cut below what was fetched; where, it does not say.
        self._cut: set[Partition] = set()
        self._paused = False
        self._refusal: KafkaError | None = None
        options = consumer_options(settings) | {"error_cb": self._note_error}
        with self._translated():
            self._consumer = Consumer(options, logger=log)
            self._know(settings.topics)
            self._consumer.subscribe(
                list(settings.topics),
                on_assign=self._on_assign,
                on_revoke=self._on_revoke,
                on_lost=self._on_revoke,
            )

    def _know(self, topics: Sequence[str]) -> None:
        known = self._consumer.list_topics(timeout=_ANSWER_S).topics
        for topic in topics:
            if topic not in known:
                log.warning("topic %s does not exist yet", topic)

    def _note_error(self, error: KafkaError) -> None:
        """Take what librdkafka says of itself; it goes on trying by itself."""
        if error.code() in _REFUSALS:
            self._refusal = error
        log.warning("Kafka: %s", error.str())

    def _on_assign(self, consumer: Consumer, places: list[TopicPartition]) -> None:
        """Keep new partitions still until the loop knows where they begin."""
        for place in places:
            place.offset = _FROM_THE_START
        consumer.incremental_assign(places)
        consumer.pause(places)
        self._membership.given(map(_partition, places))

    def _on_revoke(self, _consumer: Consumer, places: list[TopicPartition]) -> None:
        """Note what is gone."""
        self._membership.taken(map(_partition, places))

    def poll(self, max_records: int, timeout_s: float) -> Poll:
        """Return records of started partitions, and what a rebalance changed."""
        with self._translated():
            messages = self._consumer.consume(max_records, 0)
            if not messages and (first := self._first(timeout_s)) is not None:
                messages = [first, *self._more(max_records - 1)]
            if self._refusal is not None:
                raise KafkaException(self._refusal)
        assigned, revoked = self._membership.changes()
        for partition in revoked:
            self._read_to.pop(partition, None)
            self._idle.discard(partition)
            self._astray.discard(partition)
            self._cut.discard(partition)
        known = frozenset(self._astray)
        shares = self._shares(messages)
        return Poll(shares, assigned, revoked, astray=tuple(sorted(self._astray - known)))

    def _first(self, timeout_s: float) -> Message | None:
        """Wait for a message; what the group gives or takes ends it, which librdkafka sleeps by."""
        for wait in steps(timeout_s):
            if self._membership.changed():
                break
            if (message := self._consumer.poll(wait)) is not None:
                return message
        return None

    def _more(self, most: int) -> Sequence[Message]:
        """Return what has come beside the first message, which an error must not cost."""
        try:
            return list(self._consumer.consume(most, 0))
        except KafkaException as error:
            log.warning("Kafka: %s", error)
            return ()

    def _shares(self, messages: Sequence[Message]) -> Mapping[Partition, Records]:
        shares: dict[Partition, list[Records]] = {}
        for records in self._read(messages):
            shares.setdefault(records[0].partition, []).append(records)
        return {partition: Records.joined(pieces) for partition, pieces in shares.items()}

    def _read(self, messages: Sequence[Message]) -> Iterator[Records]:
        if not any(map(Message.error, messages)):
            yield from self._sound(messages)
            return
        again: set[Partition] = set()
        for at, message in enumerate(messages):
            place = Partition(str(message.topic()), int(message.partition() or 0))
            if place in again:
                continue
            if message.error() is None:
                yield from self._sound([message])
                continue
            try:
                with self._translated():
                    unreadable = self._unreadable(message, len(messages) - at)
            except RecoverableError as error:
                # What is behind it comes again with it; other partitions' records are not lost.
                # If not even that can be asked for, the worker ends and begins from what is stored.
                log.warning("%s", error)
                again.add(place)
                self._seek(place, self._read_to[place])
            else:
                if unreadable:
                    yield Records.of(unreadable)

    def _sound(self, messages: Sequence[Message]) -> Iterator[Records]:
        places: Any = zip(
            map(Message.topic, messages), map(Message.partition, messages), strict=True
        )
        begin = 0
        for place, run in groupby(places):
            end = begin + len(list(run))
            records = self._current(Partition(*place), messages[begin:end])
            if records:
                yield records
            begin = end

    def _current(self, partition: Partition, messages: Sequence[Message]) -> Records:
        """Leave out what was fetched before a rebalance or a seek: it is nobody's after it."""
        first = self._read_to.get(partition)
        if first is None:
            return Records.of(())
        records = records_of(partition, messages)
        records = records[int(np.searchsorted(records.columns.offsets, first)) :]
        if records:
            self._read_to[partition] = int(records.columns.offsets[-1]) + 1
        return records

    def _unreadable(self, message: Message, room: int) -> Sequence[Record]:
        """Read what librdkafka refuses; pass its other errors on, or leave them to its retries."""
        error: Any = message.error()
        partition = Partition(str(message.topic()), int(message.partition() or 0))
        if error.code() == KafkaError._AUTO_OFFSET_RESET:
            if partition in self._read_to:
                self._astray.add(partition)
                if _TRUNCATED in error.str():
                    self._cut.add(partition)
            return ()
        if error.code() not in _UNREADABLE:
            if error.code() in _REFUSALS or error.fatal():
                raise KafkaException(error)
            log.warning("Kafka: %s", error.str())
            return ()
        first = self._read_to.get(partition)
        if first is None or int(message.offset() or 0) < first:
            return ()
        records = read_at(self._settings, partition, first, room, _ANSWER_S)
        self._seek(partition, records[-1].next_offset)
        return records

    def ends(self, partition: Partition) -> LogEnds:
        """Ask the partition's broker, for three seconds at most."""
        place = TopicPartition(*partition)
        with self._translated():
            # Asked of a reader of committed records: up to where the first open transaction begins.
            first, end = self._consumer.get_watermark_offsets(place, timeout=_ENDS_S)
            if partition in self._cut:
                end = 0
            if partition not in self._read_to:
                return LogEnds(first, end)
            return LogEnds(first, end, max(end - self._passed([partition])[partition], 0))

    def _passed(self, partitions: Iterable[Partition]) -> Mapping[Partition, int]:
        """Where reading stands: transactions' markers are passed, and are no records to read."""
        places = self._consumer.position([TopicPartition(*partition) for partition in partitions])
        return {_partition(p): max(self._read_to[_partition(p)], p.offset) for p in places}

    def start(self, partition: Partition, offset: int | None) -> None:
        """Seek and, unless the source is paused, fetch."""
        first = self.ends(partition).first if offset is None else offset
        with self._translated():
            self._idle.discard(partition)
            # Taken away again meanwhile? Then the next poll says so.
            if self._seek(partition, first) and not self._paused:
                self._fetch([TopicPartition(*partition)])

    def _fetch(self, places: list[TopicPartition]) -> None:
        """Resume; and ask the brokers something, whose threads may sleep for a second else."""
        self._consumer.resume(places)
        for place in places:
            with suppress(KafkaException):
                self._consumer.get_watermark_offsets(place, timeout=_WAKE_S)

    def _seek(self, partition: Partition, offset: int) -> bool:
        """Read on from there; False when the partition is no longer this member's.

        A partition that was only just assigned takes a moment until it can seek. One whose position
        the log did not hold can never; it has to be assigned anew.
        """
        place = TopicPartition(*partition, offset)
        began = time.monotonic()
        while place in self._consumer.assignment():
            waited = time.monotonic() - began
            try:
                if partition in self._astray or waited > _MOMENT_S:
                    self._consumer.incremental_unassign([place])
                    self._consumer.incremental_assign([place])
                else:
                    self._consumer.seek(place)
            except KafkaException as error:
                if waited > _STARTING_S or error.args[0].code() != KafkaError._STATE:
                    raise
                time.sleep(0.01)
            else:
                self._astray.discard(partition)
                self._cut.discard(partition)
                self._read_to[partition] = offset
                return True
        return False

    def pause(self) -> None:
        """Stop fetching; polls keep the membership."""
        self._paused = True
        self._consumer.pause(self._held())

    def resume(self) -> None:
        """Fetch again what was started."""
        self._paused = False
        self._fetch(self._held())

    def _held(self) -> list[TopicPartition]:
        held = set(map(_partition, self._consumer.assignment()))
        started = self._read_to.keys() - self._idle
        return [TopicPartition(*partition) for partition in started if partition in held]

    def hold(self, partition: Partition) -> None:
        """Fetch no more of one partition until it is started again."""
        self._idle.add(partition)
        if partition in map(_partition, self._consumer.assignment()):
            self._consumer.pause([TopicPartition(*partition)])

    def lag(self) -> Mapping[Partition, int]:
        """How many records of each started partition are known to be there and were not read."""
        lag = {}
        for partition, passed in self._passed(self._read_to).items():
            place = TopicPartition(*partition)
            _, end = self._consumer.get_watermark_offsets(place, cached=True)
            lag[partition] = max(end - passed, 0)
        return lag

    def commit(self, offsets: Mapping[Partition, int]) -> None:
        """Publish positions without waiting; a broker that refuses them changes nothing."""
        places = [TopicPartition(*partition, offset) for partition, offset in offsets.items()]
        try:
            self._consumer.commit(offsets=places, asynchronous=True)
        except KafkaException as error:
            log.warning("positions were not published: %s", error)

    def close(self) -> None:
        """Leave the group at once, so that others take over without waiting."""
        self._consumer.close()

    @contextmanager
    def _translated(self) -> Iterator[None]:
        """Turn librdkafka's errors into those that the loop knows; fatal ones stop the worker."""
        try:
            yield
        except KafkaException as caught:
            error = self._refusal or caught.args[0]
            if error.code() in _REFUSALS:
                raise ConfigurationError(f"Kafka refuses: {error.str()}") from caught
            if error.fatal():
                raise
            raise RecoverableError(f"Kafka does not answer: {error.str()}") from caught


def _partition(place: TopicPartition) -> Partition:
    return Partition(place.topic, place.partition)
