"""A flood of client ids among established clients: what is held, and what the others lose.

python -m tests.bench.flood --ids 2000000
"""

import argparse
import resource
import time
from collections.abc import Iterator, Sequence

import msgspec
import numpy as np

from detector.events.decode import Decoder
from detector.events.located import LocatedEvent
from detector.events.names import Names
from detector.events.record import Position, Record
from detector.features.directory import NOBODY
from detector.features.state import Stat
from detector.kit.memory import settle_garbage_collector
from detector.pipeline.detect import Detector
from detector.pipeline.learning import DetectionPolicy
from detector.pipeline.watch import ModelWatch
from detector.scoring.finding import Finding
from tests.bench.traffic import MODEL, benign_reference, bodies

BATCH = 2_000
SETTLED_QUERIES = 40


def batches(
    events: int, clients: int, seed: int, prefix: bytes
) -> Iterator[Sequence[LocatedEvent]]:
    """Events of uniformly chosen clients; each batch decoded as the product does."""
    decoder = Decoder()
    kept: list[Record] = []
    for n, body in enumerate(bodies(events, clients, attackers=0, seed=seed)):
        kept.append(Record(Position("flood", 0, n), body.replace(b'"client-', b'"' + prefix)))
        if len(kept) == BATCH:
            yield decoder.decode_all(kept).events
            kept.clear()


def resident_mib() -> float:
    """The most memory that this process has had, MiB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def main() -> None:
    """Run the flood and print one line of figures."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.flood", description=__doc__)
    parser.add_argument("--ids", type=int, default=2_000_000)
    parser.add_argument("--established", type=int, default=5_000)
    parser.add_argument("--budget", type=int, default=20_000, help="clients held at most")
    options = parser.parse_args()
    policy = DetectionPolicy(max_clients=options.budget)
    detector = Detector(policy, {MODEL: benign_reference()})
    settle_garbage_collector()
    established = options.established
    for events in batches(SETTLED_QUERIES * established, established, 3, b"known-"):
        detector.process(events)
    watch = detector._watches[MODEL]
    before = queries_of(watch, established)
    full = resident_mib()
    findings: list[Finding] = []
    began, flooded = time.monotonic(), 0
    template = next(batches(BATCH, 10_000, 4, b"flood-"))
    while flooded < options.ids:
        findings += detector.process(renamed(template, flooded)).findings
        flooded += BATCH
    seconds = time.monotonic() - began
    after = queries_of(watch, established)
    kept = float(np.mean([after[name] == count for name, count in before.items()]))
    told = [f for f in findings if f.technique == "identity_flood"]
    print(
        f"{flooded:,} ids at {flooded / seconds:,.0f} a second; {detector.clients():,} clients "
        f"held of a budget of {options.budget:,}; {kept:.1%} of {len(before):,} established ones "
        f"kept their state; resident {full:.0f} MiB before, {resident_mib():.0f} MiB at the most; "
        f"{len(told)} floods told, the first after {told[0].query if told else 0:,} ids"
    )


def renamed(template: Sequence[LocatedEvent], first: int) -> list[LocatedEvent]:
    """The events again, each under an id that nobody has had."""
    return [
        LocatedEvent(
            Position("flood", 0, 10_000_000 + first + k),
            msgspec.structs.replace(event, client_id=f"flood-{first + k}"),
        )
        for k, (_, event) in enumerate(template)
    ]


def queries_of(watch: ModelWatch, established: int) -> dict[str, int]:
    """How many queries are remembered of each established client; 0 for one that has left."""
    names = [f"known-{k:06d}" for k in range(established)]
    rows = watch._states._rows.find(Names.of(names))
    queries = np.where(rows == NOBODY, 0, watch._states.table.stats[rows, Stat.QUERIES])
    return dict(zip(names, queries.astype(int).tolist(), strict=True))


if __name__ == "__main__":
    main()
