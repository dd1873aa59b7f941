import numpy as np
import pytest

from detector.features.state import ClientTable, Stat


def filled(width: int = 5, capacity: int = 3) -> ClientTable:
    table = ClientTable(width, capacity)
    for number, array in enumerate(table.arrays(), 1):
        array[...] = number
    return table


def test_growing_keeps_what_is_there_and_adds_blank_rows() -> None:
    table = filled()
    before = [array.copy() for array in table.arrays()]
    table.grow(7)
    assert table.capacity == 7
    for old, new in zip(before, table.arrays(), strict=True):
        np.testing.assert_array_equal(new[:3], old)
        assert not new[3:].any()
        assert new.dtype == old.dtype


def test_clearing_blanks_one_row_alone() -> None:
    table = filled()
    table.clear(1)
    for array in table.arrays():
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


@pytest.mark.parametrize("width", [8, 32])
def test_a_client_of_up_to_32_fields_takes_at_most_4_kib(width: int) -> None:
    assert ClientTable(width, 1).bytes_per_client <= 4096


def test_bytes_per_client_tell_what_the_arrays_take() -> None:
    table = ClientTable(16, 10)
    assert 10 * table.bytes_per_client == sum(array.nbytes for array in table.arrays())


def test_a_client_takes_the_same_whatever_it_sends() -> None:
    small, large = ClientTable(64, 2), ClientTable(64, 2000)
    assert small.bytes_per_client == large.bytes_per_client
