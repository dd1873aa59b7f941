"""Columns: what becomes a cell, a label, a score and a margin, and that no shape changes them."""

import json
import math
from collections.abc import Mapping, Sequence
from zlib import crc32

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from detector.events.assemble import assemble
from detector.events.batch import (
    CATEGORY_CEILING,
    MAX_CLASSES,
    NO_LABEL,
    NUMBER_LIMIT,
    ColumnTable,
    EventBatch,
    category_code,
    cell,
    label_code,
)
from detector.events.decode import Decoder
from detector.events.located import LocatedEvent
from detector.events.model import ModelKey
from detector.events.record import Position, Record
from detector.features.geometry import compare
from detector.features.lens import view_cells

MODEL = ModelKey("", "m")
NAN = float("nan")


def located(*events: Mapping[str, object]) -> list[LocatedEvent]:
    """The events as the decoder hands them over."""
    common = {"event_id": "e", "time": 1_767_225_600_000, "client_id": "c", "model_id": "m"}
    records = [
        Record(Position("log", 0, at), json.dumps({**common, **event}).encode())
        for at, event in enumerate(events)
    ]
    decoded = Decoder().decode_all(records)
    assert not decoded.dead
    return list(decoded.events)


def of_inputs(*inputs: object, table: ColumnTable | None = None) -> EventBatch:
    events = [{} if item is None else {"input": item} for item in inputs]
    return assemble(MODEL, located(*events), table or ColumnTable())


def of_outputs(*outputs: object, table: ColumnTable | None = None) -> EventBatch:
    events = [{} if item is None else {"output": item} for item in outputs]
    return assemble(MODEL, located(*events), table or ColumnTable())


def same(left: object, right: object) -> bool:
    return bool(np.array_equal(np.asarray(left, float), np.asarray(right, float), equal_nan=True))


def known(batch: EventBatch, row: int) -> dict[int, float]:
    """Scores of one event that are there, by column."""
    return {i: float(v) for i, v in enumerate(batch.scores[row]) if not np.isnan(v)}


@pytest.mark.parametrize("text", ["", "red", "12.5", "nan", "Grün", "x" * 10_000])
def test_a_category_is_a_code_that_no_number_can_be(text: str) -> None:
    code = category_code(text)
    assert code == category_code(text) == float(np.float32(code))
    assert code < CATEGORY_CEILING < cell(-math.inf) == -NUMBER_LIMIT


def test_categories_differ() -> None:
    assert len({category_code(f"category {i}") for i in range(100)}) == 100


def test_numbers_are_themselves_up_to_the_limit() -> None:
    assert [cell(v) for v in (1.5, -2, 0, 1e300, -1e300)] == [1.5, -2, 0, 1e29, -1e29]


def test_booleans_count_as_numbers_and_nothing_is_missing() -> None:
    batch = of_inputs({"fields": {"a": True, "b": False, "c": None}})
    assert same(batch.cells, [[1, 0, NAN]])


def test_lists_take_their_places_as_names() -> None:
    batch = of_inputs({"features": [1, 2.5]}, {"features": [3, 4]})
    assert batch.names == ("0", "1")
    assert same(batch.cells, [[1, 2.5], [3, 4]])


def test_an_embedding_becomes_its_direction() -> None:
    batch = of_inputs({"embedding": [3, -4]}, {"embedding": [0.5, 0]}, {"embedding": [0, 0]})
    assert batch.names == ("0", "1")
    assert batch.cells == pytest.approx(np.array([[0.6, -0.8], [1, 0], [0, 0]]))


@pytest.mark.parametrize("size", [5e-324, 1e-200, 1.0, 1e300])
def test_the_length_of_an_embedding_says_nothing(size: float) -> None:
    batch = of_inputs({"embedding": [size, size, 0]})
    assert batch.cells[0] == pytest.approx([0.5**0.5, 0.5**0.5, 0])


def test_distance_of_embeddings_is_that_of_their_cosine() -> None:
    rng = np.random.default_rng(3)
    a, b = rng.normal(size=(2, 128))
    cells = of_inputs({"embedding": [*a]}, {"embedding": [*(7 * b)]}).cells
    cosine = a @ b / np.linalg.norm(a) / np.linalg.norm(b)
    assert np.linalg.norm(cells[0] - cells[1]) == pytest.approx(np.sqrt(2 - 2 * cosine))


