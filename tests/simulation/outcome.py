"""What a run leaves behind, and whether it is what an uninterrupted one leaves."""

from dataclasses import dataclass
from functools import cache

from detector.events.record import Partition
from detector.pipeline.work import PartitionProcessor
from tests.simulation.logs import PARTITIONS
from tests.simulation.world import Faults, World

WALL_CLOCK = (
    "created_at", "updated_at", "acknowledged_at", "closed_at", "timeline_head", "waiting",
)  # fmt: skip


@dataclass(frozen=True)
class Left:
    """Everything but times of the wall clock, and hashes over them.

    Attributes:
        incidents: By id, as text.
        timeline: Kinds and summaries of every incident's entries.
        letters: Places of the dead letters.
        messages: Ids in the outbox.
        profiles: Of clients, as text.
        positions: Of the partitions, with their counts.
        states: Each partition's detection, byte for byte.
    """

    incidents: dict[str, str]
    timeline: dict[str, tuple[tuple[str, str], ...]]
    letters: frozenset[object]
    messages: frozenset[str]
    profiles: dict[object, str]
    positions: dict[Partition, object]
    states: dict[Partition, object]

    def differences(self, other: "Left") -> list[str]:
        """Names of the fields that are not the same."""
        return [name for name in self.__dict__ if getattr(self, name) != getattr(other, name)]


def left(world: World) -> Left:
    """Read what a run has left, as a worker that starts afterwards would."""
    tables = world.store.tables
    fields = next(iter(tables.incidents.values())).__slots__ if tables.incidents else ()
    kept = [name for name in fields if name not in WALL_CLOCK]
    return Left(
        {key: repr([(n, getattr(i, n)) for n in kept]) for key, i in tables.incidents.items()},
        {key: tuple((e.kind, e.summary) for e in es) for key, es in tables.entries.items()},
        frozenset(tables.dead_letters),
        frozenset(tables.outbox),
        {key: repr(profile) for key, profile in tables.profiles.items()},
        {p: (tables.partitions[p].next_offset, tables.counts[p]) for p in PARTITIONS},
        {partition: _state(world, partition) for partition in PARTITIONS},
    )


def _state(world: World, partition: Partition) -> object:
    with world.store.transaction() as transaction:
        work = PartitionProcessor(world.parts()).open(transaction, partition)
    rest = world.log[partition][work.start or 0 :]
    if rest:
        work.process(rest)
    snapshot = work.snapshot(whole=True)
    assert snapshot is not None
    return snapshot.header, tuple(snapshot.parts)


@cache
def expected(variant: int) -> Left:
    """What a single worker leaves to whom nothing happens."""
    world = World(seed=0, variant=variant)
    world.run(workers=1)
    return left(world)


def simulate(seed: int, variants: int) -> dict[str, int]:
    """Run one seed; raises `AssertionError` when it does not end as it should.

    Returns what happened how often.
    """
    world = World(seed, seed % variants)
    world.faults = Faults.drawn(world.chance)
    world.run(workers=world.chance.randint(1, 3))
    differing = left(world).differences(expected(world.variant))
    assert not differing, f"seed {seed}: other {', '.join(differing)} than without faults"
    return world.counts
