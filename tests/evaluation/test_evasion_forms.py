"""Attacks that move one record: they arrive, and on the way that their papers say."""

import numpy as np
import pytest

from detector.evaluation.attacks.attack import Attacker
from detector.evaluation.datasets import Coded
from detector.evaluation.models import Target
from tests.evaluation.attackers import points, run, run_once

BY_DECISIONS = ["rays", "evolutionary", "geoda"]
BY_SCORES = ["nes_evasion", "es_evasion", "greedy", "sign_bits", "one_pixel"]
ROUNDING = 1e-3  # requests have six significant digits


def moves(someone: Attacker) -> Coded:
    """Return how far each query's numbers are from the record's, which is the first query."""
    cube = points(someone)[:, someone.space.numeric]
    change: Coded = cube - cube[0]
    return change


@pytest.mark.parametrize("seed", range(2))
@pytest.mark.parametrize("name", BY_SCORES)
def test_evasion_by_scores_ends_as_soon_as_the_label_is_another(
    cancer_target: Target, name: str, seed: int
) -> None:
    someone = run_once(name, cancer_target, 1000, seed)
    labels = someone.oracle.answers().labels
    assert labels[-1] != labels[0] or name == "one_pixel"
    assert (labels[-20:] != labels[0]).any()  # a generation of one pixel's is asked as a whole
    assert (labels[:-20] == labels[0]).all() or name == "nes_evasion"


@pytest.mark.parametrize("name", BY_DECISIONS)
def test_evasion_by_decisions_comes_nearer_and_nearer(digits_target: Target, name: str) -> None:
    someone = run_once(name, digits_target, 600)
    labels = someone.oracle.answers().labels
    evading = np.linalg.norm(moves(someone), axis=1)[labels != labels[0]]
    assert evading.min() < 0.6 * evading[0]
    assert np.median(evading[-20:]) < 0.6 * evading[0]


@pytest.mark.parametrize("name", [*BY_DECISIONS, *BY_SCORES])
def test_an_evader_keeps_categories(churn_target: Target, name: str) -> None:
    someone = run_once(name, churn_target, 100)
    rows = someone.oracle.rows()
    categorical = [field.is_categorical for field in churn_target.dataset.fields]
    assert (rows[:, categorical] == rows[0, categorical]).all()


def test_rays_of_signs_change_every_number_equally(cancer_target: Target) -> None:
    someone = run("rays", cancer_target, 300)
    sizes, cube = np.abs(moves(someone)), points(someone)[:, someone.space.numeric]
    clipped = (cube < ROUNDING) | (cube > 1 - ROUNDING)
    radius = sizes.max(axis=1, keepdims=True)
    assert (np.isclose(sizes, radius, atol=ROUNDING) | clipped).all()


def test_rays_go_out_from_record_after_record(cancer_target: Target) -> None:
    someone = run("rays_distance", cancer_target, 600)
    candidates = {tuple(row) for row in cancer_target.as_sent(someone.candidates)}
    asked = np.array([tuple(row) in candidates for row in someone.oracle.rows()])
    between = np.diff(np.flatnonzero(asked))
    assert asked[0]
    assert len(between) >= 5
    assert between.max() < 80  # sixty, and the bisection that was under way


@pytest.mark.parametrize(("name", "largest"), [("es_evasion", 0.4), ("nes_evasion", 0.2 + 0.1)])
def test_evasion_stays_in_a_box_about_the_record(
    digits_target: Target, name: str, largest: float
) -> None:
    sizes = np.abs(moves(run_once(name, digits_target, 300)))
    assert 0.01 < sizes.max() <= largest + ROUNDING


def test_sign_bits_are_turned_at_the_corners_of_a_box(digits_target: Target) -> None:
    someone = run_once("sign_bits", digits_target, 40, 2)
    change = moves(someone)[1:]
    cube = points(someone)[1:, someone.space.numeric]
    clipped = (cube < ROUNDING) | (cube > 1 - ROUNDING)
    size = np.abs(change).max()
    assert (np.isclose(np.abs(change), size, atol=ROUNDING) | clipped).all()
    assert len(np.unique(np.sign(change), axis=0)) >= 10


def test_estimates_of_a_gradient_are_mirrored_about_a_moving_point(digits_target: Target) -> None:
    cube = points(run_once("nes_evasion", digits_target, 14))[1:13]
    inside = ((cube > 0) & (cube < 1)).reshape(6, 2, -1).all(axis=1)
    middles = (cube[0::2] + cube[1::2]) / 2
    origin = np.median(middles, axis=0)
    assert np.abs(middles - origin)[inside].max() < ROUNDING


def test_greedy_steps_move_numbers_one_at_a_time_to_sides_of_a_box(cancer_target: Target) -> None:
    someone = run("greedy", cancer_target, 20)
    change, cube = moves(someone), points(someone)[:, someone.space.numeric]
    moved = np.abs(change) > ROUNDING
    sizes = np.abs(change)[moved & (cube > 0) & (cube < 1)]
    assert np.allclose(sizes, sizes[0], atol=ROUNDING)
    assert (np.abs(np.diff(moved.sum(axis=1))) <= 1).all()


def test_one_pixel_changes_three_numbers_at_most(digits_target: Target) -> None:
    changed = (np.abs(moves(run_once("one_pixel", digits_target, 200))) > 0).sum(axis=1)
    assert changed.max() == 3