def test_features_beside_an_embedding_of_their_width_keep_their_length() -> None:
    batch = of_inputs({"features": [3, 4]}, {"embedding": [3, 4]}, {"fields": {"0": 3, "1": 4}})
    assert batch.cells == pytest.approx(np.array([[3, 4], [0.6, 0.8], [3, 4]]))


@given(st.integers(0, 2**32), st.integers(1, 300), st.integers(1, 9))
def test_an_embedding_is_the_same_to_the_last_digit_in_any_company(
    seed: int, width: int, rows: int
) -> None:
    vectors = np.random.default_rng(seed).normal(size=(rows, width))
    inputs = [{"embedding": [*row]} for row in vectors]
    cells = of_inputs(*inputs).cells
    assert same(cells[-1:], of_inputs(inputs[-1]).cells)
    assert same(cells, of_inputs(*inputs, {"features": [0] * width}).cells[:-1])


def test_named_fields_take_their_columns_in_any_order() -> None:
    batch = of_inputs({"fields": {"a": 1, "b": 2}}, {"fields": {"b": 4, "a": 3}})
    assert batch.names == ("a", "b")
    assert same(batch.cells, [[1, 2], [3, 4]])


def test_columns_stay_from_batch_to_batch() -> None:
    table = ColumnTable()
    of_inputs({"fields": {"a": 1, "b": 2}}, table=table)
    batch = of_inputs({"fields": {"b": 3, "c": 4}}, {"fields": {"b": 5, "c": 6}}, table=table)
    assert batch.names == ("a", "b", "c")
    assert same(batch.cells, [[NAN, 3, 4], [NAN, 5, 6]])


def test_mixed_types_in_one_column() -> None:
    batch = of_inputs({"features": ["7", 7, None]}, {"features": [7, "7", 1.5]})
    assert same(batch.cells, [[category_code("7"), 7, NAN], [7, category_code("7"), 1.5]])


def test_one_long_text_does_not_widen_every_value() -> None:
    table, text = ColumnTable(), "x" * 500_000
    batch = of_inputs(
        {"features": [text, *range(200)]}, *[{"features": [1] * 201}] * 400, table=table
    )
    assert batch.cells.nbytes == 401 * 201 * 8
    assert batch.cells[0, 0] == category_code(text)


def test_lists_of_different_lengths_leave_the_rest_missing() -> None:
    batch = of_inputs({"features": [1]}, {"features": [2, 3]})
    assert same(batch.cells, [[1, NAN], [2, 3]])


def test_fields_that_a_frozen_table_does_not_know_are_left_out() -> None:
    table = ColumnTable(["a", "b"], max_fields=2)
    batch = of_inputs({"fields": {"new": 9, "b": 1}}, table=table)
    assert batch.names == ("a", "b")
    assert same(batch.cells, [[NAN, 1]])
    mixed = of_inputs({"fields": {"new": 9, "b": 1}}, {"fields": {"a": 2}}, table=table)
    assert same(mixed.cells, [[NAN, 1], [2, NAN]])


def test_fingerprints_are_categories_even_when_they_look_like_numbers() -> None:
    batch = of_inputs({"fingerprint": "12"}, {"fingerprint": ["12", "ab"]})
    code = category_code("#12")
    assert same(batch.cells, [[code, NAN], [code, category_code("#ab")]])


def test_distance_of_fingerprints_is_the_share_of_positions_that_differ() -> None:
    """Squared and summed, as the features see it; capitals and gaps count as differences."""
    one = ["ab", "12", "ff", "00"]
    others = [one, ["ab", "12", "ff", "01"], ["12", "ab", "ff", "00"], ["cd"] * 4, one[:3]]
    batch = of_inputs(*({"fingerprint": prints} for prints in (one, *others)))
    cells = view_cells(batch.cells, None)
    squares = [compare(cells[0], row, np.inf)[2] for row in cells[1:]]
    assert [square / len(one) for square in squares] == [0, 0.25, 0.5, 1, 0.25]


def test_events_without_input_are_rows_of_missing_cells() -> None:
    batch = of_inputs(None, {"features": [1]}, {})
    assert batch.has_input.tolist() == [False, True, False]
    assert same(batch.cells, [[NAN], [1], [NAN]])


def test_a_batch_without_any_input_has_no_columns() -> None:
    batch = of_inputs(None, None)
    assert batch.cells.shape == (2, 0)


