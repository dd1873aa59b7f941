"""A user's own model and traffic: what is learnt of them, how they are asked, what may go wrong."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest

from detector import bootstrap_evaluation
from detector.config import Settings
from detector.evaluation import datasets, models
from detector.evaluation.datasets import Coded, Dataset
from detector.evaluation.endpoint import BATCH, Endpoint
from detector.evaluation.models import ModelKind, OutputForm
from detector.evaluation.own_model import (
    OTHER,
    OwnModel,
    Predict,
    QueriesSpentError,
    callable_of,
    own_target,
)
from detector.evaluation.own_traffic import own_dataset
from detector.evaluation.redteam import Orders, red_team
from detector.evaluation.workload import SMALL, Role
from detector.events.decode import Decoder
from detector.events.model import PredictionEvent
from detector.events.record import Position, Record
from detector.kit.errors import ConfigurationError, QuerywatchError

PRODUCT = partial(bootstrap_evaluation.observer, Settings())
RNG = np.random.default_rng(0)
LOAD = replace(SMALL, reference_clients=30, clients_per_kind=1, max_lifetime=150)


def events(inputs: Sequence[Any], model: str = "mine") -> Iterator[PredictionEvent]:
    decoder = Decoder()
    for i, item in enumerate(inputs):
        body = {"event_id": f"e{i}", "time": 1_789_000_000_000 + i, "client_id": "c",
                "model_id": model, "input": item}  # fmt: skip
        yield decoder.decode(Record(Position("log", 0, i), json.dumps(body).encode()))


def wine_log() -> Iterator[PredictionEvent]:
    wine = datasets.load("wine")
    names = [field.name for field in wine.fields]
    rows = wine.cells(wine.rows[RNG.integers(len(wine.rows), size=400)])
    return events([{"fields": dict(zip(names, row, strict=True))} for row in rows])


@pytest.fixture(scope="module")
def wine() -> Dataset:
    return own_dataset(wine_log())


@pytest.fixture(scope="module")
def predict() -> Predict:
    target = models.train(datasets.load("wine"), ModelKind.LOGISTIC, OutputForm.FULL, seed=1)
    return target.proba


def test_fields_ranges_and_categories_come_from_the_log() -> None:
    colours = ["red", "blue", None]
    rows = [
        {"fields": {"age": 20 + i % 50, "pay": 10.5 + i % 7, "colour": colours[i % 3], "on": True}}
        for i in range(300)
    ]
    made = own_dataset(events(rows))
    age, pay, colour, _ = made.fields
    assert (age.low, age.high, age.decimals) == (20, 69, 0)
    assert (pay.low, pay.decimals) == (10.5, 1)
    assert colour.categories == ("blue", "red")
    assert made.cells(made.rows[:3]) == [
        [20, 10.5, "red", 1], [21, 11.5, "blue", 1], [22, 12.5, None, 1],
    ]  # fmt: skip


def test_lists_of_the_commonest_length_are_rows() -> None:
    made = own_dataset(events([{"features": [i, 2 * i]} for i in range(300)] + [{"features": [1]}]))
    assert made.positional
    assert made.rows.shape == (300, 2)


@pytest.mark.parametrize(
    ("log", "message"),
    [
        ([{"fields": {"a": 1}}] * 20, "fewer than 200"),
        ([{"fingerprint": "ab12"}] * 300, "fewer than 200"),
        ([{"fields": {"a": None}}] * 300, "field a has no value"),
    ],
)
def test_a_log_that_teaches_too_little_is_refused(log: list[Any], message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        own_dataset(events(log))


def test_a_log_of_two_models_is_refused() -> None:
    rows = [{"fields": {"a": i}} for i in range(300)]
    with pytest.raises(ConfigurationError, match="2 models"):
        own_dataset([*events(rows, "one"), *events(rows, "two")])


def test_scores_and_labels_are_told_apart(wine: Dataset, predict: Predict) -> None:
    scoring = own_target(wine, OwnModel(predict, 10_000), np.random.default_rng(0))
    assert scoring.form is OutputForm.FULL
    assert scoring.dataset.classes == (0, 1, 2)
    named = np.array(["a", "b", "c"])
    labelling = OwnModel(lambda rows: named[predict(rows).argmax(axis=1)], 10_000)
    target = own_target(wine, labelling, np.random.default_rng(0))
    assert target.form is OutputForm.LABEL
    assert target.dataset.classes == ("a", "b", "c", OTHER)
    answers = target.answer(wine.rows[:50])
    assert answers.labels.tolist() == scoring.answer(wine.rows[:50]).labels.tolist()


def test_a_label_that_no_natural_row_brought_is_another_class() -> None:
    def strange(rows: Coded) -> list[str]:
        return ["plain" if row.max() < 100 else "strange" for row in rows]

    model = OwnModel(strange, 1000)
    model.meet(np.ones((10, 3)))
    assert model.predict_proba(np.array([[1.0] * 3, [500.0] * 3])).tolist() == [[1, 0], [0, 1]]


@pytest.mark.parametrize("gaps_in_log", [True, False])
def test_a_model_sees_gaps_only_where_its_log_has_some(*, gaps_in_log: bool) -> None:
    asked: list[Coded] = []

    def scores(rows: Coded) -> Coded:
        asked.append(rows)
        return np.full((len(rows), 2), 0.5)

    natural = np.arange(60.0).reshape(20, 3)
    natural[0, 0] = np.nan if gaps_in_log else 1.0
    model = OwnModel(scores, 1000)
    model.meet(natural)
    model.predict_proba(np.array([[np.nan, 1.0, 2.0]]))
    assert np.isnan(asked[-1]).any() == gaps_in_log


@pytest.mark.parametrize(
    ("answers", "message"),
    [
        (lambda rows: 3, "shape"),
        (lambda rows: np.zeros((len(rows), 1)), "shape"),
        (lambda rows: np.zeros((len(rows) + 1, 3)), "shape"),
        (lambda rows: [[1.0, 0.0], [1.0]] * (len(rows) // 2), "look alike"),
        (lambda rows: np.full((len(rows), 2), np.nan), "finite"),
        (lambda rows: [["a", "b"]] * len(rows), "not numbers"),
        (lambda rows: 1 / 0, "ZeroDivisionError"),
    ],
)
def test_answers_of_a_wrong_shape_are_named(answers: Predict, message: str) -> None:
    with pytest.raises(QuerywatchError, match=message):
        OwnModel(answers, 1000).meet(np.ones((10, 3)))


def test_a_model_that_changes_its_mind_is_named() -> None:
    shapes = iter([(10, 3), (10, 4)])
    model = OwnModel(lambda rows: np.ones(next(shapes)), 1000)
    model.meet(np.ones((10, 3)))
    with pytest.raises(QuerywatchError, match=r"\(10, 4\), not \(10, 3\)"):
        model.predict_proba(np.ones((10, 3)))


def test_the_budget_holds(predict: Predict, wine: Dataset) -> None:
    asked: list[int] = []

    def counting(rows: Coded) -> Any:
        asked.append(len(rows))
        return predict(rows)

    model = OwnModel(counting, 150)
    model.meet(wine.rows)
    with pytest.raises(QueriesSpentError):
        model.predict_proba(wine.rows[:60])
    assert sum(asked) <= 150


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("no_such_module_at_all:predict", "No module named"),
        ("json:no_such_function", "no function"),
        ("json:decoder", "no function"),
        ("json", "module:function"),
    ],
)
def test_a_function_that_is_not_there_is_named(name: str, message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        callable_of(name)


def test_a_function_of_the_working_directory_is_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "model_of_a_user.py").write_text("class Model:\n    predict = staticmethod(len)\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    assert callable_of("model_of_a_user:Model.predict")(np.ones((3, 2))) == 3


def test_attacks_and_benign_clients_run_against_the_user_s_model(
    wine: Dataset, predict: Predict
) -> None:
    orders = Orders(LOAD, ("path_finding", "noise_distance", "regular", "retry"), 0, 100_000)
    outcomes, whole = red_team(wine, predict, orders, PRODUCT)
    assert whole
    assert {o.place.model_id for o in outcomes} == {"mine"}
    pure = {o.label: o for o in outcomes if o.role is Role.PURE}
    assert set(pure) == {"path_finding", "noise_distance"}
    assert pure["path_finding"].found
    assert {o.label for o in outcomes if o.role is Role.BENIGN} == {"regular", "retry"}


def test_a_model_of_categories_alone_meets_the_attacks_that_need_no_numbers() -> None:
    colours, sizes = ["red", "green", "blue"], ["s", "m", "l", "xl"]
    picks = RNG.integers([3, 4, 3, 4], size=(400, 4))
    rows = [
        {"features": [colours[a], sizes[b], colours[c], sizes[d]]} for a, b, c, d in picks.tolist()
    ]

    def red_or_large(cells: Coded) -> list[str]:
        return ["yes" if row[0] == 2 or row[1] == 0 else "no" for row in cells]

    natural = ("uniform", "sweep", "active_learning", "active_learning_committee")
    asked_for = (*natural, "augmentation_fields", "simba", "square", "neighbourhood")
    orders = Orders(LOAD, (*asked_for, "regular"), 0, 100_000, rivals=False)
    outcomes, whole = red_team(own_dataset(events(rows)), red_or_large, orders, PRODUCT)
    assert whole
    # The others change numbers by little, and the model takes none. Its 144 inputs are soon asked.
    variants = {o.label for o in outcomes if o.role is Role.PURE}
    assert variants == set(natural)


def test_a_spent_budget_leaves_what_was_seen(wine: Dataset, predict: Predict) -> None:
    orders = Orders(LOAD, ("regular", "path_finding", "uniform"), 0, 5000, rivals=False)
    outcomes, whole = red_team(wine, predict, orders, PRODUCT)
    assert not whole
    assert outcomes
    with pytest.raises(ConfigurationError, match="do not suffice"):
        red_team(wine, predict, replace(orders, budget=300), PRODUCT)


def answering(answer: Any, status: int = 200) -> httpx.MockTransport:
    return httpx.MockTransport(lambda request: httpx.Response(status, json=answer))


def asked(transport: httpx.MockTransport, wine: Dataset, rows: int = 3) -> list[Any]:
    endpoint = Endpoint("http://model.test/v1", wine, {"X-Key": "k"}, 1.0, transport)
    try:
        return endpoint(wine.rows[:rows])
    finally:
        endpoint.close()


def test_an_endpoint_gets_instances_as_the_log_has_them(wine: Dataset) -> None:
    requests: list[Any] = []

    def answer(request: httpx.Request) -> httpx.Response:
        assert request.headers["X-Key"] == "k"
        instances = json.loads(request.content)["instances"]
        requests.append(instances)
        return httpx.Response(200, json={"predictions": [[0.9, 0.1]] * len(instances)})

    assert len(asked(httpx.MockTransport(answer), wine, 300)) == 300
    assert [len(instances) for instances in requests] == [BATCH, 300 - BATCH]
    assert requests[0][0].keys() == {field.name for field in wine.fields}


@pytest.mark.parametrize(
    ("transport", "message"),
    [
        (answering({"error": "full"}, 503), "status 503"),
        (answering({}, 302), "status 302"),
        (answering({"outputs": []}), "predictions"),
        (answering([1, 2, 3]), "predictions"),
        (answering({"predictions": [1]}), "3 instances"),
        (httpx.MockTransport(lambda request: httpx.Response(200, text=" " * (65 << 20))), "longer"),
        (httpx.MockTransport(lambda request: httpx.Response(200, text="hello")), "JSON"),
    ],
)
def test_an_endpoint_s_failures_are_named(
    transport: httpx.MockTransport, message: str, wine: Dataset
) -> None:
    with pytest.raises(QuerywatchError, match=message):
        asked(transport, wine)


def test_an_endpoint_that_does_not_answer_is_named(wine: Dataset) -> None:
    def silent(request: httpx.Request) -> httpx.Response:
        raise httpx.ReadTimeout("timed out")

    with pytest.raises(QuerywatchError, match=r"endpoint http://model\.test/v1: no answer in 1 s"):
        asked(httpx.MockTransport(silent), wine)
