import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

import pytest
from prometheus_client import CollectorRegistry

from detector.events.record import Partition, Position, Record
from detector.kit.clock import SystemClock
from detector.kit.errors import RecoverableError
from detector.kit.metrics import StreamMetrics
from detector.pipeline.source import Poll
from detector.stream.loop import Loop
from detector.stream.policy import LoopPolicy
from tests.fakes.source import FakeSource
from tests.fakes.store import FakeStore, FakeTransaction
from tests.fakes.work import Recorder

PATIENCE = 180.0
"""Seconds: rebalances are slow where several brokers share a few cores."""

LOG = Partition("log", 0)
OTHER = Partition("log", 1)
QUICK = LoopPolicy(
    batch_records=3,
    poll_seconds=0.01,
    first_backoff_seconds=0.001,
    longest_backoff_seconds=0.01,
)


def log(partition: Partition, count: int) -> list[Record]:
    return [Record(Position(*partition, n), b"poison" if n == 4 else b"ok") for n in range(count)]


class UnreliableStore(FakeStore):
    """Fails as often as told, before the transaction or at its commit."""

    def __init__(self, fail_before: int = 0, fail_at_commit: int = 0) -> None:
        super().__init__()
        self.fail_before, self.fail_at_commit = fail_before, fail_at_commit
        self.opened = 0

    @contextmanager
    def transaction(self) -> Iterator[FakeTransaction]:
        self.opened += 1
        if self.fail_before:
            self.fail_before -= 1
            raise RecoverableError("the database is away")
        with super().transaction() as transaction:
            yield transaction
            if self.fail_at_commit:
                self.fail_at_commit -= 1
                raise RecoverableError("the connection broke at the commit")


class Stage:
    """A loop with everything around it."""

    def __init__(
        self, source: FakeSource, store: FakeStore | None = None, policy: LoopPolicy = QUICK
    ) -> None:
        self.source, self.store, self.processor = source, store or FakeStore(), Recorder()
        self.stop, self.registry = threading.Event(), CollectorRegistry()
        self.loop = Loop(
            source,
            self.store,
            self.processor,
            SystemClock(),
            StreamMetrics(self.registry),
            self.stop,
            policy,
        )

    def stored(self) -> list[Position]:
        return sorted(self.store.tables.dead_letters)

    def position(self, partition: Partition = LOG) -> int | None:
        return self.store.tables.partitions[partition].next_offset

    def metric(self, name: str, labels: dict[str, str] | None = None) -> float | None:
        return self.registry.get_sample_value(f"querywatch_{name}", labels)

    @contextmanager
    def running(self) -> Iterator[None]:
        thread = threading.Thread(target=self.loop.run)
        thread.start()
        try:
            yield
        finally:
            self.stop.set()
            thread.join(10)
            assert not thread.is_alive(), "the loop did not stop"


def eventually(condition: object) -> None:
    assert callable(condition)
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline, "it never happened"
        time.sleep(0.005)


def positions(partition: Partition, *offsets: int) -> list[Position]:
    return [Position(*partition, offset) for offset in offsets]


def test_every_record_is_stored_once_and_counted() -> None:
    stage = Stage(FakeSource({LOG: log(LOG, 10), OTHER: log(OTHER, 2)}))
    stats = stage.loop.run()
    assert stage.stored() == positions(LOG, *range(10)) + positions(OTHER, 0, 1)
    assert (stage.position(LOG), stage.position(OTHER)) == (10, 2)
    assert stage.source.committed == {LOG: 10, OTHER: 2}
    assert (stats.events, stats.rejected, stats.clients) == (11, {"poison": 1}, 14)
    assert stage.metric("events_total") == 11
    assert (stage.metric("records_repeated_total") or 0) >= 3
    assert (stage.metric("unknown_fields_total") or 0) >= 2
    assert (stage.metric("drift_alarms_total") or 0) >= 1
    assert stage.metric("records_rejected_total", {"reason": "poison"}) == 1
    assert stage.metric("last_event_timestamp_seconds") == 1_700_000_000
    assert stage.source.closed


def test_reading_goes_on_at_the_stored_position() -> None:
    store = FakeStore()
    with store.transaction() as transaction:
        transaction.partitions.advance(transaction.partitions.claim(LOG), 6)
    stage = Stage(FakeSource({LOG: log(LOG, 10)}), store)
    stage.loop.run()
    assert stage.processor.processed == positions(LOG, 6, 7, 8, 9)


@pytest.mark.parametrize("fault", ["fail_before", "fail_at_commit"])
def test_a_database_that_is_away_costs_and_doubles_nothing(fault: str) -> None:
    store = UnreliableStore()
    stage = Stage(FakeSource({LOG: log(LOG, 10)}, endless=True), store)
    with stage.running():
        eventually(lambda: stage.processor.processed)
        setattr(store, fault, 5)
        eventually(lambda: len(stage.stored()) == 10)
    assert stage.processor.processed == positions(LOG, *range(10)), "detection saw each once"
    assert stage.position() == 10


