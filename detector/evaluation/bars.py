"""What querywatch promises to reach, held against the figures of a run."""

from collections.abc import Iterable, Mapping

from detector.evaluation.figures import Bar, Early, Figures, Hidden
from detector.evaluation.metrics import Totals
from detector.scoring.finding import AttackClass

EARLY = ("tree_path_finding", "equation_solving", "attribute_sweep")
BY_RECORD = "boundary_distance"
ENOUGH_CLIENTS = 10_000
STATED_FIELDS = "32"
STATE_BYTES = 4096


def bars_of(figures: Figures) -> tuple[Bar, ...]:
    """Return every bar with its figure; none is left out, met or not.

    Where a bar names several techniques or kinds, the figure is the worst one's.
    """
    return (*_attack_bars(figures), *_benign_bars(figures), *_other_bars(figures))


def _attack_bars(figures: Figures) -> tuple[Bar, ...]:
    totals, early, techniques = figures.totals, figures.by_query, figures.techniques
    any_attack = totals.attack_streams > 0
    inversion = [n for n, t in techniques.items() if t.attack_class is AttackClass.INVERSION]
    by_record = early.get(BY_RECORD)
    return (
        _least("attack streams found", 0.99, totals.found if any_attack else None),
        _least("under the right class", 0.95, totals.right_class if any_attack else None),
        _median("median query of the first alarm", 50.0, totals.median_query, totals),
        _median("median share of the budget by then", 0.10, figures.budget_share, totals),
        _least(
            "path-finding, equation solving, attribute sweep: found by query 64",
            0.99,
            _worst(e.by_64 for e in _some(early, EARLY)),
        ),
        _least(
            "inversion: found by query 330",
            0.95,
            _worst(e.by_330 for e in _some(early, inversion)),
        ),
        _least(
            "label-only membership: found before the second record is finished",
            0.95,
            by_record.before_second_record if by_record else None,
        ),
        _least("found at 50% benign queries", 0.95, _found(figures.mixing, "0.5")),
        _least("found at 90% benign queries", 0.80, _found(figures.mixing, "0.9")),
    )


def _benign_bars(figures: Figures) -> tuple[Bar, ...]:
    clients, false = figures.totals.benign_clients, figures.totals.false_clients
    kinds = [lives.alarmed / lives.clients for lives in figures.benign.values()]
    return (
        _most("benign clients with a false incident", 1e-3, false / clients if clients else None),
        _most("the same, of the worst kind", 1e-2, max(kinds, default=None)),
        _least("benign clients watched", float(ENOUGH_CLIENTS), float(clients) or None),
    )


def _other_bars(figures: Figures) -> tuple[Bar, ...]:
    state = figures.state_bytes.get(STATED_FIELDS)
    return (
        _least("label-only logs: share of full scores' found", 0.85,
               figures.label_only_share_of_full),
        _most("extraction: share of the final gain in fidelity at the alarm", 0.25,
              figures.fidelity.share_at_detection),
        _most(f"bytes of state a client at {STATED_FIELDS} fields", float(STATE_BYTES),
              None if state is None else float(state)),
    )  # fmt: skip


def _least(name: str, target: float, figure: float | None) -> Bar:
    return Bar(name, target, True, figure, None if figure is None else figure >= target)


def _most(name: str, target: float, figure: float | None) -> Bar:
    return Bar(name, target, False, figure, None if figure is None else figure <= target)


def _median(name: str, target: float, figure: float | None, totals: Totals) -> Bar:
    """Return a bar on a median that is missed where most streams are never found."""
    if figure is None and totals.attack_streams:
        return Bar(name, target, False, None, False)
    return _most(name, target, figure)


def _some(early: Mapping[str, Early], names: Iterable[str]) -> list[Early]:
    return [early[name] for name in names if name in early]


def _worst(shares: Iterable[float]) -> float | None:
    return min(shares, default=None)


def _found(hidden: Mapping[str, Hidden], share: str) -> float | None:
    return hidden[share].found if share in hidden else None
