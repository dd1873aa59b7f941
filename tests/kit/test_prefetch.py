import numpy as np
import pytest

from detector.kit.prefetch import LINE, lines_of, prefetch, prefetch_part


def test_asking_for_a_row_changes_nothing_and_needs_no_such_row() -> None:
    rows = np.arange(90.0).reshape(3, 5, 6)
    for row in (0, 2, 3, 10**9):
        prefetch(rows, row)
        prefetch_part(rows, row, 2, 14)
    prefetch(np.zeros((3, 0)), 1)
    np.testing.assert_array_equal(rows, np.arange(90.0).reshape(3, 5, 6))


@pytest.mark.parametrize("parts", [1, 3, 14])
@pytest.mark.parametrize("size", [0, 1, LINE, LINE + 1, 61 * LINE])
def test_the_parts_of_a_row_are_all_of_its_lines_once(size: int, parts: int) -> None:
    lines = [line for part in range(parts) for line in range(*lines_of(size, part, parts))]
    assert lines == list(range(-(-size // LINE)))
