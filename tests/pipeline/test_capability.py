"""What a log supports follows from what it holds and from what hypotheses say they need."""

from collections.abc import Callable, Sequence
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest

from detector.events.decode import Decoder
from detector.pipeline.capability import ModelReport, Strength, SupplyReport, judge
from detector.pipeline.census import LogCensus
from detector.pipeline.learn import MIN_CLIENTS, MIN_EVENTS
from detector.pipeline.supplies import RECOMMENDED_CLIENTS, SUPPLIES, Condition, Support
from detector.scoring.finding import AttackClass
from detector.scoring.hypotheses import ALL
from detector.scoring.hypothesis import Hypothesis, Need
from tests.pipeline.test_census import records

Event = dict[str, Any]
EVERYTHING = frozenset(Need)


def judged(events: Sequence[Event], hypotheses: Sequence[Hypothesis] = ALL) -> ModelReport:
    census = LogCensus()
    census.add(Decoder().decode_all(records(events)))
    [model] = judge(census.facts(), hypotheses).models
    return model


def good_log(clients: int = RECOMMENDED_CLIENTS, each: int = 8) -> list[Event]:
    """A log that lets every hypothesis see all there is."""
    rng = np.random.default_rng(1)
    return [
        {
            "client_id": f"client-{i % clients}",
            "time": 1_772_020_800_000 + 1000 * i,
            "source_ip": f"203.0.113.{i % clients}",
            "input": {"fields": {"age": int(rng.integers(18, 80)), "sum": i % 97}},
            "output": {"label": int(p > 0.5), "scores": [1 - p, p]},
        }
        for i, p in enumerate(rng.beta(2, 2, clients * each))
    ]


def changed(**parts: object) -> list[Event]:
    return [event | parts for event in good_log()]


def of_scores(change: Callable[[float], object]) -> list[Event]:
    return [event | {"output": change(event["output"]["scores"][1])} for event in good_log()]


def needing(*needs: Need) -> Hypothesis:
    """A hypothesis as far as this module looks at one."""
    return cast(
        Hypothesis,
        SimpleNamespace(
            technique="new_one", attack_class=AttackClass.EXTRACTION, needs=frozenset(needs)
        ),
    )


def supply(report: ModelReport, name: str) -> SupplyReport:
    [found] = [item for item in report.supplies if item.name == name]
    return found


def test_every_need_and_condition_is_judged() -> None:
    assert set(SUPPLIES) == {*Need, *Condition}


def test_a_good_log_supports_everything() -> None:
    report = judged(good_log())
    assert [item.technique for item in report.hypotheses] == [item.technique for item in ALL]
    assert {item.support for item in report.hypotheses} == {Support.FULL}
    assert not any(item.lacks for item in report.hypotheses)
    assert not any(item.add or item.gains for item in report.supplies)
    assert report.identity is Strength.STRONG
    assert report.notes == ()


LACKING = {
    "no input": (changed(input=None), Need.INPUT, Support.BLIND),
    "input seldom": (
        [e | ({} if i % 3 else {"input": None}) for i, e in enumerate(good_log())],
        Need.INPUT,
        Support.WEAKENED,
    ),
    "one fingerprint": (changed(input={"fingerprint": "ab"}), Need.INPUT, Support.BLIND),
    "fingerprints": (changed(input={"fingerprint": ["ab", "12"]}), Need.INPUT, Support.WEAKENED),
    "label only": (of_scores(lambda p: {"label": int(p > 0.5)}), Need.SCORES, Support.BLIND),
    "one score": (
        of_scores(lambda p: {"label": 1, "scores": [p]}),
        Need.SCORES,
        Support.WEAKENED,
    ),
    "two digits": (
        of_scores(lambda p: {"scores": [round(1 - p, 2), round(p, 2)]}),
        Need.SCORES,
        Support.WEAKENED,
    ),
    "a value": (of_scores(lambda p: {"value": p}), Need.LABEL, Support.BLIND),
    "few clients": (good_log(RECOMMENDED_CLIENTS - 1), Need.REFERENCE, Support.WEAKENED),
    "too few clients": (good_log(MIN_CLIENTS - 1, 100), Need.REFERENCE, Support.BLIND),
    "too few events": (good_log()[: MIN_EVENTS - 1], Need.REFERENCE, Support.BLIND),
}


