"""Short logs with attackers in them, in partitions keyed by client."""

from collections.abc import Mapping, Sequence
from functools import cache
from itertools import chain, zip_longest
from zlib import crc32

import msgspec

from detector.events.model import PredictionEvent
from detector.events.record import Partition, Position, Record
from tests.scoring.traffic import ATTACKS, benign, event

PARTITIONS = tuple(Partition("log", number) for number in range(3))
VARIANTS = 6


def streams(variant: int) -> list[Sequence[PredictionEvent]]:
    """Attackers, people, and names that pass once."""
    attacks = [ATTACKS[(variant + k) % len(ATTACKS)] for k in range(3)]
    return [
        *(attack(f"eve-{k}", 50, variant + k) for k, attack in enumerate(attacks)),
        *(benign(f"person-{k}", 12, 10 * variant + k) for k in range(6)),
        [event(f"passing-{k}", k, {"age": 40}) for k in range(30)],
    ]


@cache
def log(variant: int) -> Mapping[Partition, Sequence[Record]]:
    """The records of every partition; one in some thirty is no event."""
    turns = zip_longest(*streams(variant))
    logs: dict[Partition, list[Record]] = {partition: [] for partition in PARTITIONS}
    for n, item in enumerate(i for i in chain.from_iterable(turns) if i is not None):
        partition = PARTITIONS[crc32(item.client_id.encode()) % len(PARTITIONS)]
        for body in (msgspec.json.encode(item), *([b"{poison"] if n % 30 == 7 else [])):
            logs[partition].append(Record(Position(*partition, len(logs[partition])), body))
    return logs
