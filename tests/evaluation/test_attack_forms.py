"""What each attack's queries look like, as its paper says."""

import numpy as np
import pytest

from detector.evaluation.datasets import Coded
from detector.evaluation.models import Target
from detector.evaluation.space import Space
from tests.evaluation.attackers import points, run


def changed_fields(rows: Coded) -> Coded:
    same = (rows[1:] == rows[:-1]) | (np.isnan(rows[1:]) & np.isnan(rows[:-1]))
    counts: Coded = (~same).sum(axis=1).astype(np.float64)
    return counts


def test_shuffled_path_finding_takes_fields_in_no_order(churn_target: Target) -> None:
    rows = run("path_finding_shuffled", churn_target, 200).oracle.rows()
    touched = np.argmax(rows[1:] != rows[0], axis=1)[(rows[1:] != rows[0]).sum(axis=1) == 1]
    _, first = np.unique(touched, return_index=True)
    order = touched[np.sort(first)]
    assert len(order) >= 5
    assert (np.diff(order) < 0).any()


def test_a_latin_hypercube_has_one_point_in_each_stratum(cancer_target: Target) -> None:
    cube = points(run("latin_hypercube", cancer_target, 100))
    strata = np.sort(np.floor(cube * 100 + 1e-6).clip(0, 99), axis=0)
    assert (strata == np.arange(100)[:, None]).mean() > 0.98  # six digits blur a few edges


def test_critical_points_lie_where_the_answer_bends(digits_target: Target) -> None:
    someone = run("functionally_equivalent", digits_target, 300)
    steps = np.linalg.norm(np.diff(points(someone), axis=0), axis=1)
    assert steps.min() < 0.005 * steps.max()


def test_forward_differences_lie_at_one_tiny_distance(cancer_target: Target) -> None:
    cube = points(run("dfme", cancer_target, 120))
    steps = np.linalg.norm(np.diff(cube, axis=0), axis=1)
    near = steps[steps < 0.03]
    assert len(near) >= 20
    assert np.median(steps[steps >= 0.03]) > 0.5
    anchors = np.flatnonzero(steps >= 0.03)[:-1] + 1
    distances = np.linalg.norm(cube[anchors + 1] - cube[anchors], axis=1)
    assert distances.std() < 0.05 * distances.mean()


def test_maze_asks_ten_directions_and_more_about_each_point(cancer_target: Target) -> None:
    cube = points(run("maze", cancer_target, 132))
    near = np.linalg.norm(cube - cube[0], axis=1)
    assert ((near > 0) & (near < 0.03)).sum() in (10, 20)


def test_spsa_asks_in_pairs_about_a_moving_middle(digits_target: Target) -> None:
    cube = points(run("spsa", digits_target, 200))
    numeric = Space(digits_target.dataset).numeric
    halves = np.abs(cube[0::2, numeric] - cube[1::2, numeric]) / 2
    inside = (cube[:, numeric] > 0.0) & (cube[:, numeric] < 1.0)
    both = inside[0::2] & inside[1::2]
    assert np.ptp(halves[0][both[0]]) < 1e-3


def test_a_genetic_search_climbs_one_class_in_a_few_dimensions(digits_target: Target) -> None:
    someone = run("latent_genetic", digits_target, 300)
    victim = int(np.random.default_rng(1).integers(10))  # the attacker's first draw
    climb = someone.oracle.answers().scores[:, victim]
    assert climb[-20:].mean() > climb[:30].mean() + 0.3


@pytest.mark.parametrize("name", ["sweep", "sweep_shuffled"])
def test_a_sweep_asks_every_value_of_one_field(churn_target: Target, name: str) -> None:
    rows = run(name, churn_target, 200, seed=4).oracle.rows()
    assert np.median(changed_fields(rows)) <= 1
    columns = np.flatnonzero((rows[:2] != rows[0]).any(axis=0))
    assert len(columns) == 1
    values = rows[:, columns[0]]
    swept = len(churn_target.dataset.fields[columns[0]].categories)
    assert set(values[:swept]) == set(range(swept))


def test_a_shuffled_sweep_begins_with_another_value_each_time(churn_target: Target) -> None:
    rows = run("sweep_shuffled", churn_target, 200, seed=4).oracle.rows()
    column = int(np.flatnonzero((rows[:2] != rows[0]).any(axis=0))[0])
    count = len(churn_target.dataset.fields[column].categories)
    firsts = rows[: len(rows) // count * count : count, column]
    assert len(set(firsts)) == count


def test_field_augmentation_leaves_three_quarters_alone(cancer_target: Target) -> None:
    rows = run("augmentation_fields", cancer_target, 60).oracle.rows()
    changed = (rows[1:20] != rows[0]).sum(axis=1)
    assert changed.max() <= round(30 / 4)
    assert changed.min() >= 1


def test_square_search_moves_numbers_by_one_size_and_lowers_the_margin(
    digits_target: Target,
) -> None:
    someone = run("square", digits_target, 300, seed=2)
    cube, answers = points(someone), someone.oracle.answers()
    moved = np.abs(cube[1] - cube[0])[Space(digits_target.dataset).numeric]
    free = (cube[1] > 0) & (cube[1] < 1)
    assert np.ptp(moved[free[Space(digits_target.dataset).numeric]]) < 1e-3
    label = answers.labels[0]
    assert answers.scores[1:, label].min() < answers.scores[0, label]


def test_an_evader_stays_on_one_record(cancer_target: Target) -> None:
    someone = run("hop_skip_jump", cancer_target, 800)
    cube = points(someone)
    assert np.linalg.norm(cube[-100:] - cube[0], axis=1).max() < 2.0
    assert np.linalg.norm(cube[1:] - cube[0], axis=1)[-100:].min() < 1.0


@pytest.mark.parametrize("name", ["active_learning", "active_learning_committee"])
def test_an_active_learner_asks_rows_of_its_pool_once_near_the_boundary(
    cancer_target: Target, name: str
) -> None:
    someone = run(name, cancer_target, 60)
    assert len(np.unique(someone.oracle.rows(), axis=0)) == 60
    margin, everywhere = (
        np.abs(scores[:, 0] - scores[:, 1])
        for scores in (someone.oracle.answers().scores, cancer_target.proba(someone.natural))
    )
    assert np.median(margin[20:]) < np.quantile(everywhere, 0.3)


def test_harvesting_never_asks_twice(churn_target: Target) -> None:
    rows = run("harvest_steady", churn_target, 500).oracle.rows()
    assert len(np.unique(rows, axis=0)) == 500


def test_augmentation_goes_on_where_all_seeds_have_one_label(churn_target: Target) -> None:
    someone = run("jbda", churn_target, 400, seed=3)
    assert len(np.unique(points(someone), axis=0)) > 300
