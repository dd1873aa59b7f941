"""Since when an incident has waited for somebody."""

from collections.abc import Mapping
from datetime import datetime

from detector.incidents.model import Severity, Stage

UNWATCHED = (Stage.SUPPRESSED, Stage.RESOLVED, Stage.CLOSED)
"""Stages in which nobody need look at an incident."""


def waiting(
    before: Mapping[Severity, datetime], severity: Severity, stage: Stage, at: datetime
) -> Mapping[Severity, datetime]:
    """Return since when an incident has been watched at each severity or a higher one.

    A severity that it is below is not in it, and nothing is in a stage in which nobody need look.

    Args:
        before: What this was until `at`.
        severity: The one in force from `at` on.
        stage: The one that it is in from `at` on.
        at: Wall-clock time of the change.
    """
    if stage in UNWATCHED:
        return {}
    return {each: before.get(each, at) for each in Severity if each.rank <= severity.rank}