def test_positions_times_and_events_keep_the_order_of_the_log() -> None:
    items = located({"time": 1_767_225_600_002}, {"time": 1_767_225_600_001})
    batch = assemble(MODEL, items, ColumnTable())
    assert len(batch) == 2
    assert batch.time_ms.tolist() == [1_767_225_600_002, 1_767_225_600_001]
    assert batch.offsets.tolist() == [0, 1]
    assert batch.located == items
    assert list(batch.clients) == [item.event.client_id for item in items]


@pytest.mark.parametrize("label", [0, 1, 2**63 - 1, -(2**63), "", "malignant", "1"])
def test_label_codes_are_31_bits(label: str | int) -> None:
    assert 0 <= label_code(label) < 2**31


def test_small_integers_are_their_own_codes_and_texts_are_not() -> None:
    assert label_code(3) == 3
    assert label_code("3") == crc32(b"3") & 0x7FFFFFFF


@pytest.mark.parametrize(
    ("output", "label"),
    [
        (None, NO_LABEL),
        ({}, NO_LABEL),
        ({"value": 1.5}, NO_LABEL),
        ({"label": 4, "scores": [0.9, 0.1]}, 4),
        ({"scores": [0.1, 0.7, 0.2]}, 1),
        ({"scores": [0.5]}, 1),
        ({"scores": [0.49]}, 0),
        ({"scores": {"cat": 0.2, "dog": 0.8}}, label_code("dog")),
    ],
)
def test_a_label_is_what_the_output_says_or_its_best_class(output: object, label: int) -> None:
    assert of_outputs(output).labels.tolist() == [label]


def test_a_list_of_scores_goes_by_class_number() -> None:
    batch = of_outputs({"scores": [0.7, 0.2, 0.1]}, {"scores": [0.25, 0.5, 0.25]})
    assert known(batch, 0) == {0: 0.7, 1: 0.2, 2: 0.1}
    assert batch.margins == pytest.approx([0.5, 0.25])


def test_a_lone_score_is_that_of_the_label() -> None:
    table = ColumnTable()
    batch = of_outputs(
        {"label": "yes", "scores": [0.9]},
        {"label": "no", "scores": [0.8]},
        {"label": "yes", "scores": [0.3]},
        table=table,
    )
    assert [known(batch, i) for i in range(3)] == [{0: 0.9}, {1: 0.8}, {0: 0.3}]
    assert batch.margins == pytest.approx([0.8, 0.6, 0.0])


def test_a_lone_score_without_label_is_that_of_class_1() -> None:
    batch = of_outputs({"scores": [0.75]})
    assert known(batch, 0) == {0: 0.25, 1: 0.75}
    assert batch.margins.tolist() == [0.5]


def test_named_scores_keep_their_columns() -> None:
    table = ColumnTable()
    batch = of_outputs(
        {"scores": {"cat": 0.75, "dog": 0.25}}, {"scores": {"dog": 0.5, "cow": 0.5}}, table=table
    )
    assert [known(batch, 0), known(batch, 1)] == [{0: 0.75, 1: 0.25}, {1: 0.5, 2: 0.5}]
    assert batch.margins.tolist() == [0.5, 0.0]


def test_outputs_without_scores_have_no_margin() -> None:
    batch = of_outputs(None, {"label": 1}, {"value": 2.0})
    assert same(batch.margins, [NAN] * 3)
    assert np.isnan(batch.scores).all()


def test_classes_beyond_the_limit_share_columns_and_count_for_the_margin() -> None:
    scores = [i / 1000 for i in range(MAX_CLASSES)] + [0.5, 0.2, 0.01]
    alone, beside = of_outputs({"scores": scores}), of_outputs({"scores": scores}, None)
    for listed in (alone, beside):
        best = {**{i: i / 1000 for i in range(MAX_CLASSES)}, 0: 0.5, 1: 0.2, 2: 0.01}
        assert known(listed, 0) == best
        assert listed.margins[0] == pytest.approx(0.3)
    named = of_outputs({"scores": {f"class {i}": score for i, score in enumerate(scores)}})
    assert named.margins == pytest.approx([0.3])
    assert max(known(named, 0).values()) == 0.5


