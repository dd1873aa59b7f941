"""Kafka as a source, by kafka-python: a consumer group whose positions the database keeps."""

import logging
import time
from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import chain
from typing import Any

from kafka import KafkaConsumer, OffsetAndMetadata, TopicPartition
from kafka.coordinator.assignors.cooperative_sticky import CooperativeStickyAssignor
from kafka.errors import LogTruncationError, NoOffsetForPartitionError, OffsetOutOfRangeError

from detector.events.record import Partition
from detector.events.records import Records
from detector.kit.errors import ConfigurationError, RecoverableError
from detector.pipeline.source import LogEnds, Poll
from detector.sources.fetched import Share, read_bounded
from detector.sources.kafka_client import NOT_ASSIGNED, Rebalances, partition_of, translated
from detector.sources.membership import Membership, steps
from detector.sources.wire import direct_client

log = logging.getLogger(__name__)

_PROTOCOLS = ("PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL")
_MECHANISMS = ("PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512")
CLOSE_MS = 5_000
ALL_SHARES = 1 << 20
"""More shares than a poll can have."""

# Of each of two questions. A partition without a leader does not answer, and others wait meanwhile.
_ENDS_MS = 1_500
# So often at least the group sees this member, and this member what the group changes.
_STAY_S = 0.5
# Records of a partition, and how far they were read.
_Taken = tuple[TopicPartition, Records, int]


