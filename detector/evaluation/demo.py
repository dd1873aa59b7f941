"""Make the demo's log: `python -m detector.evaluation.demo`, from the held-out split.

Every attack variant that a model's output form allows is run against each of the three models.
"""

from pathlib import Path
from typing import Annotated

import typer

from detector.evaluation import demo_data
from detector.evaluation.generate import Size, simulate, write
from detector.evaluation.splits import DEPLOYMENTS, Split

SIZE = Size(reference_clients=60, clients_per_kind=8, streams_per_attack=1, max_queries=250)
SEED = 0
LEVEL = 19
FOLDER = demo_data.log_path().parent


def main(
    out: Annotated[Path, typer.Option(help="Directory to write to.")] = FOLDER,
) -> None:
    """Write the demo's reference, log and truth; the same code gives the same bytes."""
    reference, log = simulate(DEPLOYMENTS[Split.DEMO], Split.DEMO, SIZE, SEED)
    write(out, reference, log, level=LEVEL)


if __name__ == "__main__":
    typer.run(main)
