"""Sentences and numbers that several hypotheses share; the three families on every incident."""

from detector.features.catalogue import CATALOGUE, Family
from detector.features.observation import Probe
from detector.features.state import Stat
from detector.scoring.finding import Evidence
from detector.scoring.hypothesis import Situation

FAMILIES = {
    Family.ENTROPY: ("query_entropy", "field_entropy", "label_entropy"),
    Family.COVERAGE: ("coverage", "strange_share", "off_grid_share"),
    Family.SIMILARITY: ("nearest_distance", "one_field_share", "near_share", "repeat_share"),
}


def statement(kind: str, text: str, **numbers: int | float | str) -> Evidence:
    """Return an evidence; numbers are rounded for reading."""
    rounded = {k: round(v, 4) if isinstance(v, float) else v for k, v in numbers.items()}
    return Evidence(kind, text, rounded)


def families(at: Situation) -> tuple[Evidence, ...]:
    """Return one statement for each family that the product promises to show."""
    units = {feature.name: feature.unit for feature in CATALOGUE}
    found = []
    for family, names in FAMILIES.items():
        numbers = {name: at.features[name] for name in names if name in at.features}
        if numbers:
            parts = (f"{n.replace('_', ' ')} {_amount(v, units[n])}" for n, v in numbers.items())
            kind = family.value.replace(" ", "_").replace("-", "_")
            found.append(statement(kind, f"{family.value.capitalize()}: {', '.join(parts)}",
                                   **numbers))  # fmt: skip
    return tuple(found)


def field_name(at: Situation, column: int) -> str:
    """Return the name of a folded column."""
    return at.names[column] if column < len(at.names) else f"#{column}"


def busiest_field(at: Situation) -> tuple[str, float]:
    """Return the field that changed alone most often of late, and in which share of the changes."""
    counts = at.view.table.changed[at.view.row]
    column = int(counts.argmax())
    return field_name(at, column), float(counts[column]) / max(float(counts.sum()), 1.0)


def swept_field(at: Situation) -> str:
    """Return the field that takes the same values on most records."""
    return field_name(at, int(at.view.stat(Stat.SWEPT_FIELD)) - 1)


def _amount(value: float, unit: str) -> str:
    return percent(value) if unit == "share" else f"{value:.2f} {unit}"


def percent(share: float) -> str:
    """Return a share for a sentence."""
    return f"{100 * share:.0f}%"


def counted(at: Situation, *probes: Probe) -> int:
    """Return how many of the client's inputs were seen as one of these probes."""
    return at.view.count(frozenset(probes))
