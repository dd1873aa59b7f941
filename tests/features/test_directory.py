from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from detector.events.names import Names
from detector.features.directory import NOBODY, Directory

ROOM = 8
STEPS = st.lists(
    st.tuples(st.just("put"), st.integers(0, 30))
    | st.tuples(st.just("drop"), st.sets(st.integers(0, 30)))
    | st.tuples(st.just("enlarge"), st.integers(0, 5)),
    max_size=40,
)
EVERYBODY = [f"client-{number}" for number in range(31)]


def names_printed(names: Sequence[str], firsts: Sequence[int]) -> Names:
    """Names whose fingerprints begin with these numbers, so that they meet in the table."""
    made = Names.of(names)
    made.fingerprints = np.stack(
        [
            np.array(firsts, dtype=np.uint64),
            np.arange(len(names), dtype=np.uint64) << np.uint64(32),
        ],
        axis=1,
    )
    return made


@given(STEPS)
@settings(max_examples=80, deadline=None)
def test_it_knows_what_a_dictionary_would(steps: list[tuple[str, int | set[int]]]) -> None:
    directory, known, room = Directory(ROOM), dict[str, int](), ROOM
    for step, what in steps:
        if step == "put" and isinstance(what, int):
            if EVERYBODY[what] not in known and len(known) < room:
                known[EVERYBODY[what]] = what
                directory.put(Names.of([EVERYBODY[what]]), np.array([what]))
        elif step == "drop" and isinstance(what, set):
            known = {name: number for name, number in known.items() if number not in what}
            directory.drop(np.isin(np.arange(len(EVERYBODY)), list(what)))
        elif isinstance(what, int):
            room += what
            directory.enlarge(room)
        found = directory.find(Names.of(EVERYBODY)).tolist()
        assert found == [known.get(name, NOBODY) for name in EVERYBODY]


def test_names_that_look_in_one_place_are_told_apart() -> None:
    # The last place of the table, so that the search goes on at its beginning.
    names = names_printed(["a", "b", "c", "d"], [15, 15, 15, 31])
    directory = Directory(ROOM)
    assert len(directory.places) == 16
    directory.put(names, np.array([4, 5, 6, 7]))
    assert directory.find(names).tolist() == [4, 5, 6, 7]
    directory.drop(np.arange(8) == 4)
    assert directory.find(names).tolist() == [NOBODY, 5, 6, 7]


def test_who_is_not_there_is_nobody_however_little_room_there_is() -> None:
    directory = Directory(0)
    directory.put(Names.of(["a"]), np.array([0]))
    assert directory.find(Names.of(["a", "b"])).tolist() == [0, NOBODY]


def test_more_names_than_there_is_room_for_are_an_error_and_no_endless_search() -> None:
    directory = Directory(1)
    with pytest.raises(IndexError, match="full"):
        directory.put(Names.of(["a", "b", "c", "d"]), np.arange(4))


def test_room_never_shrinks() -> None:
    directory = Directory(ROOM)
    directory.put(Names.of(EVERYBODY[:ROOM]), np.arange(ROOM))
    directory.enlarge(1)
    assert directory.find(Names.of(EVERYBODY[:ROOM])).tolist() == list(range(ROOM))
