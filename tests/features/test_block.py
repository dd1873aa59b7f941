from typing import Any

import numpy as np
import pytest

from detector.features import block as blocks
from detector.features.block import Block, fields_at
from detector.features.state import blank_row
from detector.kit.compiled import borrowing
from detector.kit.prefetch import LINE
from detector.scoring.evidence import blank_judgement

BLANK: dict[str, Any] = {
    "small": np.zeros(3, dtype=np.uint8),
    "wide": np.zeros((2, 5)),
    "half": np.zeros(7, dtype=np.uint16),
    "none": np.zeros((4, 0), dtype=np.float32),
    "single": np.zeros(1, dtype=np.float32),
}


def numbered(block: Block) -> None:
    """Every number of a field is the field's and the row's."""
    for k, array in enumerate(block.arrays.values(), 1):
        for row in range(len(array)):
            array[row] = 10 * k + row % 10


@pytest.mark.parametrize("blank", [BLANK, blank_row(30)._asdict(), blank_judgement(14)._asdict()])
def test_fields_stand_side_by_side_where_their_numbers_may_stand(blank: dict[str, Any]) -> None:
    block = Block(blank, 5)
    taken = np.zeros(block.rows.shape[1], dtype=int)
    for (name, array), start in zip(block.arrays.items(), block.starts.tolist(), strict=True):
        assert array.shape == (5, *blank[name].shape)
        assert array.flags.aligned
        taken[start : start + blank[name].nbytes] += 1
    assert taken.max() == 1
    assert (taken == 0).sum() < LINE
    assert block.rows.ctypes.data % LINE == block.rows.shape[1] % LINE == 0


def test_what_is_written_into_one_row_and_field_stands_nowhere_else() -> None:
    block = Block(BLANK, 12)
    numbered(block)
    for k, array in enumerate(block.arrays.values(), 1):
        for row in range(12):
            assert (array[row] == 10 * k + row % 10).all()


@pytest.mark.parametrize("roomy", [4, 10_000])
def test_growing_keeps_rows_and_adds_blank_ones(
    monkeypatch: pytest.MonkeyPatch, roomy: int
) -> None:
    monkeypatch.setattr(blocks, "_ROOMY", roomy)
    block = Block(BLANK, 3)
    for capacity in (4, 7, 16, 17, 300):
        numbered(block)
        before = block.rows.copy()
        block.grow(capacity)
        assert block.rows.shape == (capacity, before.shape[1])
        np.testing.assert_array_equal(block.rows[: len(before)], before)
        assert not block.rows[len(before) :].any()
        assert block.arrays["wide"].shape == (capacity, 2, 5)


@borrowing
def total(blank: Any, rows: Any, row: int, starts: Any, first: int) -> float:
    fields = fields_at(blank, rows, row, starts, first)
    fields[0][0] += 1
    return float(fields[0].sum() + 1000 * fields[1].sum())


def test_kernels_see_the_fields_of_a_row_and_write_into_them() -> None:
    block = Block(BLANK, 4)
    numbered(block)
    half_and_wide = (BLANK["half"], BLANK["wide"])
    starts = np.array([-1, *block.starts[[2, 1]]])
    assert total(half_and_wide, block.rows, 3, starts, 1) == 7 * 33 + 1 + 1000 * 10 * 23
    assert block.arrays["half"][3].tolist() == [34, *[33] * 6]
    assert (block.arrays["half"][:3, 0] == [30, 31, 32]).all()


def test_no_more_is_set_aside_than_there_will_ever_be(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[int] = []

    def zeros(rows: int, size: int) -> np.ndarray:
        asked.append(rows)
        if rows > 40:
            raise MemoryError
        return np.zeros((rows, size), dtype=np.uint8)

    monkeypatch.setattr(blocks, "_ROOMY", 8)
    monkeypatch.setattr(blocks, "_zeros", zeros)
    block = Block(BLANK, 4, most=36)
    for capacity in (8, 36):
        block.grow(capacity)
    assert asked == [4, 32, 36]
    unbounded = Block(BLANK, 4)
    unbounded.grow(16)
    assert asked[3:] == [4, 64, 16], "what cannot be had is done without"
    assert len(unbounded.rows) == 16
