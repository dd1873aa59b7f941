"""The report's figures: what `evaluate --json` prints, tables show and the page is drawn from.

The shape is a contract (`schemas/evaluation/v1.schema.json`). Shares lie in [0, 1]; queries are
ordinals from 1 among the client's own; None stands where there is nothing to count.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from detector.evaluation.curves import Curves
from detector.evaluation.metrics import Totals
from detector.scoring.finding import AttackClass

MATERIAL_GAIN = 0.05


@dataclass(frozen=True, slots=True)
class Technique:
    """Pure streams of one technique.

    Attributes:
        attack_class: Its class.
        streams: How many.
        found: Share found.
        right_class: Share whose most credible incident at the end has the class.
        median_query: Query of the first alarm; None when fewer than half have one.
        budget: Median number of queries in a stream.
        detectable: False for what no log can show; such streams are in no total.
        named: By technique under which the most credible incident stands: how many streams.
    """

    attack_class: AttackClass
    streams: int
    found: float
    right_class: float
    median_query: float | None
    budget: float | None
    detectable: bool
    named: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Hidden:
    """Attack streams that hide; queries counted among the attack's own."""

    streams: int
    found: float
    right_class: float
    median_attack_query: float | None


@dataclass(frozen=True, slots=True)
class Lives:
    """Benign clients of one kind."""

    clients: int
    alarmed: int
    upper_bound: float


@dataclass(frozen=True, slots=True)
class Early:
    """Shares of a technique's streams found by that query, or before the second record ended."""

    by_32: float
    by_64: float
    by_330: float
    before_second_record: float | None


@dataclass(frozen=True, slots=True)
class Group:
    """Everything about one deployment, output form or wire."""

    attack_streams: int
    found: float
    right_class: float
    benign_clients: int
    false_clients: int


@dataclass(frozen=True, slots=True)
class Fidelity:
    """What extraction had gained when it was found.

    Attributes:
        streams: Extraction streams tried.
        material: Those whose gain over chance was at least `MATERIAL_GAIN` in the end.
        share_at_detection: Median share of the final gain that they had at the alarm.
        median_final: Median agreement in the end, of the material ones.
        median_chance: Median agreement of the commonest answer, of the same.
        by_technique: The median share by technique.
    """

    streams: int
    material: int
    share_at_detection: float | None
    median_final: float | None
    median_chance: float | None
    by_technique: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class Mistake:
    """One client about whom detection was wrong.

    Attributes:
        model: The deployment.
        client: The attack's variant or the benign kind.
        queries: How many the client made.
        alarm: Query of the first alarm, None for never.
        named: Technique of the most credible incident at the end; empty for none.
        statements: Its evidence.
    """

    model: str
    client: str
    queries: int
    alarm: int | None
    named: str
    statements: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Figures:
    """All figures but the bars."""

    totals: Totals
    budget_share: float | None
    techniques: Mapping[str, Technique]
    variants: Mapping[str, Technique]
    mixing: Mapping[str, Hidden]
    slow: Mapping[str, Hidden]
    benign: Mapping[str, Lives]
    baselines: Mapping[str, Totals]
    fidelity: Fidelity
    state_bytes: Mapping[str, int]
    by_query: Mapping[str, Early]
    forms: Mapping[str, Group]
    label_only_share_of_full: float | None
    wires: Mapping[str, Group]
    deployments: Mapping[str, Group]
    missed: tuple[Mistake, ...]
    false_alarms: tuple[Mistake, ...]
    curves: Curves


@dataclass(frozen=True, slots=True)
class Bar:
    """One thing that was promised.

    Attributes:
        name: What should hold.
        target: The figure to reach.
        at_least: Whether the figure must not be lower, instead of not higher.
        figure: What was measured; None when the run had nothing to measure it on.
        met: Whether it holds; None without a figure.
    """

    name: str
    target: float
    at_least: bool
    figure: float | None
    met: bool | None


@dataclass(frozen=True, slots=True)
class Report:
    """A run and what it showed.

    Attributes:
        split: Which streams.
        size: How much of them.
        only: What it was narrowed down to.
        seed: Of the simulation.
        seconds: Wall-clock time.
        figures: The figures.
        bars: The bars, met or not.
    """

    split: str
    size: str
    only: tuple[str, ...]
    seed: int
    seconds: float
    figures: Figures
    bars: tuple[Bar, ...]
