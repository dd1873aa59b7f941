"""The kernel that reads every feature of the catalogue from one client's row."""

from typing import Any

import numpy as np

from detector.features.catalogue import NAMES
from detector.features.follow import SCORE_STEPS
from detector.features.observation import (
    ONE_FIELD_CHANGES,
    PERTURBATIONS,
    PROBES,
    STRUCTURED,
    Probe,
)
from detector.features.state import Stat
from detector.kit.compiled import borrowing

# Features that are one statistic over another; NaN where that is 0. Compiled code wants arrays.
_RATIOS = {
    "strange_share": (Stat.STRANGE, Stat.INPUTS),
    "broken_share": (Stat.BROKEN, Stat.INPUTS),
    "scattered_share": (Stat.SCATTERED, Stat.INPUTS),
    "off_grid_share": (Stat.OFF_GRID, Stat.INPUTS),
    "nearest_distance": (Stat.NEAREST_SUM, Stat.NEAREST_COUNT),
    "routine_share": (Stat.REVALUES, Stat.INPUTS),
    "flip_share": (Stat.FLIPS, Stat.QUERIES),
    "margin": (Stat.MARGIN_SUM, Stat.SCORED),
    "low_margin_share": (Stat.LOW_MARGINS, Stat.SCORED),
    "record_share": (Stat.RECORDS, Stat.QUERIES),
}
_RATIO = np.array([(NAMES.index(name), *pair) for name, pair in _RATIOS.items()])

# Features that are a share of the probes; 0 before the first.
_SHARES = {
    "repeat_share": frozenset({Probe.REPEAT}),
    "one_field_share": ONE_FIELD_CHANGES,
    "search_share": frozenset({Probe.ONE_FIELD_SEARCH}),
    "near_share": PERTURBATIONS,
    "collinear_share": frozenset({Probe.COLLINEAR}),
    "structured_share": STRUCTURED,
}
_SHARE = np.array([NAMES.index(name) for name in _SHARES])
_PROBED = np.array([[probe in group for probe in range(PROBES)] for group in _SHARES.values()])

(
    _AT_QUERIES, _QUERY_ENTROPY, _FIELD_ENTROPY, _LABEL_ENTROPY, _COVERAGE, _PROBED_RECORDS,
    _DOMINANCE, _CLIMB, _RATE, _IRREGULARITY,
) = map(NAMES.index, (
    "queries", "query_entropy", "field_entropy", "label_entropy", "coverage", "probed_records",
    "label_dominance", "climb", "rate", "irregularity",
))  # fmt: skip
_QUERIES, _FIRST_MS, _LAST_MS, _GAP_MEAN, _GAP_SQUARE, _HOMES = map(
    int,
    (Stat.QUERIES, Stat.FIRST_MS, Stat.LAST_MS, Stat.GAP_MEAN, Stat.GAP_SQUARE, Stat.HOMES),
)
_STEPS = float(SCORE_STEPS)


@borrowing
def _sum(counts: Any) -> float:
    total = 0.0
    for count in counts:
        total += count
    return total


@borrowing
def _entropy(counts: Any) -> float:
    """Shannon entropy in bits of counts, 0 of nothing."""
    total, entropy = _sum(counts), 0.0
    for count in counts:
        if count > 0:
            share = count / total
            entropy += share * np.log2(share)
    return float(abs(entropy))


@borrowing
def _dominance(counts: Any) -> float:
    most = 0.0
    for count in counts:
        most = max(most, float(count))
    return most / _sum(counts) if most > 0.0 else np.nan


@borrowing
def _climb(peaks: Any, starts: Any, records: Any) -> float:
    """How far the class that climbed most often has come."""
    top = 0
    for k in range(1, len(records)):
        if records[k] > records[top]:
            top = k
    return (float(peaks[top]) - float(starts[top])) / _STEPS


@borrowing
def _pace(stats: Any) -> tuple[float, float]:
    """Queries a minute over the life, and the coefficient of variation of the gaps."""
    seconds = (stats[_LAST_MS] - stats[_FIRST_MS]) / 1000.0
    mean = stats[_GAP_MEAN]
    deviation = np.sqrt(max(stats[_GAP_SQUARE] - mean * mean, 0.0))
    rate = 60.0 * stats[_QUERIES] / seconds if seconds > 0.0 else 0.0
    return rate, deviation / mean if mean > 0.0 else 0.0


@borrowing
def read_row(client: Any, cells: int, out: Any) -> None:
    """Read one client's features, NaN where the log does not allow one.

    `cells` is the number of cells that the model's input space is divided into, 0 without a
    reference; `client` is the `ClientRow`; `out` (f,) is in catalogue order.
    """
    stats, probes, labels = client.stats, client.probes, client.labels
    out[_AT_QUERIES] = stats[_QUERIES]
    out[_QUERY_ENTROPY] = _entropy(client.cells)
    out[_FIELD_ENTROPY] = _entropy(client.changed)
    out[_LABEL_ENTROPY] = _entropy(labels)
    visited = 0
    for count in client.cells:
        visited += count > 0
    out[_COVERAGE] = visited / cells if cells > 0 else np.nan
    for i in range(len(_RATIO)):
        whole = stats[_RATIO[i, 2]]
        out[_RATIO[i, 0]] = stats[_RATIO[i, 1]] / whole if whole != 0.0 else np.nan
    inputs = _sum(probes)
    for i in range(len(_SHARE)):
        seen = 0.0
        for probe in range(len(probes)):
            if _PROBED[i, probe]:
                seen += probes[probe]
        out[_SHARE[i]] = seen / inputs if inputs > 0.0 else 0.0
    out[_PROBED_RECORDS] = stats[_HOMES]
    out[_DOMINANCE] = _dominance(labels)
    out[_CLIMB] = _climb(client.peaks, client.starts, client.records)
    out[_RATE], out[_IRREGULARITY] = _pace(stats)
