"""Every feature of a client: name, unit, family, meaning, and how it is read from the state."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property
from typing import Any

import numpy as np

from detector.features.follow import SCORE_STEPS
from detector.features.observation import (
    ONE_FIELD_CHANGES,
    PERTURBATIONS,
    STRUCTURED,
    Probe,
)
from detector.features.state import ClientTable, Stat, Trace


class Family(StrEnum):
    """What a feature speaks of."""

    ENTROPY = "query entropy"
    COVERAGE = "input-space coverage"
    SIMILARITY = "probing similarity"
    OUTPUT = "outputs"
    TIMING = "timing"


@dataclass(frozen=True)
class RowView:
    """One client's row of the table as it stands, with the number of cells of its model.

    What is asked again and again is read once: a later state of the row wants another view.
    """

    table: ClientTable
    row: int
    cells: int = 0

    @cached_property
    def _stats(self) -> list[float]:
        return self.table.stats[self.row].tolist()

    @cached_property
    def _probes(self) -> list[int]:
        return self.table.probes[self.row].tolist()

    @cached_property
    def values(self) -> tuple[float, ...]:
        """All features in catalogue order, NaN where the log does not allow one."""
        return tuple(feature.read(self) for feature in CATALOGUE)

    def stat(self, stat: Stat) -> float:
        """Return one column of the statistics."""
        return self._stats[stat]

    def trace(self, column: Trace) -> float:
        """Return one column of the trace of conspicuous queries."""
        return float(self.table.trace[self.row, column])

    def share(self, probes: frozenset[Probe]) -> float:
        """Return the share of the client's inputs seen as one of these probes."""
        total = float(sum(self._probes))
        return float(self.count(probes)) / total if total else 0.0

    def count(self, probes: frozenset[Probe]) -> int:
        """Return how many of the client's inputs were seen as one of these probes."""
        return sum(self._probes[probe] for probe in probes)

    def top_class(self) -> int:
        """Return the score column that climbed most often."""
        records = self.table.records[self.row].tolist()
        return int(records.index(max(records)))


@dataclass(frozen=True, slots=True)
class Feature:
    """One entry of the catalogue; `read` returns NaN when the log does not allow it."""

    name: str
    family: Family
    unit: str
    meaning: str
    read: Callable[[RowView], float]


def _entropy(counts: Any) -> float:
    """Shannon entropy in bits of counts, 0 of nothing."""
    total = counts.sum()
    if total == 0:
        return 0.0
    shares = counts[counts > 0] / total
    return float(abs((shares * np.log2(shares)).sum()))


def _ratio(top: Stat, bottom: Stat) -> Callable[[RowView], float]:
    def read(view: RowView) -> float:
        whole = view.stat(bottom)
        return view.stat(top) / whole if whole else float("nan")

    return read


def _coverage(view: RowView) -> float:
    visited = int(np.count_nonzero(view.table.cells[view.row]))
    return visited / view.cells if view.cells else float("nan")


def _rate(view: RowView) -> float:
    seconds = (view.stat(Stat.LAST_MS) - view.stat(Stat.FIRST_MS)) / 1000.0
    return 60.0 * view.stat(Stat.QUERIES) / seconds if seconds > 0 else 0.0


def _regularity(view: RowView) -> float:
    mean = view.stat(Stat.GAP_MEAN)
    variance = max(view.stat(Stat.GAP_SQUARE) - mean * mean, 0.0)
    return float(np.sqrt(variance)) / mean if mean > 0 else 0.0


def _climb(view: RowView) -> float:
    top = view.top_class()
    peak, start = int(view.table.peaks[view.row, top]), int(view.table.starts[view.row, top])
    return (peak - start) / SCORE_STEPS


def _dominance(view: RowView) -> float:
    counts = view.table.labels[view.row].tolist()
    total = sum(counts)
    return float(max(counts)) / total if total else float("nan")


E, C, S, A, T = Family.ENTROPY, Family.COVERAGE, Family.SIMILARITY, Family.OUTPUT, Family.TIMING

