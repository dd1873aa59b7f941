"""A log that ends before what was read of it: it was cut, or the topic was made anew."""

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace

import msgspec
import pytest
from prometheus_client import CollectorRegistry

from detector.events.decode import Decoder
from detector.events.record import Position, Record
from detector.kit.clock import SystemClock
from detector.kit.errors import RecoverableError
from detector.kit.metrics import StreamMetrics
from detector.pipeline.detect import build_detection
from detector.pipeline.source import Poll
from detector.pipeline.triage import Triage, TriagePolicy
from detector.pipeline.work import PartitionProcessor, Parts
from detector.stream.loop import Loop
from tests.fakes.clock import SetClock
from tests.fakes.source import FakeSource
from tests.fakes.store import FakeStore, FakeTransaction
from tests.pipeline.test_detect import LEARNING
from tests.pipeline.test_work import copies, records
from tests.stream.test_loop import LOG, QUICK, Stage, eventually, log, positions

READ = 200
CUT = 120


def processor() -> PartitionProcessor:
    clock = SetClock()
    metrics = StreamMetrics(CollectorRegistry())
    triage = Triage(TriagePolicy(), clock)
    detection = lambda: build_detection(LEARNING)  # noqa: E731 - a factory in one line
    return PartitionProcessor(Parts(Decoder(), detection, triage, clock, metrics))


def read(store: FakeStore, records: Sequence[Record]) -> None:
    """Let a worker read a log to its end, from what the store holds."""
    source = FakeSource({LOG: records})
    metrics = StreamMetrics(CollectorRegistry())
    policy = replace(QUICK, batch_records=50)
    Loop(
        source, store, processor(), SystemClock(), metrics, threading.Event(), policy
    ).run()  # fmt: skip


def state(store: FakeStore) -> object:
    """The clients' state as the last snapshot has it, byte for byte."""
    info = store.tables.snapshots[LOG][-1][0]
    assert info.offset == store.tables.partitions[LOG].next_offset
    with store.transaction() as transaction:
        snapshot = processor().open(transaction, LOG).snapshot(whole=True)
    assert snapshot is not None
    return tuple(snapshot.parts)


def told(store: FakeStore) -> object:
    tables = store.tables
    summaries = {key: [e.summary for e in entries] for key, entries in tables.entries.items()}
    return tables.incidents.keys(), summaries, tables.outbox.keys(), tables.dead_letters.keys()


@pytest.mark.parametrize("written", [records, copies])
def test_a_log_that_was_cut_is_counted_once_into_state_and_incidents(
    written: Callable[[], list[Record]],
) -> None:
    whole, cut = FakeStore(), FakeStore()
    read(whole, written())
    read(cut, written()[:READ])
    read(cut, written()[:CUT])
    assert cut.tables.partitions[LOG].next_offset == CUT
    read(cut, written())
    assert cut.tables.partitions[LOG].next_offset == whole.tables.partitions[LOG].next_offset
    assert cut.tables.counts == whole.tables.counts
    assert state(cut) == state(whole)
    assert told(cut) == told(whole)
    [gap] = cut.tables.gaps.values()
    assert (gap.first, gap.next) == (READ, 0)


def test_a_topic_made_anew_begins_with_blank_clients_and_all_its_records() -> None:
    alone, anew = FakeStore(), FakeStore()
    other = [
        msgspec.structs.replace(record, position=Position(*LOG, n))
        for n, record in enumerate(copies()[CUT:READ])
    ]
    read(alone, other)
    read(anew, copies()[:READ])
    read(anew, other)
    assert anew.tables.counts == alone.tables.counts
    assert state(anew) == state(alone)


def test_a_log_that_ends_between_the_snapshot_and_the_stored_position_is_another_one() -> None:
    store = FakeStore()
    Stage(FakeSource({LOG: log(LOG, 4)}), store).loop.run()
    with store.transaction() as transaction:
        transaction.partitions.advance(transaction.partitions.claim(LOG), 8)
    store.tables.dead_letters.clear()
    stage = Stage(FakeSource({LOG: log(LOG, 6)}), store)
    stage.loop.run()
    assert stage.processor.processed == positions(LOG, *range(6)), "all have effects"
    assert stage.processor.works[-1].state == [*range(6)], "and none stands twice in the state"
    assert stage.position() == 6
    assert stage.metric("states_lost_total") == 1
    assert stage.metric("log_gaps_total") == 1


def test_a_log_that_is_cut_while_it_is_read_is_begun_anew() -> None:
    source = FakeSource({LOG: log(LOG, 9)}, endless=True)
    stage = Stage(source)
    with stage.running():
        eventually(lambda: len(stage.stored()) == 9)
        stage.store.tables.dead_letters.clear()
        source.logs[LOG] = log(LOG, 3)
        eventually(lambda: len(stage.stored()) == 3)
        source.logs[LOG] += log(LOG, 12)[3:]
        eventually(lambda: len(stage.stored()) == 12)
    assert stage.processor.works[-1].state == [*range(12)]
    assert stage.store.tables.snapshots[LOG][-1][0].offset == 12
    [gap] = stage.store.tables.gaps.values()
    assert (gap.first, gap.next) == (9, 0)
    assert stage.metric("log_gaps_total") == 1


def test_what_a_worker_leaves_that_ends_just_then_is_read_as_new() -> None:
    store = FakeStore()
    Stage(FakeSource({LOG: log(LOG, 9)}), store).loop.run()
    store.tables.dead_letters.clear()

    class Ending(FakeSource):
        """Ends its worker once what was known of the log is given up."""

        def poll(self, max_records: int, timeout_s: float) -> Poll:
            if LOG in store.tables.partitions and stage.position() is None:
                stage.stop.set()
            return super().poll(max_records, timeout_s)

    stage = Stage(Ending({LOG: log(LOG, 3)}), store)
    stage.loop.run()
    assert stage.position() is None
    assert LOG not in store.tables.snapshots
    again = Stage(FakeSource({LOG: log(LOG, 12)}), store)
    again.loop.run()
    assert again.processor.processed == positions(LOG, *range(12))
    assert again.processor.works[-1].state == [*range(12)]


def test_a_stop_while_it_is_in_doubt_whether_a_log_was_given_up_stores_nothing_of_it() -> None:
    class Doubtful(FakeStore):
        """Gives the log up, says that the connection broke, and asks for a stop."""

        @contextmanager
        def transaction(self) -> Iterator[FakeTransaction]:
            gaps = len(self.tables.gaps)
            with super().transaction() as transaction:
                yield transaction
            if len(self.tables.gaps) > gaps:
                stage.stop.set()
                raise RecoverableError("the connection broke behind the commit")

    source = FakeSource({LOG: log(LOG, 9)}, endless=True)
    stage = Stage(source, Doubtful())
    with stage.running():
        eventually(lambda: len(stage.stored()) == 9)
        source.logs[LOG] = log(LOG, 3)
        eventually(stage.stop.is_set)
    assert stage.position() is None
    assert LOG not in stage.store.tables.snapshots
