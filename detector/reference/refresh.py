"""A reference that follows the world, no faster than a person would let it.

A refresh goes from the reference in force towards a candidate that recent traffic taught. One
refresh moves everything by a bounded step. All refreshes together stay within wider bounds of the
anchor, the last version that a person built or approved: what would only make detection laxer is
held there, and a picture of the inputs that goes beyond is refused, because by then either the
world is another one or somebody is leading the reference away. Structure is never refreshed:
field names, natural grids, the cells of the input space.
"""

from dataclasses import dataclass, replace

import numpy as np

from detector.events.batch import Floats
from detector.kit.errors import ConfigurationError
from detector.reference.draw import draw_answers
from detector.reference.fields import Fields, scaled
from detector.reference.forest import NO_FOREST, lives
from detector.reference.held import held, held_beta, held_ratio, held_tail
from detector.reference.moved_inputs import moved_inputs
from detector.reference.moves import Bounds, DriftRefusedError, Move
from detector.reference.picture import Reference
from detector.reference.surprise import MEASURES, tail_shares
from detector.reference.volumes import held_volumes
from detector.reference.witnesses import RecentRows, witnesses

MAX_CALIBRATION_ROWS = 8192
TIE = 0.05
"""Bits by which two tail shares may differ that are the same but for the number of rows."""
RARITY = 2
"""Which of the measures of strangeness is the rarity of categories, in bits."""


@dataclass(frozen=True, slots=True)
class Refreshed:
    """The new version and what moved, farthest first in shares of what is allowed."""

    reference: Reference
    moves: tuple[Move, ...]


def refresh(
    current: Reference,
    candidate: Reference,
    anchor: Reference,
    recent: RecentRows,
    bounds: Bounds | None = None,
) -> Refreshed:
    """Return the reference that follows `current`.

    Args:
        current: The reference in force.
        candidate: What recent rows taught, with the same fields.
        anchor: What a person last built or approved; `current` descends from it.
        recent: Those rows.
        bounds: How far to go.

    Raises:
        DriftRefusedError: the picture of the inputs would leave the anchor's bounds.
        ConfigurationError: the three are not of the same making.
    """
    limits = bounds or Bounds()
    _require_same_making(current, candidate, anchor)
    seen = witnesses(recent, current.fields)
    moved, moves = moved_inputs(current, candidate, anchor, seen, limits)
    refused = tuple(move for move in moves if move.too_far)
    if refused:
        raise DriftRefusedError(refused)
    moved = _strangeness(moved, recent, (current, anchor), limits)
    answers = draw_answers(scaled(recent.cells, moved.fields), recent.labels, recent.owner)
    moved = replace(moved, answers=answers)
    moved = _behaviour(moved, current, candidate, limits, which=0)
    moved = _behaviour(moved, anchor, moved, limits, which=1)
    told = sorted(moves, key=lambda move: -move.total / max(move.allowed, 1e-9))
    return Refreshed(moved, tuple(move for move in told if move.step or move.total))


def _require_same_making(current: Reference, candidate: Reference, anchor: Reference) -> None:
    for other in (candidate, anchor):
        alike = (
            other.names == current.names
            and other.nulls.keys() == current.nulls.keys()
            and (other.vectors.shape[1:] == current.vectors.shape[1:] or not len(other.vectors))
        )
        if not alike:
            raise ConfigurationError(
                "the reference in force has other fields or is of another version of querywatch: "
                "build it anew"
            )


