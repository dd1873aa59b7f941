"""Which partitions this process holds, and which of them wait to be claimed or started."""

from collections.abc import Mapping

from detector.events.record import Partition
from detector.kit.clock import Clock
from detector.kit.metrics import StreamMetrics
from detector.pipeline.source import Poll
from detector.stream.owned import Owned


class Holdings:
    """The partitions that the group gave to this process: claimed ones, and ones to be claimed."""

    def __init__(self, clock: Clock, metrics: StreamMetrics) -> None:
        self._clock = clock
        self._metrics = metrics
        self._owned: dict[Partition, Owned] = {}
        # Not before when, loop's seconds.
        self._claims: dict[Partition, float] = {}
        self._starts: dict[Partition, float] = {}

    @property
    def owned(self) -> Mapping[Partition, Owned]:
        """The claimed ones."""
        return self._owned

    def has(self, owned: Owned) -> bool:
        """Whether a partition is still owned under the same claim."""
        return self._owned.get(owned.partition) is owned

    def take(self, poll: Poll) -> None:
        """Forget what was taken away; queue what is to be claimed, and what to start anew."""
        for partition in poll.revoked:
            self.forget(partition)
        now = self._clock.monotonic()
        for partition in poll.assigned:
            self._claims[partition] = now
        for partition in poll.astray:
            self.start_at(partition, now)

    def forget(self, partition: Partition) -> None:
        """Hold a partition no more."""
        self._owned.pop(partition, None)
        self._claims.pop(partition, None)
        self._starts.pop(partition, None)
        self.show()

    def show(self) -> None:
        """Show to Prometheus what is held."""
        self._metrics.partitions.set(len(self._owned))
        self._metrics.held.set(sum(owned.held for owned in self._owned.values()))

    def claim_at(self, partition: Partition, at: float) -> None:
        """Give up what is owned of a partition, and claim it once it is so late."""
        self.forget(partition)
        self._claims[partition] = at

    def awaits_claim(self, partition: Partition) -> bool:
        """Whether a partition is still to be claimed."""
        return partition in self._claims

    def claims_due(self) -> tuple[Partition, ...]:
        """What is to be claimed now."""
        return _due(self._claims, self._clock.monotonic())

    def claimed(self, owned: Owned) -> None:
        """Own a partition, which is to be started."""
        del self._claims[owned.partition]
        self._owned[owned.partition] = owned
        self.start_at(owned.partition, self._clock.monotonic())
        self.show()

    def start_at(self, partition: Partition, at: float) -> None:
        """Start a partition that is owned once it is so late."""
        self._starts[partition] = at

    def starts_due(self) -> tuple[Owned, ...]:
        """What is to be started now, in the order in which it became due."""
        now = self._clock.monotonic()
        due = sorted(_due(self._starts, now), key=lambda place: (self._starts[place], place))
        for partition in due:
            if partition not in self._owned or self._owned[partition].held:
                del self._starts[partition]
        return tuple(self._owned[partition] for partition in due if partition in self._starts)

    def started(self, owned: Owned) -> None:
        """Note that a partition is read, from now on."""
        self._starts.pop(owned.partition, None)
        owned.moved_at = self._clock.monotonic()
        owned.still = False
        owned.failures = 0


def _due(times: Mapping[Partition, float], now: float) -> tuple[Partition, ...]:
    return tuple(partition for partition, at in times.items() if at <= now)