CATALOGUE: tuple[Feature, ...] = (
    Feature("queries", T, "queries", "Queries of the model so far", lambda v: v.stat(Stat.QUERIES)),
    Feature(
        "query_entropy", E, "bits", "Entropy of the input-space cells that the queries fall in",
        lambda v: _entropy(v.table.cells[v.row].astype(float)),
    ),
    Feature(
        "field_entropy", E, "bits", "Entropy of the field that changed, over one-field changes",
        lambda v: _entropy(v.table.changed[v.row].astype(float)),
    ),
    Feature(
        "label_entropy", E, "bits", "Entropy of the predicted labels",
        lambda v: _entropy(v.table.labels[v.row].astype(float)),
    ),
    Feature("coverage", C, "share", "Share of the input space's cells visited", _coverage),
    Feature(
        "strange_share", C, "share", "Share of queries among the strangest 2% of benign inputs",
        _ratio(Stat.STRANGE, Stat.INPUTS),
    ),
    Feature(
        "broken_share", C, "share", "Share of queries that break more relations than is benign",
        _ratio(Stat.BROKEN, Stat.INPUTS),
    ),
    Feature(
        "scattered_share", C, "share", "Share of queries farther from all others than is benign",
        _ratio(Stat.SCATTERED, Stat.INPUTS),
    ),
    Feature(
        "off_grid_share", C, "share", "Share of queries with numbers off their natural grids",
        _ratio(Stat.OFF_GRID, Stat.INPUTS),
    ),
    Feature(
        "nearest_distance", S, "benign ranges",
        "Mean distance to the nearest remembered query, in units of the fields' 10-90% ranges",
        _ratio(Stat.NEAREST_SUM, Stat.NEAREST_COUNT),
    ),
    Feature(
        "repeat_share", S, "share", "Share of queries equal to a remembered one",
        lambda v: v.share(frozenset({Probe.REPEAT})),
    ),
    Feature(
        "one_field_share", S, "share", "Share of queries one field away from a remembered one",
        lambda v: v.share(ONE_FIELD_CHANGES),
    ),
    Feature(
        "search_share", S, "share", "Share of one-field changes by a value a search would choose",
        lambda v: v.share(frozenset({Probe.ONE_FIELD_SEARCH})),
    ),
    Feature(
        "near_share", S, "share", "Share of queries far nearer to a remembered one than is benign",
        lambda v: v.share(PERTURBATIONS),
    ),
    Feature(
        "collinear_share", S, "share", "Share of queries on a line with two remembered ones",
        lambda v: v.share(frozenset({Probe.COLLINEAR})),
    ),
    Feature(
        "structured_share", S, "share", "Share of queries in a line, mirror or fixed step",
        lambda v: v.share(STRUCTURED),
    ),
    Feature(
        "routine_share", S, "share", "Share of queries that repeat a sweep on another record",
        _ratio(Stat.REVALUES, Stat.INPUTS),
    ),
    Feature(
        "flip_share", A, "share", "Share of queries whose label differs from a close query's",
        _ratio(Stat.FLIPS, Stat.QUERIES),
    ),
    Feature(
        "probed_records", S, "records", "Records that conspicuous queries stayed about",
        lambda v: v.stat(Stat.HOMES),
    ),
    Feature(
        "margin", A, "probability", "Mean of best minus second-best score",
        _ratio(Stat.MARGIN_SUM, Stat.SCORED),
    ),
    Feature(
        "low_margin_share", A, "share", "Share of margins under the reference's 5% quantile",
        _ratio(Stat.LOW_MARGINS, Stat.SCORED),
    ),
    Feature("label_dominance", A, "share", "Share of the most frequent label", _dominance),
    Feature(
        "record_share", A, "share", "Share of queries that set a class's highest score by probing",
        _ratio(Stat.RECORDS, Stat.QUERIES),
    ),
    Feature(
        "climb", A, "probability", "Rise of the climbing class's best score since the start",
        _climb,
    ),
    Feature("rate", T, "queries/min", "Queries a minute over the client's life", _rate),
    Feature("irregularity", T, "ratio", "Coefficient of variation of the time between queries",
            _regularity),
)  # fmt: skip


def read_features(view: RowView) -> Mapping[str, float]:
    """Return every feature that the log allows, by name."""
    pairs = zip(CATALOGUE, view.values, strict=True)
    return {feature.name: value for feature, value in pairs if value == value}


def vector(view: RowView) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    """Return all features in catalogue order, 0 where the log does not allow one."""
    return np.array([value if value == value else 0.0 for value in view.values])