@pytest.mark.parametrize("name", LACKING)
def test_what_is_lacking_lowers_whoever_needs_it(name: str) -> None:
    log, need, support = LACKING[name]
    report = judged(log, [*ALL, needing(*EVERYTHING), needing()])
    found = supply(report, need.value)
    assert found.support is support
    assert found.add
    for hypothesis, item in zip(ALL, report.hypotheses, strict=False):
        assert (need.value in item.lacks) == (need in hypothesis.needs)
        assert item.support is not Support.FULL or need not in hypothesis.needs
    assert report.hypotheses[-2].support in (support, Support.BLIND)
    assert report.hypotheses[-1].support is Support.FULL
    assert [item.technique for item in report.hypotheses if need.value in item.lacks] == [
        *found.gains
    ]


@pytest.mark.parametrize(
    ("log", "condition", "strength"),
    [
        (changed(identity_source="ip"), Condition.IDENTITY, Strength.WEAK),
        (
            [e | {"client_id": e["source_ip"]} for e in good_log()],
            Condition.IDENTITY,
            Strength.WEAK,
        ),
        (changed(sampling_rate=0.1), Condition.SAMPLING, Strength.STRONG),
        (
            [e | {"time": e["time"] - 90_000 * (i % 2)} for i, e in enumerate(good_log())],
            Condition.ORDER,
            Strength.STRONG,
        ),
    ],
    ids=["by address", "named by addresses", "sampled", "out of order"],
)
def test_a_bad_condition_weakens_every_hypothesis(
    log: list[Event], condition: Condition, strength: Strength
) -> None:
    report = judged(log)
    assert {item.support for item in report.hypotheses} == {Support.WEAKENED}
    assert {item.lacks for item in report.hypotheses} == {(condition.value,)}
    assert supply(report, condition.value).gains == tuple(item.technique for item in ALL)
    assert report.identity is strength


def test_ids_that_change_from_call_to_call_hide_everything() -> None:
    report = judged([event | {"client_id": f"s-{i}"} for i, event in enumerate(good_log())])
    assert {item.support for item in report.hypotheses} == {Support.BLIND}
    assert report.identity is Strength.NONE


def test_a_hypothesis_is_as_good_as_the_worst_it_needs() -> None:
    log = [event | {"output": {"label": 1, "scores": [0.7]}} for event in changed(input=None)]
    [both] = judged(log, [needing(Need.INPUT, Need.SCORES)]).hypotheses
    assert (both.support, both.lacks) == (Support.BLIND, ("input", "scores"))


def test_what_no_hypothesis_needs_is_not_asked_for() -> None:
    report = judged(good_log(2), [needing(Need.LABEL)])
    names = {item.name for item in report.supplies}
    assert names == {"label", *map(str, Condition)}


@pytest.mark.parametrize(
    ("log", "words"),
    [
        (changed(identity_source="header"), "100% of records name their client by a header"),
        (
            [e | {"client_id": "gw" if i % 4 else "other"} for i, e in enumerate(good_log())],
            "one client sends 75% of the records",
        ),
        (changed(source_ip="203.0.113.1"), "up to 60 clients share an address"),
        (changed(source_ip=None), "no source_ip is logged"),
        (good_log(each=5), "most clients ask 5 times"),
        (changed(input={"features": [1.0] * 65}), "folded to as many columns"),
        (changed(input={"embedding": [0.1, 0.2]}), "compared by the cosine"),
        (changed(input={"fingerprint": "ab"}), "100% of inputs are a single fingerprint"),
        (
            [e | {"input": {"features": [e["output"]["scores"][0]]}} for e in good_log()],
            "most number fields are not rounded",
        ),
    ],
)
def test_notes_say_what_else_matters(log: list[Event], words: str) -> None:
    assert any(words in note for note in judged(log).notes)


def test_an_id_from_a_header_is_fair() -> None:
    assert judged(changed(identity_source="header")).identity is Strength.FAIR