def test_a_database_away_from_the_start_delays_the_claim() -> None:
    stage = Stage(FakeSource({LOG: log(LOG, 5)}), UnreliableStore(fail_before=4))
    stage.loop.run()
    assert stage.stored() == positions(LOG, *range(5))
    assert stage.metric("stream_retries_total", {"port": "store"}) == 4


def test_the_source_keeps_being_polled_while_the_database_is_away() -> None:
    store = UnreliableStore(fail_before=1_000_000)
    stage = Stage(FakeSource({LOG: log(LOG, 5)}), store)
    with stage.running():
        eventually(lambda: stage.source.polls > 20)
        assert not stage.processor.processed
        store.fail_before = 0
        eventually(lambda: len(stage.stored()) == 5)


def test_a_source_that_fails_is_polled_again() -> None:
    stage = Stage(FakeSource({LOG: log(LOG, 5)}))
    stage.source.failure = RecoverableError("the broker is away")
    stage.loop.run()
    assert stage.stored() == positions(LOG, *range(5))
    assert stage.metric("stream_retries_total", {"port": "source"}) == 1


def test_a_stale_epoch_costs_that_partition_alone() -> None:
    stage = Stage(FakeSource({LOG: [], OTHER: []}, endless=True))
    with stage.running():
        eventually(lambda: stage.metric("partitions_owned") == 2)
        with stage.store.transaction() as transaction:
            winner = transaction.partitions.claim(LOG)
        stage.source.logs[LOG] += log(LOG, 3)
        stage.source.logs[OTHER] += log(OTHER, 3)
        eventually(lambda: len(stage.stored()) == 3)
        eventually(lambda: stage.metric("partitions_lost_total") == 1)
    assert stage.stored() == positions(OTHER, 0, 1, 2), "nothing was written under a stale epoch"
    assert stage.store.tables.partitions[LOG] == winner
    assert stage.metric("partitions_owned") == 1
    assert stage.store.tables.snapshots.keys() <= {OTHER}


def test_a_partition_that_another_only_claimed_too_late_is_claimed_back() -> None:
    policy = replace(QUICK, reclaim_seconds=0.05)
    stage = Stage(FakeSource({LOG: log(LOG, 2)}, endless=True), policy=policy)
    with stage.running():
        eventually(lambda: len(stage.stored()) == 2)
        with stage.store.transaction() as transaction:
            transaction.partitions.claim(LOG)
        stage.source.logs[LOG] += log(LOG, 6)[2:]
        eventually(lambda: len(stage.stored()) == 6)
    assert stage.store.tables.partitions[LOG].epoch == 3
    assert stage.metric("partitions_lost_total") == 1


def test_a_revoked_partition_is_forgotten_and_a_returned_one_claimed_anew() -> None:
    stage = Stage(FakeSource({LOG: log(LOG, 2)}, endless=True))
    with stage.running():
        eventually(lambda: len(stage.stored()) == 2)
        stage.source.revoked.append(LOG)
        eventually(lambda: stage.metric("partitions_owned") == 0)
        stage.source.logs[LOG] += log(LOG, 4)[2:]
        stage.source.assigned.append(LOG)
        eventually(lambda: len(stage.stored()) == 4)
    assert stage.store.tables.partitions[LOG].epoch == 2


def test_work_for_a_partition_that_is_revoked_while_waiting_is_given_up() -> None:
    store = UnreliableStore()
    stage = Stage(FakeSource({LOG: []}, endless=True), store)
    with stage.running():
        eventually(lambda: stage.metric("partitions_owned") == 1)
        store.fail_before = 1_000_000
        stage.source.logs[LOG] += log(LOG, 3)
        eventually(lambda: stage.processor.processed)
        stage.source.revoked.append(LOG)
        eventually(lambda: stage.metric("partitions_owned") == 0)
        store.fail_before = 0
    assert not stage.stored()


def test_an_idle_loop_opens_no_transaction_and_beats() -> None:
    store = UnreliableStore()
    stage = Stage(FakeSource({LOG: []}, endless=True), store)
    with stage.running():
        eventually(lambda: stage.source.polls > 20)
        assert store.opened == 1, "the claim"
    assert (stage.metric("stream_heartbeat_timestamp_seconds") or 0) > time.time() - 60


def test_it_stops_while_the_database_is_away() -> None:
    stage = Stage(FakeSource({LOG: log(LOG, 5)}), UnreliableStore(fail_before=1_000_000))
    with stage.running():
        eventually(lambda: stage.metric("stream_retries_total", {"port": "store"}))
    assert stage.source.closed


