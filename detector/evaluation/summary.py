"""From the outcomes of all clients to the report's figures."""

import math
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TypeVar

from detector.evaluation.curves import curves_of
from detector.evaluation.figures import (
    MATERIAL_GAIN,
    Early,
    Fidelity,
    Figures,
    Group,
    Hidden,
    Lives,
    Mistake,
    Technique,
)
from detector.evaluation.metrics import (
    Totals,
    found_by,
    grouped,
    median,
    median_alarm,
    share,
    totals,
    upper_bound,
)
from detector.evaluation.outcome import Outcome
from detector.evaluation.workload import Role
from detector.scoring.finding import AttackClass

T = TypeVar("T")


def summarise(outcomes: Sequence[Outcome], state_bytes: Mapping[str, int]) -> Figures:
    """Return the figures of a run; `state_bytes` is measured elsewhere, by number of fields."""
    pure = _of(outcomes, Role.PURE)
    judged = [o for o in pure if o.detectable]
    benign = _of(outcomes, Role.BENIGN)
    counted = [*judged, *benign]
    forms = _groups(counted, lambda o: o.place.form)
    return Figures(
        totals=totals(judged, benign),
        budget_share=median([_budget_share(o) for o in judged]),
        techniques=_each(pure, lambda o: o.technique, _technique),
        variants=_each(pure, lambda o: o.label, _technique),
        mixing=_each(_of(outcomes, Role.MIXED), lambda o: f"{o.share:g}", _hidden),
        slow=_each(_of(outcomes, Role.SLOW), lambda o: f"{o.share:g}", _hidden),
        benign={name: _lives(group) for name, group in grouped(benign, lambda o: o.label).items()},
        baselines=_baselines(counted),
        fidelity=_fidelity(judged),
        state_bytes=state_bytes,
        by_query=_each(judged, lambda o: o.technique, _early),
        forms=forms,
        label_only_share_of_full=_ratio(forms.get("label"), forms.get("full")),
        wires=_groups(counted, lambda o: o.place.wire),
        deployments=_groups(counted, lambda o: o.place.model_id),
        missed=_mistakes(o for o in judged if not o.found),
        false_alarms=_mistakes(o for o in benign if o.found),
        curves=curves_of(outcomes),
    )


def _of(outcomes: Iterable[Outcome], role: Role) -> list[Outcome]:
    return [o for o in outcomes if o.role is role]


def _each(
    outcomes: Iterable[Outcome],
    key: Callable[[Outcome], str],
    figure: Callable[[Sequence[Outcome]], T],
) -> dict[str, T]:
    return {name: figure(group) for name, group in sorted(grouped(outcomes, key).items())}


def _budget_share(outcome: Outcome) -> float:
    return math.inf if outcome.alarm is None else outcome.alarm / outcome.queries


def _technique(group: Sequence[Outcome]) -> Technique:
    named = Counter(o.named_technique or "nothing" for o in group)
    return Technique(
        attack_class=next(o.attack_class for o in group if o.attack_class is not None),
        streams=len(group),
        found=share(sum(o.found for o in group), len(group)),
        right_class=share(sum(o.named_right for o in group), len(group)),
        median_query=median_alarm(group),
        budget=median([o.attack_queries for o in group]),
        detectable=group[0].detectable,
        named=dict(named.most_common()),
    )


def _hidden(group: Sequence[Outcome]) -> Hidden:
    return Hidden(
        streams=len(group),
        found=share(sum(o.found for o in group), len(group)),
        right_class=share(sum(o.named_right for o in group), len(group)),
        median_attack_query=median(
            [math.inf if o.alarm_attack is None else o.alarm_attack for o in group]
        ),
    )


def _lives(group: Sequence[Outcome]) -> Lives:
    alarmed = sum(o.found for o in group)
    return Lives(len(group), alarmed, upper_bound(alarmed, len(group)))


def _early(group: Sequence[Outcome]) -> Early:
    ends = [(o.alarm, o.second_record) for o in group if o.second_record is not None]
    before = [alarm is not None and alarm <= end for alarm, end in ends]
    return Early(
        by_32=found_by(group, 32),
        by_64=found_by(group, 64),
        by_330=found_by(group, 330),
        before_second_record=share(sum(before), len(before)) if before else None,
    )


def _groups(outcomes: Iterable[Outcome], key: Callable[[Outcome], str]) -> dict[str, Group]:
    return _each(outcomes, key, _group)


def _group(group: Sequence[Outcome]) -> Group:
    whole = totals(_of(group, Role.PURE), _of(group, Role.BENIGN))
    return Group(
        whole.attack_streams, whole.found, whole.right_class, whole.benign_clients,
        whole.false_clients,
    )  # fmt: skip


def _mistakes(outcomes: Iterable[Outcome]) -> tuple[Mistake, ...]:
    return tuple(
        Mistake(o.place.model_id, o.label, o.queries, o.alarm, o.named_technique, o.statements)
        for o in outcomes
    )


def _ratio(part: Group | None, whole: Group | None) -> float | None:
    if part is None or whole is None or not part.attack_streams or not whole.found:
        return None
    return part.found / whole.found


def _baselines(counted: Sequence[Outcome]) -> dict[str, Totals]:
    tried = [o for o in counted if o.rivals]
    names = tried[0].rivals if tried else ()
    return {name: _rival(tried, name) for name in names}


def _rival(tried: Sequence[Outcome], name: str) -> Totals:
    """Return a baseline's totals; its alarms speak of extraction and of nothing else."""
    attacks, benign = _of(tried, Role.PURE), _of(tried, Role.BENIGN)
    found = [o for o in attacks if o.rivals[name] is not None]
    false = sum(o.rivals[name] is not None for o in benign)
    named = sum(o.attack_class is AttackClass.EXTRACTION for o in found)
    return Totals(
        attack_streams=len(attacks),
        found=share(len(found), len(attacks)),
        right_class=share(named, len(attacks)),
        median_query=median([o.rivals[name] or math.inf for o in attacks]),
        benign_clients=len(benign),
        false_clients=false,
        upper_bound=upper_bound(false, len(benign)),
    )


def _fidelity(judged: Sequence[Outcome]) -> Fidelity:
    tried = [(o.technique, o.fidelity) for o in judged if o.fidelity is not None]
    material = [(name, gain) for name, gain in tried if gain.gain >= MATERIAL_GAIN]
    by_technique: dict[str, list[float]] = {}
    for name, gain in material:
        by_technique.setdefault(name, []).append(gain.gain_at_alarm / gain.gain)
    return Fidelity(
        streams=len(tried),
        material=len(material),
        share_at_detection=median([gain.gain_at_alarm / gain.gain for _, gain in material]),
        median_final=median([gain.final for _, gain in material]),
        median_chance=median([gain.chance for _, gain in material]),
        by_technique={k: median(v) or 0.0 for k, v in sorted(by_technique.items())},
    )
