"""What every hypothesis must do; `test_hypotheses.py` holds `hypotheses.ALL` to it."""

import pickle

import pytest

from detector.features.observation import CODES, Observation, Probe, decode
from detector.incidents.atlas import TECHNIQUES
from detector.scoring.evidence import MAX_STAGES
from detector.scoring.finding import AttackClass
from detector.scoring.hypotheses import ALL
from detector.scoring.hypothesis import SKIP, Hypothesis, Need
from detector.scoring.judge import anomaly
from tests.scoring.situations import NAMES, moment, situation

OBSERVATIONS = [decode(code) for code in range(CODES)]
# What the kernel can see of a model that has no reference.
UNCALIBRATED = [
    seen
    for seen in OBSERVATIONS
    if seen.probe not in {Probe.NEAR, Probe.NEAR_STEP}
    and not (seen.strange or seen.off_grid or seen.low_margin)
]


def depends_on(hypothesis: Hypothesis, flag: str) -> bool:
    """Whether the level ever changes with this flag alone."""
    return any(
        hypothesis.level(seen) != hypothesis.level(Observation(**{**seen._asdict(), flag: True}))
        for seen in OBSERVATIONS
        if not getattr(seen, flag)
    )


class HypothesisConformance:
    """Subclass and provide the fixture `hypothesis`."""

    def test_levels_reach_each_stage_and_never_beyond(self, hypothesis: Hypothesis) -> None:
        levels = {hypothesis.level(seen) for seen in OBSERVATIONS}
        assert levels - {SKIP} == set(range(len(hypothesis.stages) + 1))

    @pytest.mark.parametrize("probe", [Probe.FIRST, Probe.FAR])
    def test_an_ordinary_query_is_nothing(self, hypothesis: Hypothesis, probe: Probe) -> None:
        assert hypothesis.level(decode(64 * probe)) <= 0

    def test_stages_are_sound(self, hypothesis: Hypothesis) -> None:
        assert 1 <= len(hypothesis.stages) <= MAX_STAGES
        for stage in hypothesis.stages:
            assert 0 < stage.benign < stage.attack < 1
            assert 0 < stage.floor < 1
            assert stage.benign_strength > 0
            assert stage.attack_strength > 0

    def test_it_is_named_and_classed(self, hypothesis: Hypothesis) -> None:
        assert hypothesis.technique.isidentifier()
        assert hypothesis.attack_class in set(AttackClass) - {AttackClass.ANOMALY}
        assert hypothesis.budget > 0
        assert set(hypothesis.atlas) <= set(TECHNIQUES)
        assert len(set(hypothesis.atlas)) == len(hypothesis.atlas) > 0

    def test_it_explains_other_techniques_that_exist(self, hypothesis: Hypothesis) -> None:
        known = {other.technique for other in ALL}
        known.add(anomaly(moment("benign"), 0.01, 100).technique)
        assert hypothesis.explains <= known - {hypothesis.technique}

    def test_needs_cover_what_levels_read(self, hypothesis: Hypothesis) -> None:
        assert Need.INPUT in hypothesis.needs
        if depends_on(hypothesis, "flip"):
            assert Need.LABEL in hypothesis.needs
        if depends_on(hypothesis, "low_margin") or depends_on(hypothesis, "record"):
            assert Need.SCORES in hypothesis.needs

    def test_all_stages_are_in_reach_without_a_reference_unless_one_is_needed(
        self, hypothesis: Hypothesis
    ) -> None:
        reached = max(hypothesis.level(seen) for seen in UNCALIBRATED)
        assert reached == len(hypothesis.stages) or Need.REFERENCE in hypothesis.needs

    def test_it_pickles_and_keeps_no_state(self, hypothesis: Hypothesis) -> None:
        before = pickle.dumps(hypothesis)
        again = pickle.loads(before)  # noqa: S301
        for seen in OBSERVATIONS:
            assert again.level(seen) == hypothesis.level(seen) == hypothesis.level(seen)
        for at in map(situation, NAMES):
            assert again.holds(at) == hypothesis.holds(at) == hypothesis.holds(at)
            assert again.evidence(at) == hypothesis.evidence(at) == hypothesis.evidence(at)
        assert pickle.dumps(hypothesis) == before

    @pytest.mark.parametrize("name", NAMES)
    def test_reading_a_client_changes_nothing(self, hypothesis: Hypothesis, name: str) -> None:
        at = situation(name)
        before = pickle.dumps(at.view.table.arrays())
        hypothesis.holds(at)
        hypothesis.evidence(at)
        assert pickle.dumps(at.view.table.arrays()) == before

    @pytest.mark.parametrize("name", NAMES)
    def test_statements_are_sentences_with_their_numbers(
        self, hypothesis: Hypothesis, name: str
    ) -> None:
        said = hypothesis.evidence(situation(name))
        assert len({item.kind for item in said}) == len(said) > 0
        for item in said:
            assert item.kind.isidentifier()
            assert any(letter.isdigit() for letter in item.statement)
            assert "nan" not in item.statement
            assert any(isinstance(value, int | float) for value in item.numbers.values())
