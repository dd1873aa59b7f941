"""What the stages read."""

import uuid
from dataclasses import dataclass

from detector.reference.picture import Reference
from tests.bench import traffic


@dataclass(frozen=True, slots=True)
class Log:
    """Records of one partition, and the reference to judge them by."""

    bootstrap: str
    topic: str
    events: int
    bytes_each: float
    reference: Reference


def make_log(bootstrap: str, events: int, clients: int) -> Log:
    """Write a log to a new topic."""
    topic = f"bench-{uuid.uuid4().hex[:8]}"
    traffic.make_topic(bootstrap, topic)
    values = traffic.bodies(events, clients, traffic.ATTACKERS, seed=1)
    size = traffic.produce(bootstrap, topic, values)
    return Log(bootstrap, topic, events, size / events, traffic.benign_reference())
