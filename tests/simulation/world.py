"""A log, a database and workers, all of which can fail as one seed decides."""

import random
import threading
from collections.abc import Callable
from concurrent.futures import Executor, Future
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from typing import Any

from prometheus_client import CollectorRegistry

from detector.events.decode import Decoder
from detector.events.record import Partition
from detector.kit.metrics import StreamMetrics
from detector.pipeline.detect import build_detection
from detector.pipeline.learning import DetectionPolicy
from detector.pipeline.ports import ReferenceInfo, ReferenceStatus
from detector.pipeline.triage import Triage, TriagePolicy
from detector.pipeline.work import PartitionProcessor, Parts
from detector.stream.loop import Loop
from detector.stream.policy import LoopPolicy
from tests.fakes.clock import SetClock
from tests.fakes.store import FakeStore
from tests.scoring.traffic import MODEL, reference
from tests.simulation.logs import PARTITIONS, log
from tests.simulation.ports import Consumer, Database, Waiting
from tests.simulation.turns import Turn

PATIENCE = 20_000
SPOILT = b"spoilt"
START = datetime(2026, 1, 1, tzinfo=UTC)


class Worker:
    """A process: its turn, what the group gave it, and where it reads."""

    def __init__(self, world: "World") -> None:
        self.world = world
        self.stop = threading.Event()
        self.assigned: list[Partition] = []
        self.revoked: list[Partition] = []
        self.asleep = 0
        self.reading: dict[Partition, int] = {}
        self.astray: set[Partition] = set()
        self.paused = False
        self.beside = Beside(world)
        self.turn = Turn(self._run)

    def _run(self) -> None:
        world = self.world
        processor = PartitionProcessor(world.parts())
        clock, metrics = Waiting(self), StreamMetrics(CollectorRegistry())
        store = Database(self)
        consumer, chance = Consumer(self), random.Random(world.chance.random())
        loop = Loop(
            consumer, store, processor, clock, metrics, self.stop, world.policy, chance, self.beside
        )  # fmt: skip
        loop.run()

    @property
    def alive(self) -> bool:
        """Whether it still runs."""
        return not self.turn.ended


class Beside(Executor):
    """What the worker writes beside its loop: at once, at a later poll, or when it is waited for.

    In the worker's own thread, so that it can be killed in there.
    """

    def __init__(self, world: "World") -> None:
        self._world = world
        self._latest: Later | None = None

    def submit(self, work: Callable[..., Any], /, *args: Any, **kwargs: Any) -> "Later":
        assert self._latest is None or self._latest.done(), "two at a time"
        self._latest = Later(partial(work, *args, **kwargs))
        self.perhaps()
        return self._latest

    def perhaps(self) -> None:
        """Let what was submitted happen now, or not yet."""
        if self._latest is not None and self._world.chance.random() < 0.4:
            self._latest.happen()


class Later(Future[Any]):
    """Happens once, at the latest when its result is asked for."""

    def __init__(self, work: Callable[[], object]) -> None:
        super().__init__()
        self._work = work

    def happen(self) -> None:
        """Let it happen, unless it has."""
        if self.done():
            return
        try:
            self.set_result(self._work())
        except Exception as error:
            self.set_exception(error)

    def result(self, timeout: float | None = None) -> Any:
        self.happen()
        return super().result(timeout)


@dataclass
class Faults:
    """How likely each thing is at each chance it has; all 0 in a calm world."""

    poll: float = 0.0
    again: float = 0.0
    begin: float = 0.0
    commit: float = 0.0
    doubt: float = 0.0
    kill_at_commit: float = 0.0
    kill: float = 0.0
    stop: float = 0.0
    rebalance: float = 0.0
    sleep: float = 0.0
    damage: float = 0.0
    cut: float = 0.0

    @classmethod
    def drawn(cls, chance: random.Random) -> "Faults":
        """Some of them, each as likely as the seed will have it."""

        def some(most: float) -> float:
            return chance.uniform(0.0, most) if chance.random() < 0.6 else 0.0

        return cls(
            poll=some(0.1), again=some(0.3), begin=some(0.2), commit=some(0.15), doubt=some(0.15),
            kill_at_commit=some(0.05), kill=some(0.05), stop=some(0.03), rebalance=some(0.08),
            sleep=some(0.04), damage=some(0.03), cut=some(0.15),
        )  # fmt: skip


