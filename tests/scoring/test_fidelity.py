"""Surrogates learn what the client could, in bounded memory, and the same way every time."""

import pickle
from collections.abc import Callable
from dataclasses import replace
from functools import cache

import numpy as np
import pytest
from numpy.typing import NDArray
from sklearn.ensemble import RandomForestClassifier

from detector.reference.answers import EMPTY, AnswerSample, draw_answers
from detector.scoring.fidelity import (
    ALL_ANSWERS,
    FIRST_MEASURE,
    THINNING,
    FidelityBoard,
    with_fidelity,
)
from detector.scoring.finding import StolenFidelity
from tests.incidents.findings import finding

WIDTH = 6
Rows = NDArray[np.float32]
Codes = NDArray[np.int64]


def two(z: Rows) -> Codes:
    """A model with two labels and an interaction."""
    return np.where(z[:, 0] + z[:, 1] * z[:, 2] > 0.2, 11, 5).astype(np.int64)


def three(z: Rows) -> Codes:
    """A model with three labels."""
    return (100 + (z[:, 0] > 0.3) + (z[:, 0] + z[:, 3] > 1.0)).astype(np.int64)


def rows(n: int, seed: int) -> Rows:
    return np.random.default_rng(seed).normal(size=(n, WIDTH)).astype(np.float32)


@cache
def sample_of(model: Callable[[Rows], Codes]) -> AnswerSample:
    z = rows(2000, 1)
    return draw_answers(z, model(z), np.arange(2000) % 50)


def told(board: FidelityBoard, client: str, z: Rows, labels: Codes) -> None:
    for row, label in zip(z, labels.tolist(), strict=True):
        board.learn(client, row, label)


def followed(model: Callable[[Rows], Codes], n: int, seed: int = 2) -> StolenFidelity | None:
    board = FidelityBoard(sample_of(model))
    board.suspect("eve", 9.0)
    z = rows(n, seed)
    told(board, "eve", z, model(z))
    return board.estimate("eve")


@pytest.mark.parametrize("model", [two, three])
def test_a_thief_gets_as_far_as_with_a_model_fitted_offline(
    model: Callable[[Rows], Codes],
) -> None:
    z, fresh = rows(600, 2), rows(2000, 3)
    forest = RandomForestClassifier(50, random_state=0).fit(z, model(z))
    offline = float((forest.predict(fresh) == model(fresh)).mean())
    estimate = followed(model, 600)
    assert estimate is not None
    assert estimate.agreement == pytest.approx(offline, abs=0.12)
    assert estimate.agreement > estimate.chance + 0.2


@pytest.mark.parametrize("model", [two, three])
def test_more_answers_give_a_better_copy(model: Callable[[Rows], Codes]) -> None:
    few, many = followed(model, 20), followed(model, 800)
    assert few is not None
    assert many is not None
    assert few.answers < many.answers <= 800
    assert few.gain + 0.1 < many.gain


def test_answers_of_chance_give_no_copy() -> None:
    board = FidelityBoard(sample_of(two))
    board.suspect("eve", 9.0)
    z = rows(500, 4)
    told(board, "eve", z, np.random.default_rng(5).choice([5, 11], 500))
    estimate = board.estimate("eve")
    assert estimate is not None
    assert abs(estimate.agreement - estimate.chance) < 0.15


def test_it_says_nothing_before_there_are_enough_answers() -> None:
    assert followed(two, FIRST_MEASURE - 1) is None
    assert followed(two, FIRST_MEASURE) is not None


def test_only_suspects_are_followed_and_only_from_then_on() -> None:
    board = FidelityBoard(sample_of(two))
    z = rows(40, 2)
    told(board, "eve", z, two(z))
    assert board.estimate("eve") is None
    board.suspect("eve", 9.0)
    told(board, "eve", z, two(z))
    told(board, "alice", z, two(z))
    estimate = board.estimate("eve")
    assert estimate is not None
    assert estimate.answers <= 40
    assert "alice" not in board


def test_queries_without_a_label_teach_nothing() -> None:
    board = FidelityBoard(sample_of(two))
    board.suspect("eve", 9.0)
    told(board, "eve", rows(50, 2), np.full(50, -1))
    assert board.estimate("eve") is None


def test_a_reference_without_answers_gives_no_estimate() -> None:
    board = FidelityBoard(EMPTY)
    board.suspect("eve", 9.0)
    told(board, "eve", rows(50, 2), two(rows(50, 2)))
    assert len(board) == 0
    assert board.estimate("eve") is None


