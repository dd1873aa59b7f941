"""Inversion, membership and extraction of the tuning split: what they reach and how they ask."""

import numpy as np
import pytest

from detector.evaluation.models import Target
from tests.evaluation.attackers import points, run, run_once


@pytest.mark.parametrize(  # with seeds whose start is not in the class already
    ("name", "seed"),
    [("nes_random", 1), ("nes_random", 2), ("es_inversion", 0), ("es_inversion", 1),
     ("cem_inversion", 0), ("cem_inversion", 1), ("latent_walk", 0), ("latent_walk", 1),
     ("pattern", 0), ("pattern", 1)],
)  # fmt: skip
def test_inversion_raises_the_score_of_one_class(
    digits_target: Target, name: str, seed: int
) -> None:
    scores = run_once(name, digits_target, 900, seed).oracle.answers().scores
    before, after = scores[:20].mean(axis=0), scores[-20:].mean(axis=0)
    victim = after.argmax()
    assert after[victim] > max(0.8, before[victim] + 0.2)


def test_a_random_start_leaves_only_categories_natural(churn_target: Target) -> None:
    someone = run("nes_random", churn_target, 8)
    categorical = [field.is_categorical for field in churn_target.dataset.fields]
    rows = someone.oracle.rows()
    assert (rows[:, categorical] == rows[0, categorical]).all()
    known = {tuple(row[~np.array(categorical)]) for row in someone.natural}
    assert tuple(rows[0, ~np.array(categorical)]) not in known


def test_the_cross_entropy_method_narrows(digits_target: Target) -> None:
    someone = run_once("cem_inversion", digits_target, 400)
    spread = points(someone).reshape(20, 20, -1)[:, :, someone.space.numeric].std(axis=1)
    assert np.median(spread[-1]) < 0.7 * np.median(spread[0])


def test_a_latent_walk_stays_in_ten_dimensions(digits_target: Target) -> None:
    someone = run_once("latent_walk", digits_target, 400)
    natural = someone.space.encode(someone.natural)
    mean = natural.mean(axis=0)
    axes = np.linalg.svd(natural - mean, full_matrices=False)[2][:10]
    cube = points(someone)
    inside = (cube > 0) & (cube < 1)  # requests are clipped to the ranges
    made = mean + (cube - mean) @ axes.T @ axes
    outside = np.linalg.norm((cube - made) * inside) / np.linalg.norm((cube - mean) * inside)
    assert outside < 0.5


def test_gaussian_augmentation_changes_every_number_of_each_copy(cancer_target: Target) -> None:
    rows = run("gaussian_augmentation", cancer_target, 75).oracle.rows().reshape(3, 25, -1)
    candidates = cancer_target.as_sent(run("roster", cancer_target, 1).candidates)
    known = {tuple(row) for row in candidates}
    assert all(tuple(copies[0]) in known for copies in rows)
    assert (rows[:, 1:] != rows[:, :1]).mean() > 0.9  # some are clipped to where they were


def test_neighbours_differ_from_their_record_in_a_third_of_the_numbers(
    cancer_target: Target,
) -> None:
    rows = run("neighbourhood", cancer_target, 36).oracle.rows().reshape(3, 12, -1)
    changed = (rows[:, 1:] != rows[:, :1]).sum(axis=2)
    assert changed.max() == 30 // 3


def test_natural_segments_are_halved_between_opposite_labels(churn_target: Target) -> None:
    someone = run("natural_segments", churn_target, 200)
    cube, labels = points(someone), someone.oracle.answers().labels
    first = next(i for i in range(0, 150, 2) if labels[i] != labels[i + 1])
    start, end, *between = cube[first : first + 11]
    along = [(p - start) @ (end - start) / ((end - start) @ (end - start)) for p in between]
    assert along[0] == pytest.approx(0.5, abs=1e-3)
    sizes = np.abs(np.diff(along))
    assert np.allclose(sizes, 0.5 ** np.arange(2, 10), atol=1e-3)
    nearby = start + np.outer(along, end - start)
    assert np.abs(nearby - between).max() < 0.05  # whole numbers are rounded


def test_central_differences_move_one_field_to_either_side(digits_target: Target) -> None:
    someone = run("central", digits_target, 60)
    pairs = points(someone).reshape(30, 2, -1)
    moved = np.abs(pairs[:, 0] - pairs[:, 1]) > 1e-4
    assert moved.sum(axis=1).max() == 1
    middles = pairs.mean(axis=1)
    inside = ((pairs > 0) & (pairs < 1)).all(axis=1)
    same = np.isclose(middles, middles[0], atol=1e-3) | ~inside
    assert same.all(axis=1)[:10].all()


def test_a_pattern_search_goes_on_from_the_highest_point(digits_target: Target) -> None:
    someone = run_once("pattern", digits_target, 900)
    cube, scores = points(someone), someone.oracle.answers().scores
    climbed = scores[:, scores[-200:].mean(axis=0).argmax()]
    best = np.maximum.accumulate(climbed)
    new = np.concatenate([[True], best[1:] > best[:-1]])
    highest = np.maximum.accumulate(np.where(new, np.arange(len(cube)), 0))
    moved = (np.abs(cube[1:] - cube[highest[:-1]]) > 1e-4).sum(axis=1)
    assert np.mean(moved <= 1) > 0.9  # the others go a whole round once more


def test_batched_differences_come_back_to_each_point_of_the_batch(cancer_target: Target) -> None:
    cube = points(run("dfme_batch", cancer_target, 120))
    near = np.linalg.norm(cube[1:] - cube[0], axis=1) < 0.03
    batch = int(np.argmax(near)) + 1
    assert batch in (2, 4, 8)
    assert (np.linalg.norm(cube[batch : 2 * batch] - cube[:batch], axis=1) < 0.03).all()


@pytest.mark.parametrize(
    ("name", "seed"), [("subspace_distance", 1), ("decision_distance", 0), ("decision_distance", 1)]
)
def test_a_distance_to_the_boundary_is_searched_from_record_after_record(
    cancer_target: Target, name: str, seed: int
) -> None:
    someone = run(name, cancer_target, 800, seed)
    candidates = {tuple(row) for row in cancer_target.as_sent(someone.candidates)}
    asked = np.array([tuple(row) in candidates for row in someone.oracle.rows()])
    labels = someone.oracle.answers().labels
    assert asked[0]
    assert asked.sum() >= 4
    assert (labels[1:] != labels[:-1]).mean() > 0.15


def test_crossings_lie_on_the_axes_through_a_point(cancer_target: Target) -> None:
    cube = points(run("axis_crossings", cancer_target, 50))
    moved = np.abs(cube[1:] - cube[0]) > 1e-4
    assert moved.sum(axis=1).max() == 1
    ends = cube[1:][(cube[1:] < 1e-4).any(axis=1) | (cube[1:] > 1 - 1e-4).any(axis=1)]
    assert len(ends) >= 10


def test_rows_of_another_domain_are_asked_as_they_are_sorted(cancer_target: Target) -> None:
    someone = run("sorted_rows", cancer_target, 60)
    rows = someone.oracle.rows()
    foreign = {tuple(row) for row in cancer_target.as_sent(someone.foreign)}
    assert all(tuple(row) in foreign for row in rows)
    assert (np.diff(rows, axis=0) >= 0).all(axis=0).any()
