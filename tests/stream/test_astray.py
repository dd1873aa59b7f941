"""Positions that leave the log while they are read, and partitions that leave while others wait."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace

from detector.events.record import Partition, Record
from detector.kit.errors import RecoverableError
from detector.pipeline.source import Poll
from tests.fakes.source import FakeSource
from tests.fakes.store import FakeStore, FakeTransaction
from tests.stream.test_loop import (
    LOG,
    OTHER,
    QUICK,
    Stage,
    UnreliableStore,
    eventually,
    log,
    positions,
)


class Expiring(FakeSource):
    """Its one log changes at once."""

    def replaced(self, records: Sequence[Record]) -> None:
        self.logs = {LOG: list(records)}


def test_a_position_that_leaves_the_log_is_kept_and_said_once() -> None:
    source = Expiring({LOG: log(LOG, 4)}, endless=True)
    stage = Stage(source)
    with stage.running():
        eventually(lambda: len(stage.stored()) == 4)
        source.replaced(log(LOG, 10)[7:])
        eventually(lambda: len(stage.stored()) == 7)
        source.replaced(log(LOG, 20)[15:])
        eventually(lambda: len(stage.stored()) == 12)
    assert stage.processor.processed == positions(LOG, *range(4), *range(7, 10), *range(15, 20))
    gaps = [(gap.partition, gap.first, gap.next) for gap in stage.store.tables.gaps.values()]
    assert gaps == [(LOG, 4, 7), (LOG, 10, 15)]
    assert stage.metric("log_gaps_total") == 2
    assert stage.store.tables.partitions[LOG].epoch == 1, "it is the owner's still"


def test_what_expires_while_the_database_is_away_is_noticed() -> None:
    store = UnreliableStore()
    source = Expiring({LOG: log(LOG, 3)}, endless=True)
    stage = Stage(source, store)
    with stage.running():
        eventually(lambda: len(stage.stored()) == 3)
        store.fail_before = 1_000_000
        source.replaced(log(LOG, 5))
        eventually(lambda: (stage.metric("stream_retries_total", {"port": "store"}) or 0) > 2)
        source.replaced(log(LOG, 10)[8:])
        store.fail_before = 0
        eventually(lambda: len(stage.stored()) == 7)
    assert stage.processor.processed == positions(LOG, *range(5), 8, 9)
    [gap] = store.tables.gaps.values()
    assert (gap.first, gap.next) == (5, 8)


def test_a_source_that_cannot_start_anew_is_asked_again() -> None:
    class Unwell(Expiring):
        """Fails to start a partition for the second and the third time."""

        starts = 0

        def start(self, partition: Partition, offset: int | None) -> None:
            self.starts += 1
            if self.starts in (2, 3):
                raise RecoverableError("the broker is away")
            super().start(partition, offset)

    source = Unwell({LOG: log(LOG, 4)}, endless=True)
    stage = Stage(source)
    with stage.running():
        eventually(lambda: len(stage.stored()) == 4)
        source.replaced(log(LOG, 10)[7:])
        eventually(lambda: len(stage.stored()) == 7)
    assert stage.metric("log_gaps_total") == 1
    assert source.starts == 4


def test_a_partition_that_is_sought_anew_behind_its_position_has_a_gap() -> None:
    class Silent(Expiring):
        """Says nothing of positions that have left the log, and yields nothing either."""

        def poll(self, max_records: int, timeout_s: float) -> Poll:
            return replace(super().poll(max_records, timeout_s), astray=())

    source = Silent({LOG: log(LOG, 4)}, endless=True)
    stage = Stage(source, policy=replace(QUICK, stall_seconds=0.05))
    with stage.running():
        eventually(lambda: len(stage.stored()) == 4)
        source.replaced(log(LOG, 10)[7:])
        eventually(lambda: len(stage.stored()) == 7)
    [gap] = stage.store.tables.gaps.values()
    assert (gap.first, gap.next) == (4, 7)
    assert stage.metric("partition_stalls_total") == 1


def test_a_partition_that_is_taken_away_while_another_is_claimed_is_not_claimed() -> None:
    class Away(FakeStore):
        """Refuses the first claim once, during which the other partition is taken away."""

        refused = False

        @contextmanager
        def transaction(self) -> Iterator[FakeTransaction]:
            if not self.refused:
                self.refused = True
                stage.source.revoked.append(OTHER)
                raise RecoverableError("the database is away")
            with super().transaction() as transaction:
                yield transaction

    stage = Stage(FakeSource({LOG: log(LOG, 3), OTHER: []}, endless=True), Away())
    with stage.running():
        eventually(lambda: len(stage.stored()) == 3)
    assert set(stage.store.tables.partitions) == {LOG}
    assert stage.metric("partitions_owned") == 1
