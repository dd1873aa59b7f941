"""Surrogates learn what the client could, in bounded memory, and the same way every time."""

import pickle
from collections.abc import Callable
from dataclasses import replace
from functools import cache

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from river.linear_model import BayesianLinearRegression
from sklearn.ensemble import RandomForestClassifier

from detector.events.names import Names
from detector.reference.answers import EMPTY, FEATURES, AnswerSample, project
from detector.reference.draw import draw_answers
from detector.scoring.fidelity import FidelityBoard, with_fidelity
from detector.scoring.finding import StolenFidelity
from detector.scoring.surrogates import ALL_ANSWERS, FEWEST_ANSWERS, THINNING, Surrogates
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
    board.learn(Names.of([client] * len(z)), z, labels)


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
    assert followed(two, FEWEST_ANSWERS - 1) is None
    assert followed(two, FEWEST_ANSWERS) is not None


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
        asked = np.array([other[i], z[i]])
        answers = np.concatenate([three(other[i : i + 1]), two(z[i : i + 1])])
        board.learn(Names.of(["mallory", "eve"]), asked, answers)
    assert board.estimate("eve") == followed(two, 200)


def test_a_board_that_was_stored_goes_on_as_if_nothing_had_been() -> None:
    board = FidelityBoard(sample_of(two))
    board.suspect("eve", 9.0)
    z = rows(200, 2)
    told(board, "eve", z[:90], two(z[:90]))
    again = FidelityBoard(sample_of(two))
    again.restore(board.names(), list(board.save(every=True)))
    told(again, "eve", z[90:], two(z[90:]))
    assert again.estimate("eve") == followed(two, 200)


@pytest.mark.parametrize("limit", [0, 1, 3])
def test_a_board_with_more_suspects_than_today_are_allowed_is_taken_back_whole(limit: int) -> None:
    board = FidelityBoard(sample_of(two), limit=40)
    names = [f"c{number}" for number in range(40)]
    for name in names:
        board.suspect(name, 9.0)
    again = FidelityBoard(sample_of(two), limit=limit)
    again.restore(board.names(), list(board.save(every=True)))
    z = rows(41, 2)
    again.learn(Names.of([*names, "stranger"]), z, two(z))
    assert again.names() == names


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


@pytest.mark.parametrize(("model", "most"), [(two, 6 << 10), (three, 7 << 10)])
def test_a_suspect_takes_bounded_memory(model: Callable[[Rows], Codes], most: int) -> None:
    """Products of 33 inputs are 4.4 KiB; two labels take 264 bytes more, further ones as many."""
    board = FidelityBoard(sample_of(model))
    for number in range(64):
        board.suspect(f"suspect {number}", 9.0)
    sizes = []
    for z in (rows(100, 2), rows(1500, 3)):
        told(board, "suspect 9", z, model(z))
        sizes.append(len(pickle.dumps(board)))
    assert sizes[1] <= sizes[0] + 256
    assert sizes[1] < 64 * most + len(pickle.dumps(sample_of(model)))


def test_a_flood_is_counted_whole_though_it_is_learnt_thinly() -> None:
    board = FidelityBoard(sample_of(two))
    board.suspect("eve", 9.0)
    z = rows(64, 2)
    asked = np.resize(z, (ALL_ANSWERS * 5 // 4 + THINNING, WIDTH))
    told(board, "eve", asked, two(asked))
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


@given(st.lists(st.integers(1, 90), max_size=12), st.integers(0, 2**32 - 1))
@settings(max_examples=25, deadline=None)
def test_how_the_answers_are_cut_and_kept_changes_no_bit(cuts: list[int], seed: int) -> None:
    chance = np.random.default_rng(seed)
    z = rows(400, seed)
    clients = [f"c{number}" for number in chance.integers(0, 6, 400)]
    labels = np.where(chance.random(400) < 0.1, -1, three(z))

    def board_of() -> FidelityBoard:
        board = FidelityBoard(sample_of(three), limit=4)
        for number in range(5):
            board.suspect(f"c{number}", 9.0 + number)
        return board

    whole, cut = board_of(), board_of()
    whole.learn(Names.of(clients), z, labels)
    begin = 0
    for end in [*np.cumsum(cuts).tolist(), 400]:
        cut.learn(Names.of(clients[begin:end]), z[begin:end], labels[begin:end])
        begin = min(end, 400)
        again = FidelityBoard(sample_of(three), limit=4)
        again.restore(cut.names(), list(cut.save(every=True)))
        cut = again
    assert list(cut.save(every=True)) == list(whole.save(every=True))


def test_the_weights_are_the_posterior_mean_of_bayesian_linear_regression() -> None:
    z = rows(300, 7)
    surrogates, river = Surrogates(sample_of(two)), BayesianLinearRegression()
    slot = surrogates.open()
    surrogates.learn(np.full(300, slot), z, two(z))
    for query, label in zip(z, two(z).tolist(), strict=True):
        x = np.ones(FEATURES + 1)
        project(query, sample_of(two).basis(), x[1:])
        river.learn_one(dict(enumerate(x.tolist())), 1.0 if label == 11 else -1.0)
    sample = sample_of(two).inputs()
    expected = [river.predict_one(dict(enumerate(x.tolist()))) for x in sample]
    assert sample @ surrogates.weights(slot)[:, 0] == pytest.approx(np.array(expected))
