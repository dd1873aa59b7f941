"""How long a partition's state takes to come back from PostgreSQL."""

import statistics
import time
from typing import NamedTuple

from prometheus_client import CollectorRegistry

from detector.events.record import Partition, Position, Record
from detector.kit.metrics import StreamMetrics
from detector.pipeline.detect import Detector
from detector.pipeline.partitions import SnapshotInfo
from detector.pipeline.ports import Store
from detector.pipeline.work import PartitionProcessor
from detector.reference.picture import Reference
from detector.storage.store import open_store
from tests.bench import traffic
from tests.bench.consume import prepared
from tests.bench.growth import in_random_turns, pool, take
from tests.bench.stages import new_detector, parts

PARTITION = Partition("recovery", 0)
LIFE = 16
"""Queries of each client: what is remembered of one with so many fields is nearly full then."""


class Recovery(NamedTuple):
    """Seconds to store a whole snapshot and to restore it, and its bytes."""

    save_seconds: float
    restore_seconds: float
    size: int


def recovery(postgres: str, reference: Reference, clients: int, rounds: int) -> Recovery:
    """Store the state of so many clients once, and take it up so many times."""
    with prepared(postgres, reference) as (url, _):
        store = open_store(url)
        filled = new_detector(reference)
        take(filled, pool(), in_random_turns(clients, LIFE))
        began = time.perf_counter()
        info = _save(store, filled)
        saving = time.perf_counter() - began
        times = [_restore(store, reference, filled.clients()) for _ in range(rounds)]
        store.close()
    return Recovery(saving, statistics.median(times), info.chain_size)


def _processor(detector: Detector) -> PartitionProcessor:
    return PartitionProcessor(parts(lambda: detector, StreamMetrics(CollectorRegistry())))


def _save(store: Store, filled: Detector) -> SnapshotInfo:
    """Let a partition end with this state after one record."""
    value = next(traffic.bodies(1, 1, attackers=0, seed=7))
    with store.transaction() as transaction:
        work = _processor(filled).open(transaction, PARTITION)
        work.process([Record(Position(*PARTITION, 0), value)]).apply(transaction)
        snapshot = work.snapshot()
        if snapshot is None:
            raise RuntimeError("there is no state to store")
        return transaction.snapshots.save(work.ownership, snapshot)


def _restore(store: Store, reference: Reference, clients: int) -> float:
    blank = new_detector(reference)
    began = time.perf_counter()
    with store.transaction() as transaction:
        work = _processor(blank).open(transaction, PARTITION)
    seconds = time.perf_counter() - began
    if work.clients() != clients:
        raise RuntimeError(f"{clients} clients were stored, {work.clients()} came back")
    return seconds
