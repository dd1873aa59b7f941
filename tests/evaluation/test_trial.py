"""Whole small runs: what is simulated, and that the figures speak of the detection given."""

from collections.abc import Sequence
from dataclasses import replace
from functools import partial

import numpy as np
import pytest

from detector import bootstrap_evaluation
from detector.config import Settings
from detector.evaluation import generate
from detector.evaluation.attacks import ATTACKS
from detector.evaluation.attacks.attack import Attack
from detector.evaluation.fidelity_curve import Judge
from detector.evaluation.mixing import Mixture, covered, slowed
from detector.evaluation.narrow import choose, deployment_name
from detector.evaluation.observer import Watched
from detector.evaluation.outcome import Outcome
from detector.evaluation.records import Records
from detector.evaluation.run import Options, evaluate
from detector.evaluation.space import Space
from detector.evaluation.splits import DEPLOYMENTS, Split
from detector.evaluation.streams import DAY, Service, Stream, attack_stream
from detector.evaluation.summary import summarise
from detector.evaluation.workload import SMALL, Role, Workload
from detector.events.located import LocatedEvent
from detector.kit.errors import ConfigurationError

TINY = Workload(
    reference_clients=40,
    clients_per_kind=1,
    streams_per_attack=1,
    mixed_per_share=1,
    slow_streams=2,
    mixed_queries=120,
    max_lifetime=300,
    rival_clients=1,
)
WORDS = ("wine-mlp-full", "path_finding", "jbda", "noise_distance", "regular", "what_if")
OPTIONS = Options(Split.TUNING, TINY, WORDS, workers=1)
PRODUCT = partial(bootstrap_evaluation.observer, Settings())


class Deaf:
    """Detection that never finds anything."""

    def learn(self, events: Sequence[LocatedEvent]) -> None:
        pass

    def watch(self, events: Sequence[LocatedEvent]) -> Watched:
        return Watched((), ())

    def state_bytes(self, fields: int) -> int:
        return 0


@pytest.fixture(scope="module")
def service() -> Service:
    [(_, wine), *_] = choose(Split.TUNING, ("wine-mlp-full",)).deployments
    return generate.services(wine, Split.TUNING, 0)[1]


@pytest.fixture(scope="module")
def outcomes() -> list[Outcome]:
    return evaluate(OPTIONS, PRODUCT)


def attack(name: str) -> Attack:
    return next(attack for attack in ATTACKS if attack.name == name)


def pure(service: Service, name: str, budget: int = 200) -> Stream:
    return attack_stream(service, "c", attack(name), budget, 0.0, np.random.default_rng(1))


def test_a_covered_attack_keeps_its_order_and_its_share(service: Service) -> None:
    source = pure(service, "jbda")
    stream, is_attack = covered(service, "c", source, Mixture(100, 0.9), np.random.default_rng(2))
    assert (len(stream.events), is_attack.sum()) == (1000, 100)
    own = [e["input"] for e, mine in zip(stream.events, is_attack, strict=True) if mine]
    assert own == [event["input"] for event in source.events[:100]]
    times = [event["time"] for event in stream.events]
    assert times == sorted(times)
    assert {event["client_id"] for event in stream.events} == {"c"}


def test_a_slow_attack_takes_weeks(service: Service) -> None:
    stream = slowed(pure(service, "jbda"), np.random.default_rng(2))
    times = [event["time"] for event in stream.events]
    assert times == sorted(times)
    assert 1.9 * 7 * DAY <= (times[-1] - times[0]) / 1000 <= 6.1 * 7 * DAY


def test_a_record_ends_where_the_next_but_one_begins(service: Service) -> None:
    stream = pure(service, "noise_distance")  # one query, then 5 times 10, a record
    assert Records(service.target).second_end(stream) == 2 * 51
    assert Records(service.target).second_end(pure(service, "jbda")) is None


def test_a_surrogate_of_all_answers_beats_chance_and_one_of_none_does_not(
    service: Service,
) -> None:
    target = service.target
    judge = Judge(target, seed=0)
    points = Space(target.dataset).encode(target.members)
    gain = judge.gain(points, target.answer(target.members).labels, alarm=1)
    assert gain.final > 0.8 > gain.chance
    assert gain.gain_at_alarm < 0.2 < gain.gain


