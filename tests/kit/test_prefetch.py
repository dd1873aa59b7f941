import numpy as np

from detector.kit.prefetch import prefetch


def test_asking_for_a_row_changes_nothing_and_needs_no_such_row() -> None:
    rows = np.arange(90.0).reshape(3, 5, 6)
    for row in (0, 2, 3, 10**9):
        prefetch(rows, row)
    prefetch(np.zeros((3, 0)), 1)
    np.testing.assert_array_equal(rows, np.arange(90.0).reshape(3, 5, 6))
