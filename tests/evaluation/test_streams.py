"""Simulated clients: their truth, budgets, times and habits."""

from collections import Counter
from collections.abc import Sequence

import numpy as np
import pytest

from detector.evaluation import benign, generate, population
from detector.evaluation.attacks import ATTACKS
from detector.evaluation.attacks.attack import SLOW, Attack
from detector.evaluation.generate import Size
from detector.evaluation.models import ModelKind, OutputForm, Target
from detector.evaluation.splits import Deployment, Split, benign_kinds_of
from detector.evaluation.streams import DAY, Service, Stream, attack_stream, benign_stream

SPAM = Deployment("spam7", ModelKind.TREE, OutputForm.FULL)
SMALL = Size(reference_clients=40, clients_per_kind=1, max_queries=60)
BUDGET = 60


@pytest.fixture(scope="module")
def service() -> Service:
    _, now = generate.services(SPAM, Split.TUNING, seed=0)
    return now


def named(name: str) -> Attack:
    [attack] = [a for a in ATTACKS if a.name == name]
    return attack


def seconds(stream: Stream) -> Sequence[float]:
    return [event["time"] / 1000 for event in stream.events]


@pytest.mark.parametrize(
    "attack", [a for a in ATTACKS if not a.is_volume], ids=lambda attack: attack.name
)
def test_an_attack_stream_keeps_its_budget_and_says_what_it_is(
    service: Service, attack: Attack
) -> None:
    stream = attack_stream(service, "eve", attack, BUDGET, 0.0, np.random.default_rng(1))
    truth = stream.truth()
    assert truth["queries"] == len(stream.events) == BUDGET
    assert truth["attack_class"] == attack.attack_class
    assert (truth["technique"], truth["variant"]) == (attack.technique, attack.name)
    assert truth["detectable"] == (attack.technique != "roster")
    assert list(seconds(stream)) == sorted(seconds(stream))


def test_ordinary_queries_beside_an_attack_leave_it_as_it_is(service: Service) -> None:
    attack = named("uniform")
    pure, mixed = (
        attack_stream(service, "eve", attack, BUDGET, share, np.random.default_rng(4))
        for share in (0.0, 0.75)
    )
    kept = iter([(event["input"], event["output"]) for event in mixed.events])
    assert len(mixed.events) == 4 * BUDGET
    assert all((event["input"], event["output"]) in kept for event in pure.events)


@pytest.mark.parametrize("name", ["harvest_burst", "harvest_steady"])
def test_no_ceiling_cuts_a_harvest(service: Service, name: str) -> None:
    attack = named(name)
    [stream] = generate.attack_streams(service, [attack], Size(max_queries=60, shares=(0.5,)), 0)
    assert len(stream.events) == attack.budget >= 10_000
    inputs = {str(event["input"]) for event in stream.events}
    assert len(inputs) == len(stream.events)
    span = seconds(stream)[-1] - seconds(stream)[0]
    assert span < (DAY if name == "harvest_burst" else 2.1 * DAY)
    if name == "harvest_burst":
        assert len(stream.events) / span > 5


@pytest.mark.parametrize("share", [0.0, 0.5])
def test_slow_attacks_leave_hours_between_queries(service: Service, share: float) -> None:
    rng = np.random.default_rng(2)
    stream = attack_stream(service, "eve", named("uniform"), BUDGET, share, rng, pace=SLOW)
    times = np.array(seconds(stream))
    assert 14 * DAY * 0.9 < times[-1] - times[0] <= 42 * DAY
    assert np.median(np.diff(times)) > 3600
    assert len(times) == round(BUDGET / (1 - share))


@pytest.mark.parametrize("kind", benign.KINDS)
def test_a_benign_client_asks_as_often_as_planned(service: Service, kind: str) -> None:
    stream = benign_stream(service, "ann", kind, 90, np.random.default_rng(3))
    assert stream.truth()["queries"] == 90
    assert stream.truth()["attack_class"] is None
    assert list(seconds(stream)) == sorted(seconds(stream))


def test_reference_clients_live_as_long_as_the_logs(service: Service) -> None:
    size = Size(reference_clients=80, clients_per_kind=8, max_queries=400)
    kinds = benign_kinds_of(Split.TUNING)
    reference = [len(s.events) for s in generate.reference_streams(service, kinds, size, 0)]
    log = [len(s.events) for s in generate.benign_streams(service, kinds, size, 0)]
    for share in (0.25, 0.5, 0.75):
        ratio = np.quantile(reference, share) / np.quantile(log, share)
        assert 0.6 < ratio < 1.6
    assert np.mean(np.array(reference) >= 60) > 0.6


def test_a_paging_user_repeats_pages_and_keeps_an_order(service: Service) -> None:
    rng = np.random.default_rng(5)
    weights = benign.mixture(service.population, service.newcomer, rng)
    scene = benign.Scene(service.population, service.target, weights, service.newcomer, rng)
    rows = benign.paging_user(scene, 400).rows
    assert len(rows) == 400
    assert max(Counter(map(bytes, rows)).values()) >= 2
    in_order = (np.diff(rows, axis=0) >= 0).mean(axis=0)
    assert in_order.max() > 0.75


def test_rows_between_the_same_two_are_not_collinear(cancer_target: Target) -> None:
    people = population.build(cancer_target.dataset, cancer_target.outside, seed=0)
    drawn = people.varied(np.zeros(300, dtype=np.intp), np.random.default_rng(0))
    toward = people.rows[people.neighbours[0]] - people.rows[0]
    scaled = (drawn - people.rows[0])[:, people.spread > 0]
    axes = toward[:, people.spread > 0]
    residual = scaled - scaled @ np.linalg.pinv(axes) @ axes
    assert (np.linalg.norm(residual / people.spread[people.spread > 0], axis=1) > 0.01).mean() > 0.5
