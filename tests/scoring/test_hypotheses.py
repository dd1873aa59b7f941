import dataclasses
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any

import numpy as np
import pytest
from msgspec.structs import replace

from detector.events.located import LocatedEvent
from detector.events.model import ModelKey, PredictionEvent
from detector.pipeline.detect import Detector
from detector.pipeline.learning import DetectionPolicy
from detector.reference.picture import Reference
from detector.scoring.finding import AttackClass, Finding
from detector.scoring.hypotheses import ALL, LAST_RESORT
from detector.scoring.hypotheses.wording import FAMILIES, families
from detector.scoring.hypothesis import Hypothesis, Situation
from detector.scoring.traits import Traits
from tests.scoring.conformance import HypothesisConformance
from tests.scoring.situations import CREDIBLE, QUERIES, moment, situation
from tests.scoring.traffic import (
    ATTACKS,
    MODEL,
    START_MS,
    Attack,
    attribute_sweep,
    benign,
    close_points,
    event,
    interleave,
    line_search,
    located,
    path_finding,
    person,
    random_querying,
    reference,
    sphere,
)


@pytest.fixture(params=ALL, ids=lambda item: item.technique)
def hypothesis(request: pytest.FixtureRequest) -> Hypothesis:
    found: Hypothesis = request.param
    return found


class TestConformance(HypothesisConformance):
    pass


def test_techniques_are_told_apart_by_name() -> None:
    assert len({item.technique for item in ALL}) == len(ALL)


def test_every_class_of_attack_is_looked_for() -> None:
    wanted = {
        AttackClass.EXTRACTION, AttackClass.INVERSION, AttackClass.MEMBERSHIP, AttackClass.EVASION,
        AttackClass.HARVESTING,
    }  # fmt: skip
    assert wanted <= {item.attack_class for item in ALL}


@pytest.mark.parametrize(
    ("attack", "attack_class", "needs_reference"),
    [
        (path_finding, AttackClass.EXTRACTION, False),
        (line_search, AttackClass.EXTRACTION, False),
        (random_querying, AttackClass.EXTRACTION, True),
        (attribute_sweep, AttackClass.INVERSION, False),
        (sphere, AttackClass.INVERSION, True),
    ],
)
def test_attacks_are_found_among_benign_clients_and_classed(
    attack: Attack, attack_class: AttackClass, needs_reference: bool
) -> None:
    streams = [attack("eve", 300, 3), *(benign(f"b{i}", 300, 800 + i) for i in range(8))]
    for known in ({MODEL: reference()}, {}):
        detections = Detector(DetectionPolicy(), known).process(interleave(streams))
        found = [f for f in detections.findings if f.attack_class is not AttackClass.ANOMALY]
        assert {f.client.client_id for f in found} <= {"eve"}
        if known or not needs_reference:
            assert found[-1].attack_class is attack_class
            assert all(f.calibrated is bool(known) for f in found)


def test_where_close_points_go_out_from_tells_what_they_are_for() -> None:
    """One record: evasion. Record after record: membership. None: inversion, or draws"""
    rng = np.random.default_rng(11)
    nobody = {"age": 75, "amount": 500, "months": 36, "income": 4500.0, "debt": 4000.0, "rate": 1.0}
    people = [person(rng) for _ in range(12)]
    bursts = [[someone, *close_points(someone, 19, rng)] for someone in people]
    streams = {
        AttackClass.EVASION: [people[0], *close_points(people[0], 200, rng)],
        AttackClass.MEMBERSHIP: [row for burst in bursts for row in burst],
        AttackClass.INVERSION: close_points({**nobody, "purpose": "car"}, 200, rng),
        AttackClass.EXTRACTION: close_points({**nobody, "purpose": "car"}, 200, rng, reach=30.0),
    }
    for attack_class, rows in streams.items():
        found = alarms(located(event("eve", i, row) for i, row in enumerate(rows)), KNOWN)
        assert found[-1].attack_class is attack_class


