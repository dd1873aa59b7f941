"""Every feature of a client: name, unit, family and meaning; `reading` reads them."""

from dataclasses import dataclass
from enum import StrEnum


class Family(StrEnum):
    """What a feature speaks of."""

    ENTROPY = "query entropy"
    COVERAGE = "input-space coverage"
    SIMILARITY = "probing similarity"
    OUTPUT = "outputs"
    TIMING = "timing"


@dataclass(frozen=True, slots=True)
class Feature:
    """One entry of the catalogue."""

    name: str
    family: Family
    unit: str
    meaning: str


E, C, S, A, T = Family.ENTROPY, Family.COVERAGE, Family.SIMILARITY, Family.OUTPUT, Family.TIMING

CATALOGUE: tuple[Feature, ...] = (
    Feature("queries", T, "queries", "Queries of the model so far"),
    Feature(
        "query_entropy", E, "bits", "Entropy of the input-space cells that the queries fall in"
    ),
    Feature(
        "field_entropy", E, "bits", "Entropy of the field that changed, over one-field changes"
    ),
    Feature("label_entropy", E, "bits", "Entropy of the predicted labels"),
    Feature("coverage", C, "share", "Share of the input space's cells visited"),
    Feature(
        "strange_share", C, "share", "Share of queries among the strangest 2% of benign inputs"
    ),
    Feature(
        "broken_share", C, "share", "Share of queries that break more relations than is benign"
    ),
    Feature(
        "scattered_share", C, "share", "Share of queries farther from the others than is benign"
    ),
    Feature("off_grid_share", C, "share", "Share of queries with numbers off their natural grids"),
    Feature(
        "nearest_distance",
        S,
        "benign ranges",
        "Mean distance to the nearest remembered query, in units of the fields' 10-90% ranges",
    ),
    Feature("repeat_share", S, "share", "Share of queries equal to a remembered one"),
    Feature("one_field_share", S, "share", "Share of queries one field away from a remembered one"),
    Feature(
        "search_share", S, "share", "Share of one-field changes by a value a search would choose"
    ),
    Feature(
        "near_share", S, "share", "Share of queries far nearer to a remembered one than is benign"
    ),
    Feature("collinear_share", S, "share", "Share of queries on a line with two remembered ones"),
    Feature("structured_share", S, "share", "Share of queries in a line, mirror or fixed step"),
    Feature("routine_share", S, "share", "Share of queries that repeat a sweep on another record"),
    Feature("flip_share", A, "share", "Share of queries whose label differs from a close query's"),
    Feature("probed_records", S, "records", "Records that conspicuous queries stayed about"),
    Feature("margin", A, "score", "Mean of best minus second-best score"),
    Feature("low_margin_share", A, "share", "Share of margins under the reference's 5% quantile"),
    Feature("label_dominance", A, "share", "Share of the most frequent label"),
    Feature(
        "record_share", A, "share", "Share of queries that set a class's highest score by probing"
    ),
    Feature("climb", A, "share", "Rise of the climbing class's best score, of the scores' range"),
    Feature("rate", T, "queries/min", "Queries a minute over the client's life"),
    Feature("irregularity", T, "ratio", "Coefficient of variation of the time between queries"),
)

NAMES = tuple(feature.name for feature in CATALOGUE)
