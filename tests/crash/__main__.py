"""Kill workers at random points under load, and end with one line of figures."""

import argparse
import os
import random
import sys
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path

from tests.crash.campaign import Ground, demo_bodies, disturbed, new_topic, undisturbed
from tests.crash.crew import Crew
from tests.services.kafka import running_kafka
from tests.services.postgres import running_postgres

SECONDS_A_KILL = 2.0


def servers(stack: ExitStack) -> tuple[str, str]:
    """Start the servers, or take those that the tests would take; return their addresses."""
    kafka = os.environ.get("QUERYWATCH_TEST_KAFKA")
    if kafka is None:
        folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="querywatch-crash-"))
        kafka = stack.enter_context(running_kafka(Path(folder))).bootstrap
    postgres = os.environ.get("QUERYWATCH_TEST_DATABASE_URL")
    return kafka, postgres or stack.enter_context(running_postgres())


def main() -> None:
    """Run the campaign; exits with 1 when anything is lost, doubled or different."""
    parser = argparse.ArgumentParser(prog="python -m tests.crash", description=__doc__)
    parser.add_argument("--kills", type=int, default=60, help="kill -9, at the least")
    parser.add_argument("--events", type=int, default=60_000)
    options = parser.parse_args()
    chance = random.Random(options.kills)

    def disturb(crew: Crew) -> None:
        time.sleep(chance.uniform(0.0, 2 * SECONDS_A_KILL))
        if crew.kills < options.kills:
            crew.kill()

    began = time.monotonic()
    with ExitStack() as stack:
        kafka, postgres = servers(stack)
        ground = Ground(kafka, postgres, demo_bodies(options.events))
        topic = new_topic(kafka)
        seconds = 1.2 * SECONDS_A_KILL * options.kills
        found, crew = disturbed(ground, topic, seconds, disturb)
        expected = undisturbed(ground, topic)
    lost = len(set(expected.incidents) - set(found.incidents))
    doubled = len(found.incidents) - len(set(found.incidents))
    differing = found.differences(expected)
    print(
        f"{crew.kills} kills, {len(ground.bodies)} records, {len(found.incidents)} incidents; "
        f"{lost} lost, {doubled} duplicate; different from an uninterrupted run: "
        f"{', '.join(differing) or 'nothing'}; out after SIGTERM in at most "
        f"{max(crew.stop_seconds):.1f} s; {time.monotonic() - began:.0f} s"
    )
    sys.exit(bool(differing) or crew.kills < options.kills)


if __name__ == "__main__":
    main()
