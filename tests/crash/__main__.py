"""Disturb workers at random points under load; each campaign ends with one line of figures."""

import argparse
import random
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass

from tests.crash.campaign import Ground, demo_bodies, disturbed, new_topic, undisturbed
from tests.crash.crew import Crew
from tests.services.gate import Gate
from tests.services.servers import running_servers

CHANCE = random.Random(60)
POLL_LIMIT_SECONDS = 300.0


@dataclass
class Kind:
    """One kind of disturbance: what is done, how long each takes, and how often."""

    act: Callable[[Crew, Gate], None]
    seconds: float
    named: bool = True


def kill(crew: Crew, gate: Gate) -> None:
    """Kill one at a random moment."""
    time.sleep(CHANCE.uniform(0.0, 4.0))
    crew.kill()


def freeze(crew: Crew, gate: Gate) -> None:
    """Stop one for longer than its session lasts, and let it go on."""
    time.sleep(CHANCE.uniform(2.0, 4.0))
    with crew.frozen(crew.any()):
        time.sleep(10.0)


def long_freeze(crew: Crew, gate: Gate) -> None:
    """Stop one for longer than a member may go without a poll, and let it go on."""
    time.sleep(CHANCE.uniform(2.0, 4.0))
    with crew.frozen(crew.any()):
        time.sleep(POLL_LIMIT_SECONDS + 10.0)


def rebalance(crew: Crew, gate: Gate) -> None:
    """Let one leave and come back: two rebalances."""
    time.sleep(CHANCE.uniform(3.0, 6.0))
    crew.restart()


def outage(crew: Crew, gate: Gate) -> None:
    """Take the database away for two minutes; says what memory it took."""
    time.sleep(30.0)
    before = crew.resident_mib()
    with gate.shut():
        time.sleep(120.0)
        print(
            f"memory of all workers: {before:.0f} MiB, after the outage {crew.resident_mib():.0f}"
        )
    crew.disturbances += 1
    time.sleep(20.0)


KINDS = {
    "kills": Kind(kill, 2.0),
    "freezes": Kind(freeze, 13.0),
    "long_freezes": Kind(long_freeze, 320.0),
    "restarts": Kind(rebalance, 5.0, named=False),
    "outages": Kind(outage, 170.0),
}


def main() -> None:
    """Run the campaign; exits with 1 when anything is lost, doubled or different."""
    parser = argparse.ArgumentParser(prog="python -m tests.crash", description=__doc__)
    parser.add_argument("--kills", type=int, default=0, help="kill -9")
    parser.add_argument("--freezes", type=int, default=0, help="SIGSTOP past the session")
    parser.add_argument("--long-freezes", type=int, default=0, help="past the poll limit too")
    parser.add_argument("--restarts", type=int, default=0, help="orderly, two rebalances each")
    parser.add_argument("--outages", type=int, default=0, help="of the database, two minutes each")
    parser.add_argument("--events", type=int, default=60_000)
    options = parser.parse_args()
    chosen = [name for name in KINDS if getattr(options, name)] or ["kills"]
    differing = False
    with running_servers() as servers:
        ground = Ground(*servers, demo_bodies(options.events))
        for name in chosen:
            differing |= run(ground, name, getattr(options, name) or 60)
    sys.exit(differing)


def run(ground: Ground, name: str, times: int) -> bool:
    """Run one campaign and print its figures; true when it did not end as it should."""
    kind, began, topic = KINDS[name], time.monotonic(), new_topic(ground.kafka)

    def act(crew: Crew, gate: Gate) -> None:
        if crew.disturbances < times:
            kind.act(crew, gate)
        else:
            time.sleep(0.5)

    made = disturbed(ground, topic, 1.2 * kind.seconds * times, act, kind.named)
    found, expected = made.left, undisturbed(ground, topic)
    lost = len(set(expected.incidents) - set(found.incidents))
    doubled = len(found.incidents) - len(set(found.incidents))
    differing = found.differences(expected)
    print(
        f"{made.crew.disturbances} {name}, {len(ground.bodies)} records, "
        f"{len(found.incidents)} incidents; {lost} lost, {doubled} duplicate; different from an "
        f"undisturbed run: {', '.join(differing) or 'nothing'}; no partition still for more than "
        f"{made.still_seconds:.0f} s; caught up in {made.caught_up_seconds:.0f} s; out after "
        f"SIGTERM in at most {max(made.crew.stop_seconds):.1f} s; "
        f"{time.monotonic() - began:.0f} s"
    )
    return bool(differing) or made.crew.disturbances < times


if __name__ == "__main__":
    main()
