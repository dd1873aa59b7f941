from graphlib import TopologicalSorter

import pytest

from detector.events.model import ModelKey
from detector.pipeline.detect import DetectionPolicy, Detector
from detector.scoring.finding import AttackClass
from detector.scoring.hypotheses import ALL
from detector.scoring.hypotheses.wording import FAMILIES, families
from detector.scoring.hypothesis import Hypothesis
from detector.scoring.tables import ScoringPolicy, build_tables
from tests.scoring.conformance import HypothesisConformance
from tests.scoring.situations import situation
from tests.scoring.traffic import (
    MODEL,
    Attack,
    attribute_sweep,
    benign,
    interleave,
    line_search,
    located,
    path_finding,
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


def test_explanations_do_not_go_in_circles() -> None:
    TopologicalSorter({item.technique: item.explains for item in ALL}).prepare()


def test_inversion_extraction_membership_and_evasion_are_all_looked_for() -> None:
    wanted = {
        AttackClass.EXTRACTION, AttackClass.INVERSION, AttackClass.MEMBERSHIP, AttackClass.EVASION,
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


def test_a_stricter_budget_raises_every_threshold() -> None:
    strict, loose = (
        build_tables(ALL, {}, {}, ScoringPolicy(alarm_budget=budget), calibrated=True).thresholds
        for budget in (1e-6, 1e-3)
    )
    assert (strict > loose).all()


def test_what_needs_a_reference_never_fires_without_one() -> None:
    model = ModelKey("", "credit")
    streams = [random_querying(f"eve-{i}", 400, i) for i in range(3)]
    findings = Detector(DetectionPolicy()).process(interleave(streams)).findings
    needing = {item.technique for item in ALL if "reference" in item.needs}
    assert not {f.technique for f in findings if f.client.model_id == model.model_id} & needing


def test_a_known_ceiling_keeps_the_threshold_above_it() -> None:
    name = ALL[0].technique
    plain = build_tables(ALL, {}, {}, ScoringPolicy(), calibrated=True).thresholds
    raised = build_tables(ALL, {}, {name: 40.0}, ScoringPolicy(), calibrated=True).thresholds
    assert raised[0] > 40.0 > plain[0]
    assert (raised[1:] == plain[1:]).all()