# Close queries in one small region: what the tests below say is put on top of it.
REGION: dict[str, Any] = {
    "queries": 60.0, "one_field": 0.0, "searching": 0.0, "routine": 0.0, "local": 0.6, "lone": 0.4,
    "steps": 0.0, "lines": 0.0, "mirrors": 0.0, "flips": 0.0, "natural": 0.0, "switches": 0.3,
    "same": 0.98, "scattered": 0.0, "spanned": 0.0, "hop": 0.05, "spread": 0.12, "home": 1.0,
    "moves": 0.0, "beyond": 0.0, "homes": 0, "mirrored": 0, "asked": 0, "visits": 0,
}  # fmt: skip


def explained(crosses: bool = False, /, **traits: float) -> str:
    """What a client goes by whose conspicuous queries have these traits, whatever is credible."""
    client = moment("benign")
    credible = CREDIBLE if crosses else CREDIBLE - {"cross"}
    at = Situation(client.view, client.names, QUERIES, True, credible)
    vars(at)["traits"] = Traits(**REGION | traits)
    return next(h.technique for h in ALL if h.signs & at.credible and h.holds(at))


def test_who_has_a_record_in_sight_does_not_invert_a_class() -> None:
    assert explained() == "latent_search"
    assert explained(homes=1, home=0.3) == "boundary_probing"
    assert explained(homes=1, home=0.5) == "latent_search"
    mirrored = {"mirrors": 0.5, "mirrored": 40}
    assert explained(**mirrored) == "confidence_ascent"
    assert explained(**mirrored, homes=1, home=0.3) == "boundary_probing"
    stepped = {"one_field": 0.5, "steps": 0.6}
    assert explained(**stepped) == "confidence_ascent"
    assert explained(**stepped, homes=1, home=0.3) == "boundary_probing"
    assert explained(True, **stepped, homes=1, home=0.3) == "confidence_ascent"
    assert explained(True, **stepped, homes=1, home=0.1) == "coordinate_steps"


def test_who_stays_long_about_each_of_few_records_evades() -> None:
    about = {"home": 0.08, "natural": 0.9, "local": 0.8, "lone": 0.2}
    assert explained(**about, homes=4, moves=0.0) == "boundary_probing"
    assert explained(**about, homes=4, moves=0.02) == "augmentation_membership"
    assert explained(**about, homes=4, moves=0.02, flips=0.2) == "label_only_membership"
    assert explained(**about, homes=9, moves=0.0) == "augmentation_membership"


def test_who_steps_field_by_field_or_hurries_from_record_to_record_evades() -> None:
    visits = {"home": 0.08, "local": 0.8, "lone": 0.2, "homes": 9, "moves": 0.1, "spread": 0.3}
    assert explained(**visits) == "augmentation_membership"
    assert explained(**visits | {"moves": 0.2}) == "boundary_probing"
    assert explained(**visits, steps=0.4) == "boundary_probing"


def test_who_asks_points_as_far_apart_as_from_record_to_record_evades() -> None:
    visits = {"home": 0.2, "homes": 9, "moves": 0.05, "spread": 0.42, "lone": 0.9, "local": 0.1}
    assert explained(**visits, hop=0.25) == "label_only_membership"
    assert explained(**visits, hop=0.35) == "boundary_probing"


def test_who_searches_right_behind_record_after_record_infers_membership() -> None:
    about = {"home": 0.25, "homes": 2, "flips": 0.3, "spread": 0.2, "same": 0.5}
    assert explained(**about, asked=9, visits=2) == "boundary_probing"
    assert explained(**about, asked=9, visits=6) == "label_only_membership"
    assert explained(**about, asked=40, visits=6) == "boundary_probing"
    assert explained(**about | {"flips": 0.1}, asked=9, visits=6) == "boundary_probing"
    pairs = {"mirrors": 0.5, "mirrored": 40}
    assert explained(**about, **pairs, asked=9, visits=6) == "boundary_probing"