def _strangeness(
    moved: Reference, recent: RecentRows, bases: tuple[Reference, Reference], limits: Bounds
) -> Reference:
    """Return the reference with the strangeness of recent rows under its own picture.

    Held to the bounds of both bases, so that no row's p-value leaves them: neither by rows that
    somebody sends, nor because a quiet day lacks rows that will come again.
    """
    stride = -(-len(recent.cells) // MAX_CALIBRATION_ROWS)
    measured = moved.measure(recent.cells[::stride])[:, :MEASURES]
    calibration = np.sort(measured.T, axis=1)
    for base, factor in zip(bases, limits.tails, strict=True):
        slack = np.zeros(MEASURES)
        slack[RARITY] = _rarer(moved.fields, base.fields)
        rows = zip(calibration, base.calibration, slack, strict=True)
        calibration = np.array([held_tail(row, old, factor, more) for row, old, more in rows])
    calibration = np.ascontiguousarray(calibration)
    tails = np.zeros(len(measured))
    tail_shares(measured, calibration, tails)
    bits = np.sort(-np.log2(tails))
    for base, factor in zip(bases, limits.tails, strict=True):
        bits = held_tail(bits, np.sort(-np.log2(base.smallest)), factor, TIE)
    smallest = np.ascontiguousarray(2.0 ** -bits[::-1])
    return replace(moved, calibration=calibration, smallest=smallest)


def _rarer(fields: Fields, base: Fields) -> float:
    """Return by how many bits a row's rarity can have grown since the base."""
    total = 0.0
    for codes, rarity, old_codes, old_rarity in zip(
        fields.categories, fields.rarity, base.categories, base.rarity, strict=True
    ):
        old = dict(zip(old_codes.tolist(), old_rarity.tolist(), strict=True))
        grown = [bits - old[code] for code, bits in zip(codes, rarity, strict=True) if code in old]
        total += max(max(grown, default=0.0), 0.0)
    return total


def _behaviour(
    moved: Reference, base: Reference, aimed: Reference, limits: Bounds, which: int
) -> Reference:
    """Return the reference with what benign clients do, held to the base's bounds.

    `which` is 0 for the bounds of one step and 1 for those of the whole way. Nothing is refused
    here: an evidence threshold that lags behind the world costs alarms, not sight. How many fields
    a row may break stays as it is: that is a plain limit, which only a person should raise.
    """
    volumes = held_volumes(aimed.asked, base.asked, limits.volumes[which])
    return replace(
        moved.with_volumes(volumes),
        limits=np.clip(
            aimed.limits, base.limits / limits.scales[which], base.limits * limits.scales[which]
        ),
        near=held_ratio(aimed.near, base.near, limits.scales[which]),
        typical=held_ratio(aimed.typical, base.typical, limits.scales[which]),
        apart=held_ratio(aimed.apart, base.apart, limits.scales[which]),
        low_margin=_margin(aimed.low_margin, base.low_margin, limits.margins[which]),
        nulls=_nulls(aimed, base, limits.odds[which]),
        ceilings={
            name: max(held(aimed.ceilings[name], reached, limits.ceilings[which]), 0.0)
            for name, reached in base.ceilings.items()
        },
        vectors=_vectors(moved, aimed, limits) if which == 0 else moved.vectors,
        forest=NO_FOREST,
        events=aimed.events,
        clients=aimed.clients,
    )


def _margin(value: float, before: float, step: float) -> float:
    """Hold a low margin; a log that had no scores, or has none now, stays as it was."""
    return before if before < 0.0 or value < 0.0 else max(held(value, before, step), 0.0)


def _nulls(aimed: Reference, base: Reference, factor: float) -> dict[str, tuple[float, ...]]:
    nulls = {}
    for name, before in base.nulls.items():
        pairs = zip(aimed.nulls[name][::2], aimed.nulls[name][1::2], before[::2], before[1::2],
                    strict=True)  # fmt: skip
        stages = [held_beta((a, b), (c, d), factor) for a, b, c, d in pairs]
        nulls[name] = tuple(float(value) for value in np.ravel(stages))
    return nulls


def _vectors(current: Reference, candidate: Reference, limits: Bounds) -> Floats:
    """Return the vectors with those of the oldest share of clients replaced by the newest's."""
    if not len(current.vectors) or not len(candidate.vectors):
        return current.vectors
    held, offered = lives(current.vectors), lives(candidate.vectors)
    most = min(int(held[-1] * limits.vectors), int(offered[-1]))
    newest = candidate.vectors[offered > offered[-1] - most]
    return np.concatenate([current.vectors[held > most], newest])
