import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from detector.events.bits import pointer
from detector.events.names import Names
from detector.events.siphash import siphash
from detector.kit.compiled import borrowing

NAMES = st.lists(st.text(max_size=40) | st.sampled_from(["ann", "", "zoë", "\ud800"]), max_size=30)

# Of the messages 00, 00 01, ... under the key 00 01 ... 0f, by length: from the authors' vectors.
VECTORS = {
    0: "a3817f04ba25a8e66df67214c7550293",
    1: "da87c1d86b99af44347659119b22fc45",
    7: "a1f1ebbed8dbc153c0b84aa61ff08239",
    8: "3b62a9ba6258f5610f83e264f31497b4",
    15: "5493e99933b0a8117e08ec0f97cfc3d9",
    16: "6ee2a4ca67b054bbfd3315bf85230577",
}


@borrowing
def hashed(data: np.ndarray, begin: int, end: int, key: np.ndarray, halves: np.ndarray) -> None:
    halves[0], halves[1] = siphash(pointer(data), begin, end, key[0], key[1])


@pytest.mark.parametrize("before", [0, 3])
@pytest.mark.parametrize("size", VECTORS)
def test_the_hash_gives_the_published_values(size: int, before: int) -> None:
    key = np.frombuffer(bytes(range(16)), dtype=np.uint64)
    data = np.frombuffer(b"x" * before + bytes(range(size)) + b"\xff" * 8, dtype=np.uint8)
    halves = np.zeros(2, dtype=np.uint64)
    hashed(data, before, before + size, key, halves)
    assert halves.tobytes().hex() == VECTORS[size]


@given(NAMES)
@settings(deadline=None)
def test_names_come_back_as_they_were_given(given_names: list[str]) -> None:
    names = Names.of(given_names)
    assert len(names) == len(given_names)
    assert list(names) == given_names
    assert [names[i] for i in range(len(names))] == given_names
    assert list(names[1::2]) == given_names[1::2]
    order = np.arange(len(names))[::-1]
    assert list(names.take(order)) == given_names[::-1]
    assert Names.of(names) is names


@given(NAMES)
@settings(deadline=None)
def test_equal_names_have_equal_fingerprints_and_no_others(given_names: list[str]) -> None:
    names = Names.of(given_names)
    prints = [tuple(halves) for halves in names.fingerprints.tolist()]
    assert len(set(prints)) == len(set(given_names))
    assert len(set(zip(given_names, prints, strict=True))) == len(set(given_names))
    alone = [tuple(Names.of([name]).fingerprints[0].tolist()) for name in given_names]
    assert prints == alone, "what stands around a name does not matter"
    np.testing.assert_array_equal(names[1:].fingerprints, names.fingerprints[1:])


def test_a_span_without_a_place_is_an_empty_name() -> None:
    data = np.frombuffer(b"ann" + b"x" * 8, dtype=np.uint8)
    names = Names(data, np.array([[0, 3], [-1, 7]]))
    assert list(names) == ["ann", ""] == [names[0], names[1]]
    np.testing.assert_array_equal(names.fingerprints[1], Names.of([""]).fingerprints[0])
