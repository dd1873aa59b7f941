"""What every hypothesis must do; `test_hypotheses.py` holds `hypotheses.ALL` to it."""

import pickle

import pytest

from detector.incidents.atlas import TECHNIQUES
from detector.scoring.finding import AttackClass
from detector.scoring.hypothesis import Hypothesis, Need
from detector.scoring.signs import SIGNS
from tests.scoring.situations import NAMES, situation

NEEDS = {sign.name: sign.needs for sign in SIGNS}


class HypothesisConformance:
    """Subclass and provide the fixture `hypothesis`."""

    def test_it_is_named_and_classed(self, hypothesis: Hypothesis) -> None:
        assert hypothesis.technique.isidentifier()
        assert hypothesis.attack_class in set(AttackClass) - {AttackClass.ANOMALY}
        assert hypothesis.budget > 0
        assert set(hypothesis.atlas) <= set(TECHNIQUES)
        assert len(set(hypothesis.atlas)) == len(hypothesis.atlas) > 0

    def test_it_is_carried_by_signs_that_exist(self, hypothesis: Hypothesis) -> None:
        assert hypothesis.signs
        assert hypothesis.signs <= NEEDS.keys()

    def test_what_all_of_its_signs_need_it_says_to_need(self, hypothesis: Hypothesis) -> None:
        always = frozenset.intersection(*(NEEDS[name] for name in hypothesis.signs))
        assert always <= hypothesis.needs

    def test_one_of_its_signs_is_in_reach_of_the_logs_that_it_is_offered_for(
        self, hypothesis: Hypothesis
    ) -> None:
        without = frozenset(Need) - {Need.REFERENCE}
        if Need.REFERENCE not in hypothesis.needs:
            assert any(NEEDS[name] <= without for name in hypothesis.signs)

    def test_it_pickles_and_keeps_no_state(self, hypothesis: Hypothesis) -> None:
        before = pickle.dumps(hypothesis)
        again = pickle.loads(before)  # noqa: S301 - made by the line above
        for at in map(situation, NAMES):
            assert again.holds(at) == hypothesis.holds(at) == hypothesis.holds(at)
            assert again.evidence(at) == hypothesis.evidence(at) == hypothesis.evidence(at)
        assert pickle.dumps(hypothesis) == before
        assert not vars(hypothesis)

    @pytest.mark.parametrize("name", NAMES)
    def test_reading_a_client_changes_nothing(self, hypothesis: Hypothesis, name: str) -> None:
        at = situation(name)
        before = at.view.table.block.rows.tobytes()
        hypothesis.holds(at)
        hypothesis.evidence(at)
        assert at.view.table.block.rows.tobytes() == before

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
