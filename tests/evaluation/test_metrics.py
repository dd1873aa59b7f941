from dataclasses import replace
from types import MappingProxyType

import pytest
from scipy.stats import binom

from detector.evaluation.bars import bars_of
from detector.evaluation.fidelity_curve import FidelityGain
from detector.evaluation.figures import Bar, Figures
from detector.evaluation.metrics import median, totals, upper_bound
from detector.evaluation.observer import Verdict
from detector.evaluation.outcome import Outcome, first_alarm, standing
from detector.evaluation.summary import summarise
from detector.evaluation.workload import Role
from detector.scoring.finding import AttackClass
from tests.evaluation.outcomes import BENIGN, PURE, false_alarm, found, mixed

STATE = MappingProxyType({"32": 4000})


def figures(*outcomes: Outcome) -> Figures:
    return summarise(outcomes, STATE)


def bar(figures: Figures, name: str) -> Bar:
    [one] = [bar for bar in bars_of(figures) if bar.name.startswith(name)]
    return one


@pytest.mark.parametrize(("events", "trials"), [(0, 10_000), (1, 100), (7, 750), (49, 50)])
def test_the_bound_is_the_rate_at_which_so_few_events_have_a_chance_of_one_in_twenty(
    events: int, trials: int
) -> None:
    assert binom.cdf(events, trials, upper_bound(events, trials)) == pytest.approx(0.05)


def test_without_events_the_bound_is_the_rule_of_three() -> None:
    assert upper_bound(0, 10_000) == pytest.approx(3e-4, rel=0.01)
    assert upper_bound(0, 0) == upper_bound(3, 3) == 1.0


def test_a_stream_that_is_never_found_counts_in_every_figure() -> None:
    whole = totals([found(10), found(20, AttackClass.EVASION), PURE, PURE, PURE], [BENIGN])
    assert (whole.attack_streams, whole.found, whole.right_class) == (5, 0.4, 0.2)
    assert whole.median_query is None
    assert totals([found(10), found(20), PURE], []).median_query == 20
    assert median([]) is None


def test_what_no_log_can_show_is_told_and_left_out_of_the_totals() -> None:
    roster = replace(PURE, technique="roster", detectable=False)
    made = figures(found(12), roster, BENIGN)
    assert made.totals.attack_streams == 1
    assert made.techniques["roster"].streams == 1
    assert not made.techniques["roster"].detectable


def test_hidden_streams_are_told_apart_by_share_and_are_in_no_total() -> None:
    made = figures(mixed(0.5, 80), mixed(0.5, None), mixed(0.9, 900), PURE)
    assert made.totals.attack_streams == 1
    assert made.mixing["0.5"].found == 0.5
    assert made.mixing["0.9"].median_attack_query == 450
    assert bar(made, "found at 50%").met is False
    assert bar(made, "found at 90%").met is True


def test_a_kind_of_benign_client_cannot_hide_behind_the_others() -> None:
    quiet = [BENIGN] * 999
    made = figures(*quiet, false_alarm("retry"), PURE)
    assert made.totals.false_clients == 1
    assert made.benign["retry"].alarmed == 1
    assert bar(made, "benign clients with a false incident").met is True
    assert bar(made, "the same, of the worst kind").met is False


def test_an_early_bar_is_the_worst_technique_s() -> None:
    sweep = [replace(found(20), technique="attribute_sweep")] * 9
    late = replace(found(65), technique="equation_solving")
    assert bar(figures(*sweep, late), "path-finding").figure == 0.0
    assert bar(figures(*sweep), "path-finding").met is True


def test_a_record_s_end_decides_about_membership() -> None:
    record = replace(found(100), technique="boundary_distance", second_record=99)
    in_time = replace(record, second_record=100)
    made = figures(record, in_time, replace(in_time, alarm=None))
    assert made.by_query["boundary_distance"].before_second_record == pytest.approx(1 / 3)


def test_a_median_that_is_never_reached_misses_its_bar_and_nothing_measured_does_not() -> None:
    assert bar(figures(PURE, BENIGN), "median query").met is False
    assert bar(figures(BENIGN), "median query").met is None


def test_label_only_logs_are_held_against_full_scores() -> None:
    def label(outcome: Outcome) -> Outcome:
        return replace(outcome, place=replace(outcome.place, form="label"))

    made = figures(found(9), found(9), label(found(9)), label(PURE))
    assert made.label_only_share_of_full == 0.5


def test_fidelity_is_the_share_of_what_there_was_to_gain() -> None:
    gains = [FidelityGain(0.5, at, end) for at, end in ((0.6, 0.9), (0.4, 0.9), (0.51, 0.52))]
    made = figures(*(replace(found(9), fidelity=gain) for gain in gains)).fidelity
    assert (made.streams, made.material) == (3, 2)
    assert made.share_at_detection == pytest.approx(0.125)


def test_a_baseline_is_counted_on_the_streams_it_was_tried_on() -> None:
    tried = [
        replace(PURE, rivals={"prada": 101}),
        replace(PURE, rivals={"prada": None}),
        replace(PURE, attack_class=AttackClass.EVASION, rivals={"prada": 120}),
        replace(BENIGN, rivals={"prada": 130}),
    ]
    prada = figures(*tried, BENIGN, found(3)).baselines["prada"]
    assert (prada.attack_streams, prada.benign_clients, prada.false_clients) == (3, 1, 1)
    assert prada.found == pytest.approx(2 / 3)
    assert prada.right_class == pytest.approx(1 / 3)


def verdict(technique: str, evidence: float, *, at: int = 9, **changes: object) -> Verdict:
    base = Verdict(at, AttackClass.EXTRACTION, technique, evidence, 0.99, (), (), alarm=True)
    return replace(base, **changes)  # type: ignore[arg-type]


def test_the_standing_verdict_is_the_most_credible_that_nothing_explains_better() -> None:
    near = verdict("near", 50.0)
    better = verdict("better", 30.0, at=12, supersedes=("near",))
    again = verdict("near", 90.0, at=40)
    other = verdict("other", 20.0, at=15)
    back = verdict("near", 10.0, at=50, supersedes=("better",))
    assert standing([near, better, again]) == better
    assert standing([near, better, again, back]) == back
    assert standing([near, better, other, again]) == better
    assert standing([near, other]) == near
    assert standing([]) is None


def test_what_stays_at_info_is_no_alarm() -> None:
    quiet = verdict("anomalous_client", 99.0, at=3, alarm=False)
    loud = verdict("near", 5.0, at=8)
    assert first_alarm([quiet, loud]) == 8
    assert standing([quiet, loud]) == loud
    assert first_alarm([quiet]) is None


def test_every_role_is_counted_somewhere() -> None:
    made = figures(*(replace(PURE, role=role) for role in Role if role is not Role.BENIGN))
    counted = made.totals.attack_streams, len(made.mixing), len(made.slow)
    assert counted == (1, 1, 1)
