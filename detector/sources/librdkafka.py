"""Kafka as a source, by librdkafka through confluent-kafka: faster, an optional extra.

librdkafka expands a batch compressed by gzip, snappy or lz4 before anybody may object, up to what
the broker lets in times the codec's ratio. A batch that it refuses (zstd beyond the limit, a wrong
checksum, data that do not decompress) it would ask for again for ever; such a place is read once
by kafka-python, which makes one record with a fault of it.
"""

import logging
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from itertools import groupby
from typing import Any

import msgspec
import numpy as np
from confluent_kafka import Consumer, KafkaError, KafkaException, Message, TopicPartition

from detector.events.reasons import Reason
from detector.events.record import Fault, Partition, Record
from detector.events.records import NO_TIME, Records
from detector.kit.errors import ConfigurationError, RecoverableError
from detector.pipeline.ports import Poll
from detector.sources.kafka import KafkaSettings, read_at
from detector.sources.membership import Membership, steps
from detector.sources.positions import first_offset

log = logging.getLogger(__name__)

_ANSWER_S = 10.0
_STARTING_S = 10.0
# Longer than a partition that was only just assigned needs until it can seek.
_MOMENT_S = 0.5
_FROM_THE_START = 0
# What is fetched ahead in all partitions together; librdkafka's own default is 64 MiB.
_QUEUED_KIB = 16 << 10
# A full queue asks again after this; after the default, a second, a fast reader stands still.
_QUEUE_BACKOFF_MS = 5
_FRAMING_BYTES = 512
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
_UNREADABLE = frozenset({KafkaError._BAD_COMPRESSION, KafkaError._BAD_MSG})


def consumer_options(settings: KafkaSettings) -> dict[str, Any]:
    """The settings in librdkafka's words, with what correctness needs."""
    options = {
        "bootstrap.servers": ",".join(settings.bootstrap_servers),
        "group.id": settings.group,
        "group.instance.id": settings.group_instance_id,
        "client.id": "querywatch",
        "enable.auto.commit": False,
        "enable.auto.offset.store": False,
        # A position that the log does not hold is to be told.
        "auto.offset.reset": "error",
        "allow.auto.create.topics": False,
        "isolation.level": "read_committed",
        "partition.assignment.strategy": "cooperative-sticky",
        "topic.metadata.refresh.interval.ms": 30_000,
        "session.timeout.ms": settings.session_timeout_ms,
        "heartbeat.interval.ms": min(3_000, settings.session_timeout_ms // 3),
        "max.poll.interval.ms": settings.max_poll_interval_ms,
        "fetch.max.bytes": settings.fetch_max_bytes,
        "max.partition.fetch.bytes": settings.max_partition_fetch_bytes,
        "fetch.wait.max.ms": settings.fetch_max_wait_ms,
        # Off by default, and the only thing that notices damage.
        "check.crcs": True,
        "queued.max.messages.kbytes": _QUEUED_KIB,
        "fetch.queue.backoff.ms": _QUEUE_BACKOFF_MS,
        # Bounds what zstd may expand to as well.
        "receive.message.max.bytes": max(
            settings.max_batch_bytes, settings.fetch_max_bytes + _FRAMING_BYTES
        ),
        "security.protocol": settings.security_protocol,
        "sasl.mechanism": settings.sasl_mechanism,
        "sasl.username": settings.sasl_username,
        "sasl.password": settings.sasl_password,
        "ssl.ca.location": settings.ssl_cafile,
        "ssl.certificate.location": settings.ssl_certfile,
        "ssl.key.location": settings.ssl_keyfile,
        "ssl.key.password": settings.ssl_key_password,
        "ssl.endpoint.identification.algorithm": "https" if settings.ssl_check_hostname else "none",
    }
    return {name: value for name, value in options.items() if value is not None}


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
        records = _made(partition, messages)
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

    def start(self, partition: Partition, offset: int | None) -> int | None:
        """Seek and, unless the source is paused, fetch.

        Returns the earliest record's position when the log no longer holds `offset`; reading
        begins there.
        """
        place = TopicPartition(*partition)
        with self._translated():
            low, high = self._ends(place)
            first, instead = first_offset(offset, low, high)
            self._idle.discard(partition)
            # Taken away again meanwhile? Then the next poll says so.
            if self._seek(partition, first) and not self._paused:
                self._fetch([place])
        return instead

    def _ends(self, place: TopicPartition) -> tuple[int, int]:
        low, high = self._consumer.get_watermark_offsets(place, timeout=_ANSWER_S)
        return low, high

    def _fetch(self, places: list[TopicPartition]) -> None:
        """Resume; and ask the brokers something, whose threads may sleep for a second else."""
        self._consumer.resume(places)
        for place in places:
            with suppress(KafkaException):
                self._ends(place)

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
        # Beyond the last record: transactions' markers are passed, and are no records to read.
        passed = self._consumer.position([TopicPartition(*place) for place in self._read_to])
        for place in passed:
            partition = _partition(place)
            ends = self._consumer.get_watermark_offsets(place, cached=True)
            lag[partition] = max(ends[1] - max(self._read_to[partition], place.offset), 0)
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


def _made(partition: Partition, messages: Sequence[Any]) -> Records:
    """Records of messages of one partition, in order and without an error."""
    records = Records.packed(
        partition,
        [message.offset() for message in messages],
        [time_ms if kind else NO_TIME for kind, time_ms in map(Message.timestamp, messages)],
        map(Message.key, messages),
        map(Message.value, messages),
    )
    if _any_headers(messages):
        return Records.of(list(map(_with_headers, records, messages)))
    return records


def _any_headers(messages: Sequence[Any]) -> bool:
    try:
        return any(map(Message.headers, messages))
    except UnicodeDecodeError:
        return True


def _with_headers(record: Record, message: Any) -> Record:
    try:
        headers: Any = message.headers() or ()
    except UnicodeDecodeError as error:
        size = len(record.value or b"")
        fault = Fault(Reason.NOT_UTF8, f"the name of a header: {error}", size)
        return msgspec.structs.replace(record, fault=fault)
    named = tuple((name, body or b"") for name, body in headers)
    return msgspec.structs.replace(record, headers=named)