def test_a_batch_that_a_stop_left_unstored_is_in_no_snapshot() -> None:
    class Back(UnreliableStore):
        """Away for one outcome, during which a stop is asked for, and there again."""

        @contextmanager
        def transaction(self) -> Iterator[FakeTransaction]:
            if self.opened == 2:
                stage.stop.set()
                self.fail_before = 1
            with super().transaction() as transaction:
                yield transaction

    store = Back()
    stage = Stage(FakeSource({LOG: log(LOG, 9)}, endless=True), store)
    stage.loop.run()
    assert stage.position() == 3
    kept = store.tables.snapshots.get(LOG, ())
    assert all(info.offset <= 3 for info, _, _ in kept)
    Stage(FakeSource({LOG: log(LOG, 9)}), store).loop.run()
    assert stage.stored() == positions(LOG, *range(9))


def test_the_next_batch_is_taken_in_while_one_is_written() -> None:
    class Slow(FakeStore):
        """Writes no outcome before the next batch has been taken in."""

        @contextmanager
        def transaction(self) -> Iterator[FakeTransaction]:
            if threading.current_thread() is not threading.main_thread():
                first = not stage.stored()
                eventually(lambda: len(stage.processor.processed) > 3 or not first)
            with super().transaction() as transaction:
                yield transaction

    stage = Stage(FakeSource({LOG: log(LOG, 9)}), Slow())
    stage.loop.run()
    assert stage.stored() == positions(LOG, *range(9))


def test_any_other_error_stops_the_worker_and_stores_nothing() -> None:
    stage = Stage(FakeSource({LOG: log(LOG, 5)}))
    stage.source.failure = ValueError("a defect")
    with pytest.raises(ValueError, match="a defect"):
        stage.loop.run()
    assert stage.source.closed
    assert not stage.stored()


ALWAYS = replace(QUICK, snapshot_seconds=0.0, snapshot_share=1.0)


def test_state_is_kept_and_reading_begins_where_it_stands() -> None:
    store = FakeStore()
    Stage(FakeSource({LOG: log(LOG, 10)}), store).loop.run()
    [(info, header, _)] = store.tables.snapshots[LOG]
    assert (info.offset, header) == (10, b"0 1 2 3 4 5 6 7 8 9")
    stage = Stage(FakeSource({LOG: log(LOG, 12)}), store)
    stage.loop.run()
    assert stage.processor.processed == positions(LOG, 10, 11)
    assert stage.processor.works[0].state == [*range(12)]


def test_records_behind_the_snapshot_are_taken_in_again_without_effects() -> None:
    store = FakeStore()
    Stage(FakeSource({LOG: log(LOG, 4)}), store).loop.run()
    with store.transaction() as transaction:
        transaction.partitions.advance(transaction.partitions.claim(LOG), 8)
    stage = Stage(FakeSource({LOG: log(LOG, 10)}), store)
    stage.loop.run()
    assert stage.processor.works[0].state == [*range(10)]
    assert stage.processor.processed == positions(LOG, 8, 9)
    assert stage.metric("records_replayed_total") == 4
    assert store.tables.counts[LOG].events == 4 + 2


def test_snapshots_come_as_the_time_they_take_allows() -> None:
    stage = Stage(FakeSource({LOG: log(LOG, 30)}), policy=ALWAYS)
    stage.loop.run()
    assert len(stage.processor.saved) == 10
    assert [info.offset for info in stage.processor.saved] == [*range(3, 31, 3)]
    none = Stage(
        FakeSource({LOG: log(LOG, 30)}), policy=replace(QUICK, snapshot_seconds=float("inf"))
    )
    none.loop.run()
    assert none.processor.saved == []


def test_a_partition_taken_away_leaves_its_state_behind() -> None:
    stage = Stage(FakeSource({LOG: log(LOG, 5)}, endless=True))
    with stage.running():
        eventually(lambda: len(stage.stored()) == 5)
        assert LOG not in stage.store.tables.snapshots
        stage.source.revoked.append(LOG)
        eventually(lambda: LOG in stage.store.tables.snapshots)
        assert stage.store.tables.snapshots[LOG][-1][0].offset == 5


