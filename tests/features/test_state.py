import numpy as np
import pytest

from detector.features.state import (
    FEWEST_SLOTS,
    MOST_SLOTS,
    NUMBERED,
    NUMBERED_STATS,
    ClientTable,
    Stat,
    memory_slots,
)
from detector.kit.prefetch import LINE
from detector.reference.sketch import MAX_COLUMNS


def filled(width: int = 5, capacity: int = 3) -> ClientTable:
    table = ClientTable(width, capacity)
    for number, array in enumerate(table.block.arrays.values(), 1):
        array[...] = number
    return table


def test_growing_keeps_what_is_there_and_adds_blank_rows() -> None:
    table = filled()
    before = [array.copy() for array in table.block.arrays.values()]
    table.grow(7)
    assert table.capacity == 7
    for old, new in zip(before, table.block.arrays.values(), strict=True):
        np.testing.assert_array_equal(new[:3], old)
        assert not new[3:].any()
        assert new.dtype == old.dtype


def test_clearing_blanks_one_row_alone() -> None:
    table = filled()
    table.clear(np.array([1]))
    for array in table.block.arrays.values():
        assert not array[1].any()
        assert array[0].all()
        assert array[2].all()


def test_forgetting_keeps_the_statistics_and_no_query() -> None:
    table = filled()
    table.forget_memory(9)
    assert table.memory.shape[2] == table.width == 9
    assert not table.order.any()
    assert not table.stats[:, Stat.MEMORY_COUNT].any()
    assert table.stats[:, Stat.QUERIES].all()
    assert table.probes.all()


@pytest.mark.parametrize("width", [5, 9])
def test_forgetting_leaves_nothing_that_columns_classes_or_regions_are_told_by(width: int) -> None:
    table = filled()
    table.forget_memory(width)
    for name in NUMBERED:
        assert not table.block.arrays[name].any(), name
    assert not table.stats[:, list(NUMBERED_STATS)].any()


def test_forgetting_at_the_same_width_moves_nothing_and_touches_no_row_that_nobody_has() -> None:
    table = ClientTable(5, 6)
    for row in (1, 4):
        for array in table.block.arrays.values():
            array[row] = 7
    table.stats[[1, 4], Stat.QUERIES] = (3, 9)
    # No client has such a row, so that a change would show.
    table.block.rows[2] = 255
    table.stats[2, Stat.QUERIES] = 0
    block = table.block
    table.forget_memory(5)
    assert table.block is block
    assert not table.order[[1, 4]].any()
    assert not table.memory[[1, 4]].any()
    assert table.stats[[1, 4], Stat.QUERIES].tolist() == [3, 9]
    assert (table.marks[2] == 255).all()


def test_another_width_takes_over_the_rows_of_all_who_asked() -> None:
    table = ClientTable(5, 3000)
    held = np.arange(1, 3000, 2)
    for number, array in enumerate(table.block.arrays.values(), 1):
        array[held] = number
    table.widen_memory(6)
    np.testing.assert_array_equal(table.held(), held)
    assert (table.memory[held, :, :5] == 1).all()
    assert np.isnan(table.memory[held, :, 5]).all()
    assert (table.turns[held] == 17).all()
    assert not table.block.rows[::2].any()


def test_taking_more_columns_keeps_the_queries_where_as_many_fit() -> None:
    table = filled(width=5)
    wider = next(w for w in range(6, 65) if memory_slots(w) < memory_slots(5)) - 1
    table.widen_memory(wider)
    assert table.memory.shape[2] == table.width == wider
    assert (table.memory[:, :, :5] == 1).all()
    assert np.isnan(table.memory[:, :, 5:]).all()
    assert table.order.all()


def test_taking_so_many_columns_that_fewer_queries_fit_forgets_them() -> None:
    table = filled(width=5)
    table.widen_memory(64)
    assert table.memory.shape[1:] == (memory_slots(64), 64)
    assert not table.order.any()
    assert table.stats[:, Stat.QUERIES].all()


def test_narrow_inputs_leave_room_for_more_queries_but_never_too_few_or_too_many() -> None:
    slots = [memory_slots(width) for width in range(1, MAX_COLUMNS + 1)]
    assert slots == sorted(slots, reverse=True)
    assert (slots[0], slots[-1]) == (MOST_SLOTS, FEWEST_SLOTS)


def test_bytes_per_client_tell_what_the_arrays_take() -> None:
    table = ClientTable(16, 10)
    needed = sum(array.nbytes for array in table.block.arrays.values()) / 10
    assert needed <= table.bytes_per_client < needed + LINE


def test_a_client_takes_the_same_whatever_it_sends() -> None:
    small, large = ClientTable(64, 2), ClientTable(64, 2000)
    assert small.bytes_per_client == large.bytes_per_client