@dataclass(frozen=True, slots=True)
class KafkaSettings:
    """How to reach the log.

    Attributes:
        bootstrap_servers: `host:port`, one or more.
        topics: What to read.
        group: The consumer group that shares the partitions.
        security_protocol: PLAINTEXT, SSL, SASL_PLAINTEXT or SASL_SSL.
        sasl_mechanism: PLAIN, SCRAM-SHA-256 or SCRAM-SHA-512; needed with SASL.
        sasl_username: Needed with SASL.
        sasl_password: Needed with SASL.
        ssl_cafile: Certificates to trust, PEM; the system's when None.
        ssl_certfile: This client's certificate, PEM.
        ssl_keyfile: This client's private key, PEM.
        ssl_key_password: What decrypts the key.
        ssl_check_hostname: Whether the broker's certificate must carry its name.
        group_instance_id: Makes this process a static member, which keeps its partitions over a
            restart shorter than the session timeout.
        session_timeout_ms: Silence after which the broker gives the partitions to others.
        max_poll_interval_ms: Longest time between polls before this process gives them up.
        fetch_max_bytes: Largest answer to one fetch, compressed.
        max_partition_fetch_bytes: Largest share of one partition in it. Half as much fills no poll
            of 4,000 records of 1 KB; more gains nothing.
        fetch_max_wait_ms: How long the broker may gather records before it answers.
        max_batch_bytes: Largest batch of records once decompressed; what would grow beyond becomes
            one record with a fault. Far more than producers gather, and sixteen of the largest
            records that decoding takes.
    """

    bootstrap_servers: tuple[str, ...]
    topics: tuple[str, ...]
    group: str = "querywatch"
    security_protocol: str = "PLAINTEXT"
    sasl_mechanism: str | None = None
    sasl_username: str | None = None
    sasl_password: str | None = field(default=None, repr=False)
    ssl_cafile: str | None = None
    ssl_certfile: str | None = None
    ssl_keyfile: str | None = None
    ssl_key_password: str | None = field(default=None, repr=False)
    ssl_check_hostname: bool = True
    group_instance_id: str | None = None
    session_timeout_ms: int = 45_000
    max_poll_interval_ms: int = 300_000
    fetch_max_bytes: int = 8 << 20
    max_partition_fetch_bytes: int = 4 << 20
    fetch_max_wait_ms: int = 100
    max_batch_bytes: int = 16 << 20

    def __post_init__(self) -> None:
        """Raise `ConfigurationError` for what could never connect."""
        if self.max_batch_bytes < 1:
            raise ConfigurationError("the largest batch must have at least one byte")
        if not self.bootstrap_servers or not self.topics or not self.group:
            raise ConfigurationError("Kafka needs bootstrap servers, a topic and a group")
        if self.security_protocol not in _PROTOCOLS:
            raise ConfigurationError(f"security protocol: one of {', '.join(_PROTOCOLS)}")
        if not self.security_protocol.startswith("SASL"):
            return
        if self.sasl_mechanism not in _MECHANISMS:
            raise ConfigurationError(f"SASL mechanism: one of {', '.join(_MECHANISMS)}")
        if not self.sasl_username or not self.sasl_password:
            raise ConfigurationError("SASL needs a user name and a password")

    def consumer_options(self) -> dict[str, Any]:
        """The same in kafka-python's words, with what correctness needs."""
        return {
            "bootstrap_servers": list(self.bootstrap_servers),
            "group_id": self.group,
            "group_instance_id": self.group_instance_id,
            "client_id": "querywatch",
            "kafka_client": direct_client,
            "metrics_enabled": False,
            # The database keeps the positions; one that the log does not hold is to be told.
            "enable_auto_commit": False,
            "auto_offset_reset": "none",
            "allow_auto_create_topics": False,
            "isolation_level": "read_committed",
            # A rebalance takes away only what moves; the rest goes on being read.
            "partition_assignment_strategy": [CooperativeStickyAssignor],
            # A topic or partition made later is found within this time.
            "metadata_max_age_ms": 30_000,
            "session_timeout_ms": self.session_timeout_ms,
            "heartbeat_interval_ms": min(3_000, self.session_timeout_ms // 3),
            "max_poll_interval_ms": self.max_poll_interval_ms,
            "fetch_max_bytes": self.fetch_max_bytes,
            "max_partition_fetch_bytes": self.max_partition_fetch_bytes,
            "fetch_max_wait_ms": self.fetch_max_wait_ms,
            "security_protocol": self.security_protocol,
            "sasl_mechanism": self.sasl_mechanism,
            "sasl_plain_username": self.sasl_username,
            "sasl_plain_password": self.sasl_password,
            "ssl_cafile": self.ssl_cafile,
            "ssl_certfile": self.ssl_certfile,
            "ssl_keyfile": self.ssl_keyfile,
            "ssl_password": self.ssl_key_password,
            "ssl_check_hostname": self.ssl_check_hostname,
        }


class KafkaSource:
    """A member of a consumer group. Only one thread may use it.

    Raises:
        RecoverableError: when no broker answers.
        ConfigurationError: when the broker refuses the credentials.
    """

    def __init__(self, settings: KafkaSettings) -> None:
        self._membership = Membership()
        with translated():
            self._consumer = KafkaConsumer(**settings.consumer_options())
            read_bounded(self._consumer, settings.max_batch_bytes)
            self._know(settings.topics)
            listener = Rebalances(self._consumer, self._membership)
            self._consumer.subscribe(list(settings.topics), listener=listener)
        self._read_to: dict[TopicPartition, int] = {}
        self._held: set[TopicPartition] = set()
        self._astray: set[TopicPartition] = set()
        # Where logs were cut below what was fetched of them; 0 where nobody knows.
        self._cuts: dict[TopicPartition, int] = {}
        self._shares: deque[Share] = deque()
        self._polled_at = time.monotonic()
        self._paused = False

    def _know(self, topics: Sequence[str]) -> None:
        """Fetch what there is of the topics before joining the group.

        A member that leads the group's first assignment while this arrives may assign nothing, and
        kafka-python then takes that for the up-to-date answer for as long as nothing changes.
        """
        for topic in topics:
            if not self._consumer.partitions_for_topic(topic):
                log.warning("topic %s does not exist yet", topic)

    def poll(self, max_records: int, timeout_s: float) -> Poll:
        """Return records of started partitions, and what a rebalance changed."""
        taken = self._take(max_records)
        count = sum(len(records) for _, records, _ in taken)
        try:
            if count < max_records:
                self._fetch(0.0 if count else timeout_s)
            elif time.monotonic() - self._polled_at > _STAY_S:
                self._stay()
        except RecoverableError as error:
            # Nobody would bring again what is taken; without any, the next poll says the same.
            if not count:
                raise
            log.warning("%s", error)
        taken += self._take(max_records - count)
        assigned, revoked = self._membership.changes()
        for partition in revoked:
            self._forget(TopicPartition(*partition))
        return Poll(self._current(taken), assigned, revoked, astray=self._left_behind())

    def _take(self, wanted: int) -> list[_Taken]:
        """Take records out of the shares that came, up to so many; none while paused."""
        taken = []
        while wanted and self._shares and not self._paused:
            share = self._shares[0]
            records = share.records(wanted)
            reached = int(records.columns.offsets[-1]) + 1 if records else 0
            if len(records) < wanted:
                self._shares.popleft()
                # Beyond the last record: markers, and what was aborted, are no records to read.
                reached = share.next_fetch_offset
            taken.append((share.topic_partition, records, reached))
            wanted -= len(records)
        return taken

    def _fetch(self, timeout_s: float) -> None:
        """Wait for records; the first assignment ends it, which kafka-python would sleep by.

        Only that one: a join that ends between two polls is begun anew, so polls are to be long.
        """
        with translated():
            for wait in [timeout_s] if self._consumer.assignment() else steps(timeout_s):
                # A share counts as one record, however many it holds.
                fetched = self._ask(int(wait * 1000))
                if fetched or self._membership.changed():
                    break
        self._polled_at = time.monotonic()
        self._shares.extend(chain.from_iterable(fetched.values()))

    def _ask(self, wait_ms: int) -> Mapping[TopicPartition, list[Share]]:
        """Poll; a position that the log does not hold is left until it is started again."""
        try:
            fetched: Mapping[TopicPartition, list[Share]] = self._consumer.poll(wait_ms, ALL_SHARES)
        except OffsetOutOfRangeError as error:
            self._leave(error.args[0])
        except LogTruncationError as error:
            for place, cut in error.divergent_offsets.items():
                self._cuts[place] = cut.offset if cut else 0
            self._leave(error.divergent_offsets)
        except NoOffsetForPartitionError:
            log.debug("partitions are assigned whose listener has not placed them yet")
        else:
            return fetched
        # What came of other partitions comes with the next poll.
        return {}

    def _leave(self, places: Iterable[TopicPartition]) -> None:
        for place in places:
            self._astray.add(place)
            self._rest(place)

    def _left_behind(self) -> tuple[Partition, ...]:
        """Tell once whose position the log does not hold; all that came before is handed out."""
        told, self._astray = self._astray & self._read_to.keys(), set()
        return tuple(map(partition_of, sorted(told)))

    def _stay(self) -> None:
        """Take part in the group while enough was fetched, and fetch no more."""
        fetching = self._consumer.assignment() - self._consumer.paused()
        self._consumer.pause(*fetching)
        try:
            self._fetch(0.0)
        finally:
            for place in fetching - self._held:
                with suppress(*NOT_ASSIGNED):
                    self._consumer.resume(place)

    def _current(self, taken: list[_Taken]) -> Mapping[Partition, Records]:
        """Leave out what was fetched before a rebalance: it belongs to nobody after it."""
        current: dict[TopicPartition, list[Records]] = {}
        for place, records, reached in taken:
            if place not in self._read_to:
                continue
            if records:
                current.setdefault(place, []).append(records)
            self._read_to[place] = max(self._read_to[place], reached)
        return {partition_of(place): Records.joined(pieces) for place, pieces in current.items()}

    def _forget(self, place: TopicPartition) -> None:
        self._drop(place)
        self._read_to.pop(place, None)
        self._held.discard(place)
        self._astray.discard(place)
        self._cuts.pop(place, None)

    def _drop(self, place: TopicPartition) -> None:
        """Drop what was fetched of a partition that is read from elsewhere, or no more."""
        self._shares = deque(share for share in self._shares if share.topic_partition != place)

    def ends(self, partition: Partition) -> LogEnds:
        """Ask the partition's broker, for three seconds at most."""
        place = TopicPartition(*partition)
        with translated():
            first = self._consumer.beginning_offsets([place], timeout_ms=_ENDS_MS)[place]
            # For a reader of committed records it is where the first open transaction begins.
            end = self._consumer.end_offsets([place], timeout_ms=_ENDS_MS)[place]
        end = min(end, self._cuts.get(place, end))
        return LogEnds(first, end, max(end - self._read_to.get(place, end), 0))

    def start(self, partition: Partition, offset: int | None) -> None:
        """Seek and, unless the source is paused, fetch."""
        place = TopicPartition(*partition)
        first = self.ends(partition).first if offset is None else offset
        # Taken away again meanwhile? Then the next poll says so.
        with suppress(*NOT_ASSIGNED):
            self._begin(place, first)

    def _begin(self, place: TopicPartition, offset: int) -> None:
        self._consumer.seek(place, offset)
        self._drop(place)
        self._read_to[place] = offset
        self._held.discard(place)
        self._astray.discard(place)
        self._cuts.pop(place, None)
        if not self._paused:
            self._consumer.resume(place)

    def pause(self) -> None:
        """Stop fetching; polls keep the membership."""
        self._paused = True
        for place in self._read_to:
            with suppress(*NOT_ASSIGNED):
                self._consumer.pause(place)

    def resume(self) -> None:
        """Fetch again what was started."""
        self._paused = False
        for place in self._read_to.keys() - self._held:
            with suppress(*NOT_ASSIGNED):
                self._consumer.resume(place)

    def hold(self, partition: Partition) -> None:
        """Fetch no more of one partition until it is started again."""
        place = TopicPartition(*partition)
        self._drop(place)
        self._rest(place)

    def _rest(self, place: TopicPartition) -> None:
        self._held.add(place)
        with suppress(*NOT_ASSIGNED):
            self._consumer.pause(place)

    def lag(self) -> Mapping[Partition, int]:
        """How many records of each started partition are known to be there and were not read."""
        lag = {}
        for place, read_to in self._read_to.items():
            with suppress(*NOT_ASSIGNED):
                end = self._consumer.highwater(place)
                lag[partition_of(place)] = 0 if end is None else end - read_to
        return lag

    def commit(self, offsets: Mapping[Partition, int]) -> None:
        """Publish positions without waiting; a broker that refuses them changes nothing."""
        self._consumer.commit_async(
            {
                TopicPartition(*partition): OffsetAndMetadata(offset, "", -1)
                for partition, offset in offsets.items()
            }
        )

    def close(self) -> None:
        """Leave the group at once, so that others take over without waiting."""
        self._consumer.close(autocommit=False, timeout_ms=CLOSE_MS)
