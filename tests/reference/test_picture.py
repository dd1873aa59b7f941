from dataclasses import fields, replace
from typing import Any

import msgspec
import numpy as np
import pytest

from detector.events.model import ModelKey
from detector.kit.errors import ConfigurationError
from detector.reference.answers import AnswerSample
from detector.reference.fields import Fields
from detector.reference.forest import NO_FOREST, Forest
from detector.reference.layout import Layout
from detector.reference.picture import FORMAT, Reference
from tests.scoring.traffic import reference


def assert_same(a: Reference, b: Reference) -> None:
    for item in fields(Reference):
        x, y = getattr(a, item.name), getattr(b, item.name)
        if isinstance(x, Fields | AnswerSample | Forest | Layout):
            for part in fields(x):
                np.testing.assert_array_equal(getattr(x, part.name), getattr(y, part.name))
        elif isinstance(x, np.ndarray):
            np.testing.assert_array_equal(x, y)
        else:
            assert x == y, item.name


def tampered(**values: object) -> bytes:
    plain = msgspec.msgpack.decode(reference().to_bytes())
    return msgspec.msgpack.encode({**plain, **values})


def test_bytes_bring_back_the_same_picture() -> None:
    there = reference()
    back = Reference.from_bytes(there.to_bytes())
    assert_same(there, back)
    assert isinstance(back.model, ModelKey)
    assert back.digest() == there.digest()
    assert back.to_bytes() == there.to_bytes()


def test_the_layout_is_kept() -> None:
    layout = Layout(np.zeros((2, 0)), (7, 2**31 - 1), True, (-8.0, 9.5))
    back = Reference.from_bytes(replace(reference(), layout=layout).to_bytes())
    assert (back.layout.classes, back.layout.by_position) == ((7, 2**31 - 1), True)
    assert back.layout.scores == (-8.0, 9.5)


@pytest.mark.parametrize("units", [np.ones((2, 3)), np.ones(4)])
def test_units_of_other_fields_are_refused(units: np.ndarray) -> None:
    layout = replace(reference().layout, units=units)
    with pytest.raises(ConfigurationError, match="units"):
        Reference.from_bytes(replace(reference(), layout=layout).to_bytes())


def test_the_digest_tells_pictures_apart() -> None:
    assert replace(reference(), near=9.0).digest() != reference().digest()


def test_another_format_is_refused_with_what_to_do() -> None:
    with pytest.raises(ConfigurationError, match="rebuild"):
        Reference.from_bytes(tampered(format=999))


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"\x01",
        b"\xa3abc",
        b"\x90",
        b"\x80",
        b"not a reference",
        b'{"format": 1}',
        msgspec.msgpack.encode({"format": FORMAT}),
        msgspec.msgpack.encode({1: 2}),
    ],
)
def test_anything_else_is_refused(body: bytes) -> None:
    with pytest.raises(ConfigurationError, match="not a reference"):
        Reference.from_bytes(body)


@pytest.mark.parametrize("share", [0.01, 0.5, 0.999])
def test_a_cut_body_is_refused(share: float) -> None:
    body = reference().to_bytes()
    with pytest.raises(ConfigurationError):
        Reference.from_bytes(body[: int(share * len(body))])


SHORT = {"shape": [1], "data": b"12345678"}


@pytest.mark.parametrize(
    "values",
    [
        {"fields": 3},
        {"fields": {}},
        {"model": 3},
        {"names": 3},
        {"nulls": []},
        {"precision": {"shape": [2], "data": b"1234"}},
        {"precision": SHORT},
        {"limits": SHORT},
        {"calibration": SHORT},
        {"centroids": SHORT},
        {"names": ["only one"]},
    ],
)
def test_parts_that_do_not_fit_are_refused(values: dict[str, object]) -> None:
    with pytest.raises(ConfigurationError, match="not a reference"):
        Reference.from_bytes(tampered(**values))


@pytest.mark.parametrize(
    "changes",
    [
        {"features": np.full((1, 7), 99.0)},
        {"features": np.full((1, 7), -2.0)},
        {"features": np.full((1, 7), 0.5)},
        {"features": np.full((1, 7), 0.0)},
        {"features": np.full((1, 3), -1.0)},
        {"thresholds": np.zeros(7)},
        {"masses": np.zeros((2, 7))},
        {"span": np.zeros(9)},
        {"benign": np.zeros((2, 2))},
        {"window": 0.0},
        {"window": np.ones(1)},
        {"window": float("nan")},
        {"window": float("inf")},
        {"window": "many"},
        {"benign": np.zeros(0)},
        {"benign": np.array([0.5, 0.2])},
        {"benign": np.array([np.nan, 0.2])},
        {"masses": np.full((1, 7), np.nan)},
        {"thresholds": np.full((1, 7), np.inf)},
        {"span": np.array([1.0, 0.0, 1.0])},
        {"features": np.array([[3.0, -1, -1, -1, -1, -1, -1]])},
        {"features": np.array([[-1, -1, -1, 0.0, -1, -1, -1]])},
        {"usual": np.zeros((1, 3))},
        {"usual": np.array([[32.0, np.nan]])},
    ],
)
def test_trees_that_point_nowhere_are_refused(changes: dict[str, Any]) -> None:
    leaf = np.full((1, 7), -1.0)
    sound = Forest(leaf, leaf, leaf, 4.0, np.zeros(3), np.ones(3), np.zeros(2))
    widest = replace(sound, features=np.array([[2.0, 1.0, 0.0, -1, -1, -1, -1]]))
    for good in (sound, widest):
        assert len(Reference.from_bytes(replace(reference(), forest=good).to_bytes()).forest) == 1
    broken = replace(reference(), forest=replace(sound, **changes))
    with pytest.raises(ConfigurationError, match="not a reference"):
        Reference.from_bytes(broken.to_bytes())


def test_trees_of_an_even_number_of_nodes_are_refused() -> None:
    leaf = np.full((1, 6), -1.0)
    even = Forest(leaf, leaf, leaf, 4.0, np.zeros(3), np.ones(3), np.zeros(2))
    with pytest.raises(ConfigurationError, match="divide what does not exist"):
        Reference.from_bytes(replace(reference(), forest=even).to_bytes())


def test_what_former_versions_did_not_keep_is_not_written_where_it_says_nothing() -> None:
    """Digests name references in snapshots: those of stored references must stay."""
    plain = replace(reference(), forest=NO_FOREST, shattered=0.0)
    assert not plain.fields.origin.any()
    for word in (b"forest", b"origin", b"shattered"):
        assert word not in plain.to_bytes()
    back = Reference.from_bytes(plain.to_bytes())
    assert_same(plain, back)
    assert back.digest() == plain.digest()


def test_where_a_grid_begins_is_kept() -> None:
    fields = reference().fields
    moved = replace(reference(), fields=replace(fields, origin=fields.origin + 0.25))
    assert_same(moved, Reference.from_bytes(moved.to_bytes()))
    assert moved.digest() != reference().digest()


def test_how_many_fields_new_groups_break_is_kept() -> None:
    wider = replace(reference(), shattered=reference().shattered + 3.0)
    assert_same(wider, Reference.from_bytes(wider.to_bytes()))
    assert wider.digest() != reference().digest()


def test_the_summary_tells_what_was_learnt() -> None:
    summary = reference().summary()
    assert (summary["fields"], summary["numeric_fields"], summary["gridded_fields"]) == (7, 6, 3)
    assert (summary["events"], summary["clients"]) == (2400, 40)
    assert summary["has_scores"] is True
    assert isinstance(summary["near_distance"], float)
    assert summary["near_distance"] > 0
