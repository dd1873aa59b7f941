"""The state machine: which stage may follow which."""

from collections.abc import Mapping

from detector.incidents.model import Stage
from detector.kit.errors import ConflictError

ALLOWED: Mapping[Stage, tuple[Stage, ...]] = {
    Stage.NEW: (Stage.TRIAGED, Stage.IN_PROGRESS, Stage.SUPPRESSED, Stage.CLOSED),
    Stage.SUPPRESSED: (Stage.NEW, Stage.CLOSED),
    Stage.TRIAGED: (Stage.IN_PROGRESS, Stage.RESOLVED, Stage.CLOSED),
    Stage.IN_PROGRESS: (Stage.TRIAGED, Stage.RESOLVED, Stage.CLOSED),
    Stage.RESOLVED: (Stage.CLOSED, Stage.REOPENED),
    Stage.CLOSED: (Stage.REOPENED,),
    Stage.REOPENED: (Stage.TRIAGED, Stage.IN_PROGRESS, Stage.RESOLVED, Stage.CLOSED),
}
"""Every stage with the stages that may follow it."""


def require_move(present: Stage, wanted: Stage) -> None:
    """Raise `ConflictError`, naming the allowed moves, unless `wanted` may follow `present`."""
    if wanted not in ALLOWED[present]:
        moves = ", ".join(ALLOWED[present])
        raise ConflictError(
            f"an incident in stage {present} cannot move to {wanted}; allowed moves: {moves}"
        )
