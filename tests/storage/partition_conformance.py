"""What every `Store` must do about partitions: owners, positions, counts, gaps, snapshots."""

from dataclasses import replace

import pytest

from detector.events.model import ModelKey
from detector.events.record import Partition
from detector.kit.errors import ConflictError, NotFoundError, StaleEpochError
from detector.pipeline.partitions import Adoption, LogGap, NewSnapshot
from detector.pipeline.ports import IncidentQuery, Store
from tests.storage.shapes import NOW, opened

HERE = Partition("predictions", 0)


def snapshot(offset: int, whole: bool, *parts: bytes) -> NewSnapshot:
    return NewSnapshot(offset, whole, b"header %d" % offset, parts)


class PartitionConformance:
    """The part of the suite that concerns partitions."""

    def test_a_claim_raises_the_epoch_and_keeps_the_position(self, store: Store) -> None:
        with store.transaction() as transaction:
            first = transaction.partitions.claim(HERE)
            transaction.partitions.advance(first, 42)
        with store.transaction() as transaction:
            second = transaction.partitions.claim(HERE)
            assert (first.epoch, first.next_offset) == (1, None)
            assert (second.epoch, second.next_offset) == (2, 42)
            assert transaction.partitions.positions() == {HERE: 42}

    def test_a_stale_epoch_writes_nothing(self, store: Store) -> None:
        with store.transaction() as transaction:
            stale = transaction.partitions.claim(HERE)
            transaction.partitions.claim(HERE)

        def write_under_a_stale_epoch() -> None:
            with store.transaction() as transaction:
                transaction.incidents.save(opened())
                transaction.partitions.advance(stale, 10)

        with pytest.raises(StaleEpochError):
            write_under_a_stale_epoch()
        with store.transaction() as transaction:
            assert transaction.incidents.count(IncidentQuery()) == 0
            assert transaction.partitions.positions() == {}

    def test_a_position_never_claimed_cannot_advance(self, store: Store) -> None:
        with store.transaction() as transaction:
            elsewhere = transaction.partitions.claim(HERE)
            unknown = replace(elsewhere, partition=Partition("predictions", 1))
            with pytest.raises(StaleEpochError):
                transaction.partitions.advance(unknown, 1)

    def test_counts_grow_with_the_position_and_once_a_batch(self, store: Store) -> None:
        with store.transaction() as transaction:
            ownership = transaction.partitions.claim(HERE)
            transaction.partitions.advance(ownership, 10, 7, 3)
        with store.transaction() as transaction:
            transaction.partitions.advance(ownership, 10, 7, 3)
            transaction.partitions.advance(ownership, 12, 2, 0)
            assert transaction.partitions.counts()[HERE] == (9, 3)

    def test_a_rewound_partition_begins_again(self, store: Store) -> None:
        with store.transaction() as transaction:
            ownership = transaction.partitions.claim(HERE)
            transaction.partitions.advance(ownership, 10, 7, 3)
            assert transaction.partitions.rewind(ownership).next_offset is None
            assert transaction.partitions.counts()[HERE] == (0, 0)
            assert HERE not in transaction.partitions.positions()

    def test_a_gap_is_noted_once(self, store: Store) -> None:
        gap = LogGap(HERE, 5, 9, NOW)
        with store.transaction() as transaction:
            transaction.partitions.note_gap(gap)
            transaction.partitions.note_gap(gap)
            assert transaction.partitions.gaps() == [gap]

    def test_a_snapshot_comes_back_with_all_that_it_rests_on(self, store: Store) -> None:
        with store.transaction() as transaction:
            ownership = transaction.partitions.claim(HERE)
            first = transaction.snapshots.save(ownership, snapshot(10, True, b"a", b"b"))
            second = transaction.snapshots.save(ownership, snapshot(20, False, b"cc"))
        assert first == (1, 1, 10, 2, 2, 2)
        assert second == (2, 1, 20, 2, 2, 4)
        with store.transaction() as transaction:
            kept = transaction.snapshots.kept(HERE)
            assert [*kept] == [second, first]
            assert transaction.snapshots.header(HERE, 2) == b"header 20"
            assert [*transaction.snapshots.parts(HERE, second)] == [b"a", b"b", b"cc"]
            assert [*transaction.snapshots.parts(HERE, first)] == [b"a", b"b"]
            assert [*transaction.snapshots.kept(Partition("elsewhere", 0))] == []
            with pytest.raises(NotFoundError):
                transaction.snapshots.header(HERE, 9)

    def test_the_snapshot_before_is_kept_and_older_ones_go(self, store: Store) -> None:
        with store.transaction() as transaction:
            ownership = transaction.partitions.claim(HERE)
            for offset, whole in ((10, True), (20, False), (30, True), (40, False), (50, True)):
                transaction.snapshots.save(ownership, snapshot(offset, whole, b"%d" % offset))
            newest, before = transaction.snapshots.kept(HERE)
            assert [*transaction.snapshots.parts(HERE, newest)] == [b"50"]
            assert [*transaction.snapshots.parts(HERE, before)] == [b"30", b"40"]

    def test_a_stale_owner_saves_no_snapshot(self, store: Store) -> None:
        with store.transaction() as transaction:
            stale = transaction.partitions.claim(HERE)
            transaction.partitions.claim(HERE)
        with pytest.raises(StaleEpochError), store.transaction() as transaction:
            transaction.snapshots.save(stale, snapshot(10, True, b"a"))
        with store.transaction() as transaction:
            assert not transaction.snapshots.kept(HERE)

    def test_what_changed_is_nothing_without_a_whole_snapshot(self, store: Store) -> None:
        with store.transaction() as transaction:
            ownership = transaction.partitions.claim(HERE)
            with pytest.raises(ConflictError):
                transaction.snapshots.save(ownership, snapshot(10, False, b"a"))

    def test_adoptions_come_back_in_order_until_no_snapshot_needs_them(self, store: Store) -> None:
        model = ModelKey("", "credit")
        with store.transaction() as transaction:
            ownership = transaction.partitions.claim(HERE)
            for offset, digest in ((30, "c"), (10, "a"), (20, "b"), (20, "b")):
                transaction.snapshots.adopt(ownership, Adoption(offset, model, digest))
            kept = transaction.snapshots.adoptions(HERE, 20)
            assert [*kept] == [Adoption(20, model, "b"), Adoption(30, model, "c")]
            for offset in (15, 25, 35):
                transaction.snapshots.save(ownership, snapshot(offset, True, b"x"))
            assert [item.digest for item in transaction.snapshots.adoptions(HERE, 0)] == ["c"]
            transaction.snapshots.clear(HERE)
            assert not transaction.snapshots.adoptions(HERE, 0)
            assert not transaction.snapshots.kept(HERE)
