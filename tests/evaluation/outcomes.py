"""Outcomes made by hand, for figures whose right value is plain."""

from dataclasses import replace

from detector.evaluation.outcome import Outcome, Place
from detector.evaluation.workload import Role
from detector.scoring.finding import AttackClass

PLACE = Place("wine-mlp-full", "wine", "mlp", "full", "raw")
BENIGN = Outcome(
    PLACE, Role.BENIGN, "what_if", "", None, False, 1.0, 100, 0, None, None, None, ""
)  # fmt: skip
PURE = Outcome(
    PLACE, Role.PURE, "jbda", "jacobian_augmentation", AttackClass.EXTRACTION, True, 0.0, 400, 400,
    None, None, None, "",
)  # fmt: skip


def found(at: int, named: AttackClass = AttackClass.EXTRACTION) -> Outcome:
    """Return a pure stream of extraction found at that query under that class."""
    return replace(
        PURE, alarm=at, alarm_attack=at, named=named, named_technique="jacobian_augmentation"
    )


def mixed(share: float, at: int | None) -> Outcome:
    """Return a stream among benign queries, found after so many of all its queries."""
    return replace(
        PURE, role=Role.MIXED, share=share, alarm=at, alarm_attack=None if at is None else at // 2
    )


def false_alarm(kind: str) -> Outcome:
    """Return a benign client with an incident."""
    return replace(BENIGN, label=kind, alarm=7, named=AttackClass.EVASION)