def test_a_partition_taken_away_while_its_batch_is_written_leaves_all_of_it_behind() -> None:
    class Taking(FakeSource):
        """Takes the partition away at the first poll behind its first batch."""

        def poll(self, max_records: int, timeout_s: float) -> Poll:
            if stage.processor.processed and self.committed == {}:
                self.revoked.append(LOG)
                self.committed = {OTHER: 0}
            return super().poll(max_records, timeout_s)

    class Slow(FakeStore):
        """Ends an outcome's transaction when the partition is gone."""

        @contextmanager
        def transaction(self) -> Iterator[FakeTransaction]:
            with super().transaction() as transaction:
                if stage.processor.processed and not stage.stored():
                    eventually(lambda: stage.metric("partitions_owned") == 0)
                yield transaction

    stage = Stage(Taking({LOG: log(LOG, 3)}, endless=True), Slow())
    with stage.running():
        eventually(lambda: LOG in stage.store.tables.snapshots)
    assert stage.position() == 3
    assert stage.store.tables.snapshots[LOG][-1][0].offset == 3


def test_what_is_to_be_stored_does_not_wait_for_the_source() -> None:
    class Away(FakeSource):
        """Fails from the first poll behind the first batch on."""

        def poll(self, max_records: int, timeout_s: float) -> Poll:
            if stage.processor.processed and not stage.stored():
                raise RecoverableError("the broker is away")
            return super().poll(max_records, timeout_s)

    class Busy(FakeStore):
        """Refuses an outcome once."""

        refused = False

        @contextmanager
        def transaction(self) -> Iterator[FakeTransaction]:
            if stage.processor.processed and not self.refused:
                self.refused = True
                raise RecoverableError("the row is locked")
            with super().transaction() as transaction:
                yield transaction

    stage = Stage(Away({LOG: log(LOG, 3)}), Busy())
    stage.loop.run()
    assert stage.stored() == positions(LOG, 0, 1, 2)


def test_a_process_ends_while_a_write_hangs() -> None:
    lines = (
        "import threading",
        "hung = threading.Event()",
        "from tests.stream.test_loop import LOG, FakeSource, FakeStore, Stage, log",
        "class Hung(FakeStore):",
        "    def transaction(self):",
        "        if stage.processor.processed: hung.set(); threading.Event().wait()",
        "        return super().transaction()",
        "stage = Stage(FakeSource({LOG: log(LOG, 3)}), Hung())",
        "threading.Thread(target=stage.loop.run, daemon=True).start()",
        "assert hung.wait(60)",
    )
    subprocess.run([sys.executable, "-c", "\n".join(lines)], check=True, timeout=PATIENCE)


def test_a_stale_owner_stores_no_snapshot() -> None:
    stage = Stage(FakeSource({LOG: log(LOG, 5)}, endless=True))
    with stage.running():
        eventually(lambda: len(stage.stored()) == 5)
        with stage.store.transaction() as transaction:
            transaction.partitions.claim(LOG)
        stage.source.revoked.append(LOG)
        eventually(lambda: stage.metric("partitions_lost_total") == 1)
    assert LOG not in stage.store.tables.snapshots


def test_a_gap_in_the_log_is_kept_and_said() -> None:
    store = FakeStore()
    Stage(FakeSource({LOG: log(LOG, 4)}), store).loop.run()
    stage = Stage(FakeSource({LOG: log(LOG, 10)[7:]}), store)
    stage.loop.run()
    assert stage.processor.processed == positions(LOG, 7, 8, 9)
    [gap] = store.tables.gaps.values()
    assert (gap.partition, gap.first, gap.next) == (LOG, 4, 7)
    assert stage.metric("log_gaps_total") == 1


def test_a_partition_of_poison_is_held_and_its_neighbour_goes_on() -> None:
    poison = [Record(Position(*LOG, n), b"poison") for n in range(60)]
    policy = replace(QUICK, letter_window=12)
    stage = Stage(FakeSource({LOG: poison, OTHER: log(OTHER, 40)}), policy=policy)
    stage.loop.run()
    held, read = stage.position(), stage.position(OTHER)
    assert held is not None
    assert 12 <= held < 20
    assert read == 40
    assert stage.metric("partitions_held") == 1


def test_a_partition_that_stands_still_is_sought_anew() -> None:
    class Stuck(FakeSource):
        """Hands out nothing until it is started a second time."""

        def __init__(self) -> None:
            super().__init__({LOG: log(LOG, 5)}, endless=True)
            self.starts: list[int | None] = []

        def start(self, partition: Partition, offset: int | None) -> None:
            self.starts.append(offset)
            super().start(partition, offset)
            if len(self.starts) == 1:
                self.hold(partition)

    source = Stuck()
    stage = Stage(source, policy=replace(QUICK, stall_seconds=0.05))
    with stage.running():
        eventually(lambda: len(stage.stored()) == 5)
    assert source.starts == [0, 0]
    assert stage.metric("partition_stalls_total") == 1


def test_newly_activated_references_are_looked_for() -> None:
    stage = Stage(FakeSource({LOG: []}, endless=True), policy=replace(QUICK, refresh_seconds=0.0))
    with stage.running():
        eventually(lambda: stage.processor.works and stage.processor.works[0].looked > 3)