def test_lines_from_records_that_are_halved_in_turn_are_no_search_across_the_space() -> None:
    halved = {"lines": 0.5, "local": 0.7, "flips": 0.4, "same": 0.5, "spread": 0.4, "hop": 0.1}
    assert explained(**halved) == "line_search"
    about = {**halved, "home": 0.5, "natural": 0.5, "homes": 8}
    assert explained(**about, moves=0.01) == "label_only_membership"
    assert explained(**about, moves=0.1) == "line_search"


def test_bursts_are_data_free_where_they_are_as_far_apart_as_random_points() -> None:
    assert explained(spread=0.42, hop=0.1, switches=0.3, same=0.4) == "data_free"
    assert explained(spread=0.36, hop=0.1, switches=0.3, same=0.4) == "off_manifold_querying"


def test_points_of_one_class_that_come_from_near_the_last_close_in_on_it() -> None:
    assert explained(spread=0.42, hop=0.1, switches=0.3) == "latent_search"
    assert explained(spread=0.42, hop=0.1, switches=0.3, queries=10.0) == "data_free"
    assert explained(spread=0.36, hop=0.3, switches=0.3) == "off_manifold_querying"


def test_what_makes_lines_is_neither_drawn_nor_generated() -> None:
    assert explained(lines=0.01) == "latent_search"
    assert explained(lines=0.1) == "off_manifold_querying"
    drawn = {"lone": 0.95, "local": 0.05, "hop": 0.1, "spread": 0.12, "homes": 1, "home": 0.2}
    assert explained(**drawn) == "sphere_sampling"
    assert explained(**drawn, lines=0.5) == "off_manifold_querying"


def test_draws_beyond_the_boundary_are_no_walk_along_it() -> None:
    beyond = {"lone": 0.95, "local": 0.05, "hop": 0.1, "home": 0.3, "homes": 1, "beyond": 0.9}
    assert explained(**beyond, same=0.8) == "sphere_sampling"
    assert explained(**beyond | {"lone": 0.8, "local": 0.2}, same=0.8) == "boundary_probing"


def test_pairs_about_points_far_apart_are_no_generators_points() -> None:
    generated = {"spanned": 0.5, "spread": 0.5, "hop": 0.5}
    assert explained(**generated) == "latent_search"
    assert explained(**generated, mirrors=0.9, mirrored=200) == "off_manifold_querying"


def test_fields_whose_few_values_are_tried_in_turn_are_searched() -> None:
    tried = {"one_field": 0.8, "local": 0.1, "searching": 0.02}
    assert explained(**tried) == "tree_path_finding"
    assert explained(**tried, steps=0.5) == "confidence_ascent"


def test_findings_carry_evidence_of_all_three_families_and_where_it_stands() -> None:
    events = located(path_finding("eve", 60, 3))
    detections = Detector(DetectionPolicy(), {MODEL: reference()}).process(events)
    finding = detections.findings[-1]
    kinds = {item.kind for item in finding.evidence}
    assert kinds >= {"query_entropy", "input_space_coverage", "probing_similarity"}
    for item in finding.evidence:
        (span,) = item.ranges
        assert 0 <= span.first_offset <= span.last_offset == finding.position.offset
    assert 0.5 < finding.confidence <= 1.0
    assert 0.0 < finding.progress <= 1.0


def test_families_are_stated_for_every_client_that_sent_inputs() -> None:
    for name in ("benign", "path_finding"):
        assert len(families(situation(name))) == len(FAMILIES)


def test_what_needs_a_reference_never_fires_without_one() -> None:
    model = ModelKey("", "credit")
    streams = [random_querying(f"eve-{i}", 400, i) for i in range(3)]
    findings = Detector(DetectionPolicy()).process(interleave(streams)).findings
    needing = {item.technique for item in ALL if "reference" in item.needs}
    assert not {f.technique for f in findings if f.client.model_id == model.model_id} & needing


