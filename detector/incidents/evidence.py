"""Merging the evidence of later findings into an incident, within bounds."""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from detector.scoring.finding import (
    FIDELITY_EVIDENCE,
    Evidence,
    LogRange,
    Scalar,
    StolenFidelity,
)


@dataclass(frozen=True, slots=True)
class EvidencePolicy:
    """How much an incident carries: statements, and log ranges of each."""

    max_statements: int = 16
    max_ranges: int = 16


def merge_evidence(
    known: Iterable[Evidence], newer: Iterable[Evidence], policy: EvidencePolicy
) -> tuple[Evidence, ...]:
    """Let newer statements replace older ones of their kind, and unite their log ranges.

    The newer finding's order, strongest first, comes before what it does not speak of.
    """
    before = {evidence.kind: evidence for evidence in known}
    merged: dict[str, Evidence] = {}
    for evidence in newer:
        old = merged.get(evidence.kind) or before.get(evidence.kind)
        ranges = evidence.ranges if old is None else (*old.ranges, *evidence.ranges)
        merged[evidence.kind] = replace(
            evidence,
            numbers=_finite_numbers(evidence.numbers),
            ranges=merge_ranges(ranges, policy.max_ranges),
        )
    rest = [evidence for kind, evidence in before.items() if kind not in merged]
    return (*merged.values(), *rest)[: policy.max_statements]


def merge_ranges(ranges: Iterable[LogRange], limit: int) -> tuple[LogRange, ...]:
    """Unite what overlaps or touches; beyond `limit` keep the first one and the last ones."""
    united: list[LogRange] = []
    for stretch in sorted(ranges, key=lambda r: (r.topic, r.partition, r.first_offset)):
        last = united[-1] if united else None
        same_log = last and (last.topic, last.partition) == (stretch.topic, stretch.partition)
        if last and same_log and stretch.first_offset <= last.last_offset + 1:
            farthest = max(last.last_offset, stretch.last_offset)
            united[-1] = replace(last, last_offset=farthest)
        else:
            united.append(stretch)
    if len(united) > limit:
        united = [united[0], *united[len(united) - limit + 1 :]]
    return tuple(united)


def told_fidelity(told: Iterable[Evidence]) -> StolenFidelity | None:
    """Return the stolen fidelity that the statements speak of, if any does."""
    for evidence in told:
        if evidence.kind == FIDELITY_EVIDENCE:
            numbers = evidence.numbers
            return StolenFidelity(
                float(numbers["agreement"]), float(numbers["chance"]), int(numbers["answers"])
            )
    return None


def finite_features(features: Mapping[str, float]) -> Mapping[str, float]:
    """Leave out features without a finite value; no JSON can carry them."""
    return {name: float(value) for name, value in features.items() if math.isfinite(value)}


def _finite_numbers(numbers: Mapping[str, Scalar]) -> Mapping[str, Scalar]:
    return {
        name: value
        for name, value in numbers.items()
        if not isinstance(value, float) or math.isfinite(value)
    }