@dataclass
class World:
    """Everything that one seed decides.

    Attributes:
        seed: Of all that goes wrong.
        variant: Which log.
        faults: How often what goes wrong.
        counts: What happened how often, for the last line of a run.
    """

    seed: int
    variant: int
    faults: Faults = field(default_factory=Faults)
    counts: dict[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.chance = random.Random(self.seed)
        # The time it really is would let roundings differ from run to run.
        self.clock = SetClock(START)
        self.store = FakeStore()
        self.log = log(self.variant)
        self.written = dict.fromkeys(PARTITIONS, 0)
        self.workers: list[Worker] = []
        self.owners: dict[Partition, Worker] = {}
        self.policy = LoopPolicy(
            batch_records=self.chance.choice([3, 17, 60]),
            snapshot_seconds=self.chance.choice([0.0, 0.2, 1.0]),
            snapshot_share=1.0,
            refresh_seconds=0.5,
            reclaim_seconds=1.0,
        )
        # Odd variants judge by a reference; every third one has room for few clients.
        self.detection = DetectionPolicy(max_clients=8 if self.variant % 3 == 0 else 1000)
        if self.variant % 2:
            self._activate()

    def _activate(self) -> None:
        picture = reference()
        info = ReferenceInfo(
            MODEL, 0, ReferenceStatus.ACTIVE, self.clock.now(), picture.events, picture.clients,
            "learned", picture.digest(),
        )  # fmt: skip
        with self.store.transaction() as transaction:
            transaction.references.add(info, picture.to_bytes())

    def parts(self) -> Parts:
        """What a worker's partitions are made of."""
        triage = Triage(TriagePolicy(), self.clock)
        metrics = StreamMetrics(CollectorRegistry())
        policy = self.detection
        return Parts(Decoder(), lambda: build_detection(policy), triage, self.clock, metrics)

    def happens(self, share: float) -> bool:
        """Let the seed decide."""
        return share > 0.0 and self.chance.random() < share

    def note(self, what: str) -> None:
        """Count something that happened."""
        self.counts[what] = self.counts.get(what, 0) + 1

    def run(self, workers: int) -> None:
        """Let everything go wrong until the whole log is stored, then let it end in peace."""
        for _ in range(workers):
            self.workers.append(Worker(self))
        self._rebalance()
        for tick in range(PATIENCE):
            if tick == PATIENCE // 2 or all(map(self._whole, PARTITIONS)):
                self.faults = Faults()
            if self._done():
                break
            self._tick()
        else:
            raise AssertionError(f"seed {self.seed}: it never ended")
        self._end()

    def _whole(self, partition: Partition) -> bool:
        return self.written[partition] == len(self.log[partition])

    def _done(self) -> bool:
        # Who is still to hear of a cut gives up what is stored when it does.
        if not all(map(self._whole, PARTITIONS)) or any(worker.astray for worker in self.workers):
            return False
        stored = self.store.tables.partitions
        return all(
            partition in stored and stored[partition].next_offset == len(records)
            for partition, records in self.log.items()
        )

    def _tick(self) -> None:
        self._write()
        if self.happens(self.faults.rebalance):
            self._rebalance()
        if self.happens(self.faults.damage):
            self._damage()
        if self.happens(self.faults.cut):
            self._cut()
        self._mend()
        ready = [worker for worker in self.workers if not worker.asleep]
        for worker in self.workers:
            worker.asleep = max(worker.asleep - 1, 0)
        if not ready:
            return
        worker = self.chance.choice(ready)
        if self.happens(self.faults.kill):
            worker.turn.lines = self.chance.randint(0, 60)
            self.note("kills")
        if self.happens(self.faults.stop):
            worker.stop.set()
            self.note("stops")
        if self.happens(self.faults.sleep):
            worker.asleep = self.chance.randint(5, 200)
            self.note("zombies")
            self._rebalance()
        worker.turn.go()
        if worker.turn.error is not None:
            raise worker.turn.error

    def _write(self) -> None:
        """Let more of the log be there."""
        for partition in PARTITIONS:
            if self.chance.random() < 0.3:
                more = self.written[partition] + self.chance.randint(0, 12)
                self.written[partition] = min(more, len(self.log[partition]))

    def _cut(self) -> None:
        """Let a partition lose what was read of its end; all is written again, as producers do."""
        partition = self.chance.choice(PARTITIONS)
        read = max((worker.reading.get(partition, 0) for worker in self.workers), default=0)
        if read:
            self.written[partition] = self.chance.randint(0, min(read, self.written[partition]))
            self.note("cuts")

    def _mend(self) -> None:
        """Start anew who is gone."""
        gone = [worker for worker in self.workers if not worker.alive]
        for worker in gone:
            self.workers[self.workers.index(worker)] = Worker(self)
            self.note("restarts")
        if gone:
            self._rebalance()
        calm = self.faults == Faults()
        if calm and any(worker.asleep for worker in self.workers):
            for worker in self.workers:
                worker.asleep = 0
            self._rebalance()

    def _damage(self) -> None:
        """Spoil a partition's newest snapshot; the one before must be sound."""
        partition = self.chance.choice(PARTITIONS)
        chain = self.store.tables.snapshots.get(partition, ())
        if len(chain) < 2 or chain[-2][1].endswith(SPOILT):
            return
        info, header, parts = chain[-1]
        self.store.tables.snapshots[partition] = (*chain[:-1], (info, header + SPOILT, parts))
        self.note("spoilt snapshots")

    def _rebalance(self) -> None:
        """Give every partition to somebody who is awake, mostly."""
        awake = [w for w in self.workers if w.alive and not w.asleep] or self.workers
        for partition in PARTITIONS:
            owner, before = self.chance.choice(awake), self.owners.get(partition)
            if owner is before:
                continue
            if before is not None:
                before.revoked.append(partition)
                before.assigned = [p for p in before.assigned if p != partition]
            owner.assigned.append(partition)
            self.owners[partition] = owner
            self.note("moves")

    def _end(self) -> None:
        for worker in self.workers:
            worker.stop.set()
        for _ in range(PATIENCE):
            left = [worker for worker in self.workers if worker.alive]
            if not left:
                return
            self.chance.choice(left).turn.go()
        raise AssertionError(f"seed {self.seed}: a worker does not stop")
