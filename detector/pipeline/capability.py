"""What a log supports: which hypotheses it can show, which not, and what to add to it.

Everything follows from what a hypothesis declares to need and from the table of `supplies`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from detector.pipeline.census import LogFacts, ModelFacts
from detector.pipeline.supplies import NOTABLE, SUPPLIES, Condition, Supply, Support, notes
from detector.scoring.finding import AttackClass
from detector.scoring.hypotheses import ALL
from detector.scoring.hypothesis import Hypothesis, Need


class Strength(StrEnum):
    """How far a client's id can be trusted to name one client, and always the same."""

    STRONG = "strong"
    FAIR = "fair"
    WEAK = "weak"
    NONE = "none"


@dataclass(frozen=True, slots=True)
class SupplyReport:
    """What the log gives of one need or condition.

    Attributes:
        name: The need or condition.
        support: How much there is.
        found: What there is, in words.
        add: What to do to have it all; empty where it is all there.
        gains: Techniques that would see more, in the order of the hypotheses.
    """

    name: str
    support: Support
    found: str
    add: str
    gains: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class HypothesisReport:
    """How well one hypothesis can see; `lacks` names the supplies that are not full."""

    technique: str
    attack_class: AttackClass
    support: Support
    lacks: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ModelReport:
    """One model: what is logged, what that supports, and what else is worth knowing."""

    facts: ModelFacts
    identity: Strength
    supplies: tuple[SupplyReport, ...]
    hypotheses: tuple[HypothesisReport, ...]
    notes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class CapabilityReport:
    """A whole log; `facts` holds the counts that belong to no model."""

    facts: LogFacts
    models: tuple[ModelReport, ...]


def judge(log: LogFacts, hypotheses: Sequence[Hypothesis] = ALL) -> CapabilityReport:
    """Return what the log supports of these hypotheses, model by model."""
    return CapabilityReport(log, tuple(judge_model(model, hypotheses) for model in log.models))


def judge_model(model: ModelFacts, hypotheses: Sequence[Hypothesis] = ALL) -> ModelReport:
    """Return what the log supports for one model."""
    given = {name: supply.support(model) for name, supply in SUPPLIES.items()}
    reports = tuple(_hypothesis(item, given) for item in hypotheses)
    needed = {need for item in hypotheses for need in item.needs}
    supplies = tuple(
        _supply(name, supply, model, given[name], reports)
        for name, supply in SUPPLIES.items()
        if isinstance(name, Condition) or name in needed
    )
    strength = _strength(model, given[Condition.IDENTITY])
    return ModelReport(model, strength, supplies, reports, notes(model))


def _strength(model: ModelFacts, support: Support) -> Strength:
    if support is Support.FULL:
        named_by_header = model.identity.sources.get("header", 0.0) >= NOTABLE
        return Strength.FAIR if named_by_header else Strength.STRONG
    return Strength.WEAK if support is Support.WEAKENED else Strength.NONE


def _hypothesis(
    hypothesis: Hypothesis, given: Mapping[Need | Condition, Support]
) -> HypothesisReport:
    """A hypothesis sees as well as the worst of what it needs and of the conditions."""
    relevant = [n for n in given if isinstance(n, Condition) or n in hypothesis.needs]
    worst = max((given[name] for name in relevant), key=list(Support).index)
    lacks = tuple(name.value for name in relevant if given[name] is not Support.FULL)
    return HypothesisReport(hypothesis.technique, hypothesis.attack_class, worst, lacks)


def _supply(
    name: Need | Condition,
    supply: Supply,
    model: ModelFacts,
    support: Support,
    hypotheses: Sequence[HypothesisReport],
) -> SupplyReport:
    lacking = support is not Support.FULL
    return SupplyReport(
        name=name.value,
        support=support,
        found=supply.found.format(m=model),
        add=supply.add if lacking else "",
        gains=tuple(item.technique for item in hypotheses if name.value in item.lacks),
    )