KNOWN = {MODEL: reference()}
A_DAY = 100
LATE = (path_finding, line_search, random_querying)


def alarms(events: Sequence[LocatedEvent], known: Mapping[ModelKey, Reference]) -> list[Finding]:
    """Findings that an analyst would be called for."""
    found = Detector(DetectionPolicy(), known).process(events).findings
    return [item for item in found if item.attack_class is not AttackClass.ANOMALY]


def slowly(n: int, seed: int) -> list[PredictionEvent]:
    """A benign client that asks evenly, `A_DAY` queries a day."""
    pause = timedelta(days=1) // A_DAY // timedelta(milliseconds=1)
    stream = benign("eve", n, seed)
    return [replace(item, time_ms=START_MS + i * pause) for i, item in enumerate(stream)]


@pytest.mark.parametrize("attack", LATE)
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_an_attack_after_a_long_benign_life_is_found_within_64_of_its_queries(
    attack: Attack, seed: int
) -> None:
    life = slowly(2000, 50 + seed)
    later = timedelta(days=2000 // A_DAY) // timedelta(milliseconds=1)
    late = [replace(item, time_ms=item.time_ms + later) for item in attack("eve", 64, seed)]
    found = alarms(located([*life, *late]), KNOWN)
    assert found
    assert found[0].query > 2000
    assert found[0].attack_class is AttackClass.EXTRACTION


@pytest.mark.parametrize("attack", LATE)
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_nine_benign_queries_between_any_two_do_not_hide_an_attack(
    attack: Attack, seed: int
) -> None:
    hostile, cover = attack("eve", 100, seed), benign("eve", 900, 60 + seed)
    events = [item for i, own in enumerate(hostile) for item in (own, *cover[9 * i : 9 * i + 9])]
    assert alarms(located(events), KNOWN)


def test_far_more_distinct_queries_than_anybody_makes_in_a_day_are_harvesting() -> None:
    days = dataclasses.replace(reference(), volume_days=9.0)
    found = alarms(located(benign("eve", 4000, 70)), {MODEL: days})
    assert {item.technique for item in found} == {"harvesting"}
    assert found[0].query > 1000
    assert any("distinct queries" in item.statement for item in found[0].evidence)


def test_two_minutes_of_benign_traffic_do_not_show_how_much_a_day_holds() -> None:
    assert not alarms(located(benign("eve", 4000, 70)), KNOWN)


def test_the_same_queries_over_weeks_are_not_harvesting() -> None:
    assert not alarms(located(slowly(4000, 70)), KNOWN)


def test_the_same_query_again_and_again_is_not_harvesting() -> None:
    row = person(np.random.default_rng(0))
    assert not alarms(located(event("eve", i, row) for i in range(4000)), KNOWN)


def test_a_client_has_one_explanation_at_a_time_and_says_which_it_replaced() -> None:
    streams = [attack(attack.__name__, 300, seed) for seed, attack in enumerate(ATTACKS)]
    mixed = [
        *random_querying("eve", 150, 7), *sphere("eve", 150, 8), *path_finding("eve", 300, 9),
    ]  # fmt: skip
    standing: dict[str, str] = {}
    for found in alarms(interleave([*streams, mixed]), KNOWN):
        client = found.client.client_id
        before = standing.get(client, found.technique)
        assert found.supersedes == ((before,) if before != found.technique else ())
        assert found.technique == before or found.technique not in LAST_RESORT
        standing[client] = found.technique
    assert len(standing) == len(ATTACKS) + 1


def test_benign_clients_that_no_reference_has_seen_raise_no_alarm() -> None:
    for first in range(0, 150, 50):
        crowd = [benign(f"new-{k}", 120, 5000 + k) for k in range(first, first + 50)]
        assert not alarms(interleave(crowd), KNOWN)