def test_columns_of_further_classes_do_not_depend_on_which_came_first() -> None:
    table, other = ColumnTable(classes=range(100, 132)), ColumnTable(classes=range(100, 132))
    codes = [7, 1_000_003, 64]
    found = [table.class_column(code) for code in codes]
    assert found == [other.class_column(code) for code in reversed(codes)][::-1]
    assert table.class_columns(codes) == found
    assert table.classes == tuple(range(100, 132))


def test_a_label_beyond_the_limit_keeps_its_score() -> None:
    outputs = [{"label": i, "scores": [0.9]} for i in range(MAX_CLASSES + 1)]
    batch = of_outputs(*outputs, table=ColumnTable())
    assert known(batch, MAX_CLASSES - 1) == {MAX_CLASSES - 1: 0.9}
    assert known(batch, MAX_CLASSES) == {0: 0.9}
    assert batch.margins[MAX_CLASSES] == pytest.approx(0.8)


def test_an_input_that_names_no_known_field_counts_as_none() -> None:
    table = ColumnTable(["age", "income"], max_fields=2)
    batch = of_inputs(
        {"fields": {"AGE": 3, "Income": 2}}, {"features": [3, 2]}, {"fields": {"age": None}},
        {"fields": {"age": 3, "new": 1}}, table=table,
    )  # fmt: skip
    assert batch.has_input.tolist() == [False, False, True, True]


def test_a_row_by_position_has_the_fields_of_a_table_in_their_order() -> None:
    table = ColumnTable(["age", "income"], max_fields=2, by_position=True)
    rows = [{"features": [3, 2]}, {"fields": {"income": 2, "age": 3}}, {"features": [3, 2, 1]},
            {"embedding": [0, 1]}]  # fmt: skip
    batch = of_inputs(*rows, table=table)
    assert same(batch.cells, [[3, 2], [3, 2], [NAN, NAN], [NAN, NAN]])
    assert batch.has_input.tolist() == [True, True, False, False]
    assert same(of_inputs(rows[0], table=table).cells, [[3, 2]])


finite = st.floats(allow_nan=False, allow_infinity=False)
texts = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=4)
values = st.one_of(finite, st.integers(-(2**60), 2**60), texts, st.none())
lists = st.lists(values, min_size=1, max_size=4).map(lambda v: {"features": v})
names = st.sampled_from(["a", "b", "c", "0"])
named = st.dictionaries(names, values | st.booleans(), min_size=1).map(lambda v: {"fields": v})
vectors = st.lists(finite, min_size=1, max_size=4).map(lambda v: {"embedding": v})
inputs = st.one_of(st.none(), lists, named, vectors)
shares = st.floats(0, 1)
scores = st.one_of(
    st.lists(shares, min_size=1, max_size=4),
    st.dictionaries(names, shares, min_size=1),
)
outputs = st.one_of(
    st.none(),
    st.fixed_dictionaries({}, optional={"scores": scores, "label": names | st.integers(0, 3)}),
)


def columns_of(batches: Sequence[EventBatch]) -> dict[str, list[dict[str, object]]]:
    """What is known of every event, apart from the width that its batch happens to have."""
    return {
        "cells": [
            {n: float(v) for n, v in zip(batch.names, row, strict=True) if not np.isnan(v)}
            for batch in batches
            for row in batch.cells
        ],
        "outputs": [
            {"label": int(batch.labels[i]), "margin": repr(float(batch.margins[i]))}
            | {str(k): v for k, v in known(batch, i).items()}
            for batch in batches
            for i in range(len(batch))
        ],
    }


@given(st.lists(st.tuples(inputs, outputs), min_size=1, max_size=6))
def test_events_at_once_are_as_events_one_by_one(pairs: list[tuple[object, object]]) -> None:
    """The ways for events of one shape and of many give the same columns."""
    events = located(*({"input": given, "output": said} for given, said in pairs))
    one_by_one = ColumnTable()
    alone = [assemble(MODEL, [event], one_by_one) for event in events]
    table = ColumnTable()
    together = assemble(MODEL, events, table)
    assert columns_of([together]) == columns_of(alone)
    assert table.names == one_by_one.names


@given(st.lists(st.lists(values, min_size=3, max_size=3), min_size=1, max_size=5))
def test_rows_of_one_shape_are_their_cells(rows: list[list[float | str | None]]) -> None:
    batch = of_inputs(*({"features": row} for row in rows))
    assert same(batch.cells, [[cell(value) for value in row] for row in rows])
