"""Published detectors to compare with, tried on the same streams; `baselines` lists them.

They see inputs as points of the unit cube and know no classes of attack: an alarm of theirs counts
as `extraction`, which is what they were made for.
"""

from detector.evaluation.baselines.baseline import Baseline
from detector.evaluation.baselines.mmd import MmdWindow
from detector.evaluation.baselines.prada import Prada


def baselines(seed: int) -> dict[str, Baseline]:
    """Return every baseline by the name that it has in the report."""
    return {"prada": Prada(), "mmd_64": MmdWindow(64, seed), "mmd_256": MmdWindow(256, seed)}
