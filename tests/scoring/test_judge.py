"""Which of several explanations stands, and when it is replaced."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import pytest

from detector.scoring.evidence import DUE, FIRED, LOG_E, LOOK, STANDING, VERDICT, WIDTH
from detector.scoring.finding import AttackClass, Evidence, Finding
from detector.scoring.hypotheses import ALL, LAST_RESORT, WEAK
from detector.scoring.hypothesis import Hypothesis, Need, Situation
from detector.scoring.judge import FEWEST, FRESH, Judge
from detector.scoring.signs import SIGNS
from detector.scoring.tables import ScoringPolicy
from tests.scoring.situations import QUERIES, moment

FIRST_SIGN, SECOND_SIGN = (sign.name for sign in SIGNS[:2])
FIRST_MASK, SECOND_MASK = 1, 2
RESORT = sorted(LAST_RESORT)[0]


@dataclass
class Scripted:
    """A hypothesis that holds when it is told to."""

    technique: str
    signs: frozenset[str] = frozenset({FIRST_SIGN})
    fits: bool = True
    attack_class: AttackClass = AttackClass.EXTRACTION
    atlas: tuple[str, ...] = ()
    needs: frozenset[Need] = frozenset()
    budget: int = 300
    asked: list[Situation] = field(default_factory=list)

    def holds(self, at: Situation) -> bool:
        self.asked.append(at)
        return self.fits

    def evidence(self, at: Situation) -> tuple[Evidence, ...]:
        return (Evidence("scripted", f"{at.query} queries", {"queries": at.query}),)


class Case:
    """One client before a judge of these hypotheses."""

    def __init__(self, *hypotheses: Hypothesis) -> None:
        self.judge = Judge(hypotheses, SIGNS, ScoringPolicy())
        self.evidence = np.zeros((len(SIGNS), WIDTH), dtype=np.float32)
        self.evidence[0, LOG_E], self.evidence[1, LOG_E] = 12.0, 20.0
        self.verdict = np.zeros(VERDICT, dtype=np.int64)
        self.first = np.zeros(len(SIGNS), dtype=np.int64)

    def decide(
        self, mask: int = FIRST_MASK, *, due: bool = True, grown: float = 0.01
    ) -> Finding | None:
        self.evidence[:, LOG_E] += grown
        if due:
            self.verdict[DUE] = 0
        return self.judge.decide(
            mask, moment("path_finding"), self.evidence, self.verdict, self.first
        )

    def technique(self, mask: int = FIRST_MASK) -> str | None:
        found = self.decide(mask)
        return found.technique if found else None

    def decide_twice(self, *, due: bool = True) -> Finding | None:
        """Look again at what was seen for the first time."""
        assert self.decide(due=due) is None
        assert self.verdict[LOOK] == QUERIES + FRESH
        return self.decide(due=due)


def test_the_first_that_is_carried_and_holds_explains_the_client() -> None:
    other = Scripted("other_sign", frozenset({SECOND_SIGN}))
    case = Case(other, Scripted("not_there", fits=False), Scripted("right"), Scripted("later"))
    found = case.decide()
    assert found is not None
    assert (found.technique, found.supersedes) == ("right", ())
    assert not other.asked


def test_nothing_is_said_when_nothing_explains_and_it_is_asked_again_soon() -> None:
    case = Case(Scripted("not_there", fits=False))
    assert case.decide() is None
    assert case.verdict[LOOK] == QUERIES + FRESH
    assert case.verdict[STANDING] == 0


def test_a_sign_stays_credible_while_an_explanation_is_wanted() -> None:
    late = Scripted("late", fits=False)
    case = Case(late)
    assert case.decide(FIRST_MASK) is None
    late.fits = True
    assert case.technique(mask=SECOND_MASK) == "late"
    assert case.verdict[FIRED] == FIRST_MASK | SECOND_MASK
    assert late.asked[-1].credible == {FIRST_SIGN, SECOND_SIGN}


def test_a_better_explanation_replaces_the_one_that_stood() -> None:
    better, worse = Scripted("better", fits=False), Scripted("worse")
    case = Case(better, worse)
    assert case.technique() == "worse"
    better.fits = True
    found = case.decide_twice()
    assert found is not None
    assert (found.technique, found.supersedes) == ("better", ("worse",))
    again = case.decide()
    assert again is not None
    assert (again.technique, again.supersedes) == ("better", ())


def test_what_stands_is_reported_again_only_when_that_is_due() -> None:
    case = Case(Scripted("only"))
    assert case.technique() == "only"
    assert case.decide(due=False) is None
    assert case.technique() == "only"


def test_what_stands_is_reported_again_only_when_there_is_more_evidence() -> None:
    case = Case(Scripted("only"))
    assert case.technique() == "only"
    assert case.decide(grown=0.0) is None
    assert case.decide(grown=-1.0) is None
    assert case.decide(grown=0.5) is None
    found = case.decide(grown=0.6)
    assert found is not None
    assert found.technique == "only"


def test_another_explanation_is_reported_before_a_report_is_due() -> None:
    better = Scripted("better", fits=False)
    case = Case(better, Scripted("worse"))
    assert case.technique() == "worse"
    better.fits = True
    found = case.decide_twice(due=False)
    assert found is not None
    assert found.technique == "better"


def test_an_explanation_that_fits_now_and_then_replaces_nothing() -> None:
    better, other = Scripted("better", fits=False), Scripted("other", fits=False)
    case = Case(better, other, Scripted("stands"))
    assert case.technique() == "stands"
    for fitting in (better, None, better, other, better):
        better.fits, other.fits = fitting is better, fitting is other
        assert case.technique() in (None, "stands")
        assert case.verdict[STANDING] == 3


def test_what_was_replaced_comes_back_when_it_fits_again() -> None:
    better = Scripted("better", fits=False)
    case = Case(better, Scripted("stands"))
    assert case.technique() == "stands"
    better.fits = True
    assert case.decide_twice() is not None
    better.fits = False
    found = case.decide_twice()
    assert found is not None
    assert (found.technique, found.supersedes) == ("stands", ("better",))


def test_a_fresh_sign_is_looked_at_again_sooner() -> None:
    case = Case(Scripted("only"))
    case.decide(FIRST_MASK)
    assert case.verdict[LOOK] == QUERIES + FRESH
    case.decide(FIRST_MASK)
    assert case.verdict[LOOK] == QUERIES + max(FEWEST, QUERIES // 64)


@pytest.mark.parametrize("weak", sorted(WEAK))
def test_a_last_resort_replaces_what_only_stood_for_lack_of_signs(weak: str) -> None:
    plain = Scripted(weak)
    case = Case(plain, Scripted(RESORT))
    assert case.technique() == weak
    plain.fits = False
    found = case.decide_twice()
    assert found is not None
    assert found.technique == RESORT


def test_an_explanation_stands_while_no_other_comes() -> None:
    only = Scripted("only")
    case = Case(only)
    assert case.technique() == "only"
    only.fits = False
    assert case.technique() == "only"


@pytest.mark.parametrize("resort", sorted(LAST_RESORT))
def test_a_last_resort_never_replaces_what_stands(resort: str) -> None:
    plain = Scripted("plain")
    case = Case(plain, Scripted(resort))
    assert case.technique() == "plain"
    plain.fits = False
    found = case.decide()
    assert found is not None
    assert (found.technique, found.supersedes) == ("plain", ())


def test_a_last_resort_explains_what_nothing_else_does_until_something_does() -> None:
    plain = Scripted("plain", fits=False)
    case = Case(plain, Scripted(RESORT))
    assert case.technique() == RESORT
    plain.fits = True
    found = case.decide_twice()
    assert found is not None
    assert found.supersedes == (RESORT,)


def test_last_resorts_are_asked_last() -> None:
    techniques = [item.technique for item in ALL]
    assert set(techniques[-len(LAST_RESORT) :]) == LAST_RESORT


def test_the_evidence_shown_is_that_of_the_signs_that_carry_it() -> None:
    weak = Case(Scripted("weak")).decide(FIRST_MASK | SECOND_MASK, grown=0.0)
    both = Case(Scripted("both", frozenset({FIRST_SIGN, SECOND_SIGN}))).decide(
        FIRST_MASK | SECOND_MASK, grown=0.0
    )
    assert weak is not None
    assert both is not None
    # A first start counts with a half.
    assert weak.log_evidence == pytest.approx(12.0 - np.log(2.0), abs=1e-3)
    assert both.log_evidence == pytest.approx(20.0 - np.log(2.0), abs=1e-3)
    assert weak.confidence < both.confidence <= 1.0


def test_what_is_said_lies_between_the_signs_first_query_and_now() -> None:
    case = Case(Scripted("any"))
    case.first[:] = 7
    found = case.decide()
    assert found is not None
    for item in found.evidence:
        (span,) = item.ranges
        assert (span.first_offset, span.last_offset) == (7, found.position.offset)
    assert found.progress == pytest.approx(QUERIES / 300)


def test_reports_of_what_stands_become_rarer() -> None:
    case = Case(Scripted("any"))
    case.decide()
    assert case.verdict[DUE] >= QUERIES + FEWEST


def test_real_hypotheses_explain_real_clients() -> None:
    def explained(name: str, signs: Sequence[str]) -> str | None:
        case = Case(*ALL)
        mask = sum(1 << s for s, sign in enumerate(SIGNS) if sign.name in signs)
        found = case.judge.decide(mask, moment(name), case.evidence, case.verdict, case.first)
        return found.technique if found else None

    assert explained("path_finding", ("search", "one_field")) == "tree_path_finding"
    assert explained("attribute_sweep", ("sweep",)) == "attribute_sweep"
    assert explained("random_querying", ("manifold",)) in LAST_RESORT
    assert explained("benign", ("volume",)) == "harvesting"
    assert explained("benign", ("margin",)) == "active_learning"
