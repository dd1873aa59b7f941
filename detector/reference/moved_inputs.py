"""The picture of the inputs on its way: fields one by one, then how they go together."""

from collections.abc import Iterator, Mapping
from dataclasses import fields, replace

import numpy as np

from detector.events.batch import Floats
from detector.reference.fields import MAX_CATEGORIES, NEVER_MISSING, Fields
from detector.reference.held import (
    BODY,
    covariances,
    doublings,
    held,
    held_ratio,
    kept_or_held,
    moved_knots,
    moved_precision,
)
from detector.reference.moves import Bounds, Move
from detector.reference.picture import Reference
from detector.reference.witnesses import Witnesses


def moved_inputs(
    current: Reference, candidate: Reference, anchor: Reference, seen: Witnesses, limits: Bounds
) -> tuple[Reference, list[Move]]:
    """Return the reference with its picture of the inputs moved, and the moves."""
    columns = fields(Fields)
    moved = Fields(**{item.name: getattr(current.fields, item.name).copy() for item in columns})
    moves: list[Move] = []
    for j, name in enumerate(seen.columns):
        trio = (current.fields, candidate.fields, anchor.fields)
        if np.isfinite(current.fields.knots[j, 0]):
            moves += _numbers(moved, j, name, *trio, limits)
            moves.append(_structure(f"{name}: natural grid", seen.off_grid[j], limits))
        moves += _categories(moved, j, name, *trio, seen, limits)
        moves.append(_missing(moved, j, name, *trio, seen, limits))
    step, total = limits.covariances
    precision, gone = moved_precision(candidate.precision, current.precision, step)
    away = np.abs(covariances(precision) - covariances(anchor.precision)).max(initial=0.0)
    moves.append(Move("correlations", "of a variance from the anchor", gone, float(away), total))
    return replace(current, fields=moved, precision=precision), moves


def _structure(what: str, clients: float, limits: Bounds) -> Move:
    """A change that is never made by a refresh: too far when many clients show it."""
    return Move(what, "of the clients break it", 0.0, clients, limits.witnesses)


def _numbers(
    moved: Fields, j: int, name: str, current: Fields, candidate: Fields, anchor: Fields,
    limits: Bounds,
) -> Iterator[Move]:  # fmt: skip
    if np.isnan(candidate.knots[j, 0]):
        yield Move(
            f"{name}: numbers", "of its values have turned into something else", 0.0, 1.0, 0.0
        )
        return
    step, total = limits.quantiles
    unit = float(anchor.scale[j])
    share = step / 2.0
    moved.knots[j] = moved_knots(candidate.knots[j], current.knots[j], step * unit, share)
    moved.center[j] = np.median(moved.knots[j])
    factor, most = limits.scales
    moved.scale[j] = held_ratio(candidate.scale[j], current.scale[j], factor)
    yield Move(
        f"{name}: quantiles", "of its spread from the anchor",
        _apart(moved.knots[j], current.knots[j]) / unit,
        _apart(moved.knots[j], anchor.knots[j]) / unit, total,
    )  # fmt: skip
    yield Move(
        f"{name}: spread", "doublings of the anchor's",
        abs(doublings(moved.scale[j], current.scale[j])),
        abs(doublings(moved.scale[j], anchor.scale[j])), float(np.log2(most)),
    )  # fmt: skip


def _apart(one: Floats, other: Floats) -> float:
    """Return the mean distance of two bodies of quantiles."""
    return float(np.abs(one[BODY] - other[BODY]).mean())


def _shares(item: Fields, j: int) -> dict[float, float]:
    known = ~np.isnan(item.categories[j])
    pairs = zip(item.categories[j, known], item.rarity[j, known], strict=True)
    return {float(code): float(2.0**-rarity) for code, rarity in pairs}


def _categories(
    moved: Fields, j: int, name: str, current: Fields, candidate: Fields, anchor: Fields,
    seen: Witnesses, limits: Bounds,
) -> Iterator[Move]:  # fmt: skip
    before, wanted, first = (_shares(item, j) for item in (current, candidate, anchor))
    if not before and not wanted:
        return
    step, total = limits.shares
    factor, most = limits.odds
    # Whoever has a usual share keeps it exactly: rows of a category are all equally strange, and
    # a hair more would make each of them stranger than all that was seen.
    shares = {code: kept_or_held(wanted.get(code, 0.0), share, factor)
              for code, share in before.items()}  # fmt: skip
    shares |= {code: held_ratio(shares[code], share, most)
               for code, share in first.items() if code in shares}  # fmt: skip
    new = {code: share for code, share in wanted.items()
           if code not in before and seen.shows(j, code) > limits.witnesses}  # fmt: skip
    shrink = min(1.0, step / max(sum(new.values()), 1e-12))
    shares |= {code: share * shrink for code, share in new.items()}
    _write_categories(moved, j, shares)
    unknown = sum(share for code, share in shares.items() if code not in first)
    taken = sum(new.values()) * shrink
    yield Move(f"{name}: new categories", "of its values", taken, unknown, total)


def _write_categories(moved: Fields, j: int, shares: Mapping[float, float]) -> None:
    ordered = sorted(shares.items(), key=lambda pair: (-pair[1], pair[0]))[:MAX_CATEGORIES]
    moved.categories[j] = np.nan
    moved.rarity[j] = 0.0
    for k, (code, share) in enumerate(ordered):
        moved.categories[j, k] = code
        moved.rarity[j, k] = max(-np.log2(share), 0.0)


def _missing(
    moved: Fields, j: int, name: str, current: Fields, candidate: Fields, anchor: Fields,
    seen: Witnesses, limits: Bounds,
) -> Move:  # fmt: skip
    if current.missing[j] < NEVER_MISSING:
        return _structure(f"{name}: never missing", seen.gaps[j], limits)
    step, total = limits.shares
    share = held(candidate.missing[j], current.missing[j], step)
    moved.missing[j] = max(share, NEVER_MISSING)
    gone = abs(moved.missing[j] - current.missing[j])
    away = abs(moved.missing[j] - anchor.missing[j])
    return Move(f"{name}: missing", "of its values from the anchor", gone, away, total)