def test_the_figures_do_not_depend_on_the_number_of_processes(outcomes: list[Outcome]) -> None:
    two = ("wine-mlp-full", "wine-logistic", *WORDS[1:])
    spread = evaluate(replace(OPTIONS, only=two, workers=2), PRODUCT)
    places = {outcome.place.model_id for outcome in spread}
    assert len(places) == 2
    assert [o for o in spread if o.place.model_id == "wine-mlp-full"] == outcomes


def test_another_seed_gives_other_clients(outcomes: list[Outcome]) -> None:
    quick = replace(OPTIONS, only=(*WORDS[:2], "regular"), rivals=False)
    lives = [
        [o.queries for o in evaluate(replace(quick, seed=seed), Deaf) if o.role is Role.BENIGN]
        for seed in (0, 1)
    ]
    assert lives[0] != lives[1]


def test_every_client_that_was_asked_for_is_there(outcomes: list[Outcome]) -> None:
    roles = [(o.role, o.label) for o in outcomes]
    assert [label for role, label in roles if role is Role.PURE] == [
        "path_finding", "jbda", "noise_distance",
    ]  # fmt: skip
    assert [label for role, label in roles if role is Role.BENIGN] == ["regular", "what_if"]
    assert len({o.share for o in outcomes if o.role is Role.MIXED}) == 6
    assert sum(o.role is Role.SLOW for o in outcomes) == 2


def test_a_detection_that_hears_nothing_finds_nothing() -> None:
    only = (*WORDS[:2], "regular")
    figures = summarise(evaluate(replace(OPTIONS, only=only, rivals=False), Deaf), {})
    assert figures.totals.attack_streams == 1
    assert figures.totals.found == figures.totals.right_class == 0.0
    assert figures.fidelity.streams == 0
    assert figures.baselines == {}


def test_an_alarm_counts_the_attack_s_own_queries(outcomes: list[Outcome]) -> None:
    alarmed = [o for o in outcomes if o.alarm is not None and o.attack_class is not None]
    assert alarmed
    for outcome in alarmed:
        assert outcome.alarm is not None
        assert outcome.alarm_attack is not None
        assert outcome.alarm_attack <= min(outcome.alarm, outcome.attack_queries)


def test_the_product_finds_what_is_plain_and_leaves_benign_clients_alone() -> None:
    """A broken detector would miss these figures; the bars are held by the whole run."""
    only = ("hmda-forest-label", "spam7-tree-full")
    words = ("path_finding", "uniform", "jbda", "sweep", "augmentation", "noise_distance")
    kinds = ("regular", "what_if", "retry", "nightly_batch", "health_check")
    options = Options(Split.TUNING, SMALL, (*only, *words, *kinds), rivals=False)
    totals = summarise(evaluate(options, PRODUCT), {}).totals
    assert totals.attack_streams == 12
    assert totals.found >= 0.75
    assert totals.right_class >= 0.6
    assert totals.median_query is not None
    assert totals.median_query <= 100
    assert totals.benign_clients == 30
    assert totals.false_clients <= 1


def test_state_is_measured_on_what_the_product_holds() -> None:
    product = PRODUCT()
    sizes = [product.state_bytes(fields) for fields in (8, 32, 64, 768)]
    assert 3000 < sizes[0] < sizes[1] <= 4096 < sizes[2] == sizes[3] < 6000


def test_words_narrow_a_split_down() -> None:
    chosen = choose(Split.TUNING, ("wine", "tree_path_finding", "retry"))
    assert {d.dataset for _, d in chosen.deployments} == {"wine"}
    assert {a.technique for a in chosen.attacks} == {"tree_path_finding"}
    assert chosen.kinds == ("retry",)
    whole = choose(Split.TUNING, ("wine",))
    assert len(whole.attacks) > len(chosen.attacks)
    assert len(whole.kinds) > 1
    with pytest.raises(ConfigurationError, match="nonsense"):
        choose(Split.TUNING, ("nonsense",))


@pytest.mark.parametrize("split", list(Split))
def test_every_deployment_has_its_own_name(split: Split) -> None:
    names = [deployment_name(deployment) for deployment in DEPLOYMENTS[split]]
    assert len(set(names)) == len(names)