def test_labels_that_the_sample_never_saw_do_no_harm() -> None:
    board = FidelityBoard(sample_of(two))
    board.suspect("eve", 9.0)
    z = rows(300, 2)
    labels = two(z)
    labels[::5] = 77
    told(board, "eve", z, labels)
    estimate = board.estimate("eve")
    assert estimate is not None
    assert estimate.agreement > estimate.chance


def test_estimates_do_not_depend_on_who_else_is_on_the_board() -> None:
    board = FidelityBoard(sample_of(two))
    z, other = rows(200, 2), rows(200, 6)
    board.suspect("eve", 9.0)
    for i in range(200):
        if i == 50:
            board.suspect("mallory", 12.0)
        board.learn("mallory", other[i], int(three(other[i : i + 1])[0]))
        board.learn("eve", z[i], int(two(z[i : i + 1])[0]))
    assert board.estimate("eve") == followed(two, 200)


def test_a_board_that_was_stored_goes_on_as_if_nothing_had_been() -> None:
    board = FidelityBoard(sample_of(two))
    board.suspect("eve", 9.0)
    z = rows(200, 2)
    told(board, "eve", z[:90], two(z[:90]))
    board = pickle.loads(pickle.dumps(board))  # noqa: S301
    told(board, "eve", z[90:], two(z[90:]))
    assert board.estimate("eve") == followed(two, 200)


def test_the_least_credible_suspect_gives_way_on_a_full_board() -> None:
    board = FidelityBoard(sample_of(two), limit=2)
    for name, evidence in (("a", 9.0), ("b", 20.0), ("c", 10.0), ("d", 5.0)):
        board.suspect(name, evidence)
    assert [name in board for name in "abcd"] == [False, True, True, False]
    board.suspect("c", 30.0)
    board.suspect("e", 25.0)
    assert [name in board for name in "bce"] == [False, True, True]


def test_of_equals_the_one_that_came_first_gives_way() -> None:
    board = FidelityBoard(sample_of(two), limit=2)
    for name in "abc":
        board.suspect(name, 9.0)
    assert [name in board for name in "abc"] == [False, True, True]


@pytest.mark.parametrize(("model", "most"), [(two, 20 << 10), (three, 60 << 10)])
def test_a_suspect_takes_bounded_memory(model: Callable[[Rows], Codes], most: int) -> None:
    """One regression of 33 inputs is 17.4 KiB; two labels take one, more take one each."""
    board = FidelityBoard(sample_of(model))
    empty = len(pickle.dumps(board))
    board.suspect("eve", 9.0)
    sizes = []
    for z in (rows(100, 2), rows(1500, 3)):
        told(board, "eve", z, model(z))
        sizes.append(len(pickle.dumps(board)) - empty)
    assert sizes[1] <= sizes[0] + 256
    assert sizes[1] < most


def test_a_flood_is_counted_whole_though_it_is_learnt_thinly() -> None:
    board = FidelityBoard(sample_of(two))
    board.suspect("eve", 9.0)
    z = rows(64, 2)
    labels = two(z).tolist()
    for i in range(ALL_ANSWERS * 5 // 4 + THINNING):
        board.learn("eve", z[i % 64], labels[i % 64])
    estimate = board.estimate("eve")
    assert estimate is not None
    assert estimate.answers > ALL_ANSWERS


def test_a_finding_carries_the_estimate_and_says_it() -> None:
    found = finding(64)
    assert with_fidelity(found, None) == found
    estimate = StolenFidelity(agreement=0.83, chance=0.52, answers=1240)
    carried = with_fidelity(found, estimate)
    assert carried.fidelity == estimate
    assert carried.evidence[:-1] == found.evidence
    said = carried.evidence[-1]
    assert said.kind == "stolen_fidelity"
    assert "could reproduce 83%" in said.statement
    assert "(chance 52%) after 1,240 answers" in said.statement
    assert said.numbers == {"agreement": 0.83, "chance": 0.52, "answers": 1240}
    assert replace(carried, fidelity=None, evidence=found.evidence) == found


def test_gain_is_the_share_of_what_there_was_to_gain() -> None:
    assert StolenFidelity(0.75, 0.5, 10).gain == 0.5
    assert StolenFidelity(0.4, 0.5, 10).gain == 0.0
    assert StolenFidelity(1.0, 1.0, 10).gain == 0.0
