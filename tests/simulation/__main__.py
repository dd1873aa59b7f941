"""Run many seeds on all cores and end with one line of figures."""

import argparse
import logging
import multiprocessing
import sys
import time
from collections import Counter

from tests.simulation.logs import VARIANTS
from tests.simulation.outcome import simulate


def attempt(seed: int) -> tuple[int, dict[str, int], str]:
    """Run one seed; returns it, what happened, and what went wrong."""
    try:
        return seed, simulate(seed, VARIANTS), ""
    except Exception as error:
        return seed, {}, f"{type(error).__name__}: {error}"


def main() -> None:
    """Simulate; exits with 1 when a seed fails."""
    parser = argparse.ArgumentParser(prog="python -m tests.simulation", description=__doc__)
    parser.add_argument("--seeds", type=int, default=3_000, help="how many")
    parser.add_argument("--first", type=int, default=0, help="the first; give 1 to repeat one")
    parser.add_argument("--processes", type=int, default=multiprocessing.cpu_count())
    options = parser.parse_args()
    # Faults are what it is about: the engine's warnings of them would fill the screen.
    logging.disable(logging.CRITICAL)
    began, happened, failed = time.monotonic(), Counter[str](), 0
    seeds = range(options.first, options.first + options.seeds)
    with multiprocessing.Pool(options.processes) as pool:
        for seed, counts, wrong in pool.imap_unordered(attempt, seeds, chunksize=8):
            happened.update(counts)
            if wrong:
                failed += 1
                print(f"seed {seed}: {wrong}", flush=True)
    figures = ", ".join(f"{count} {what}" for what, count in sorted(happened.items()))
    seconds = time.monotonic() - began
    print(f"{len(seeds)} seeds, {failed} failed; {figures}; {seconds:.0f} s")
    sys.exit(failed > 0)


if __name__ == "__main__":
    main()
