"""Kernels in which nobody counts references."""

import numpy as np
import pytest
from numba.core.errors import TypingError

from detector.kit.compiled import borrowing


@borrowing
def _made(count: int) -> float:
    return float(np.zeros(count).sum())


def test_one_that_makes_an_array_is_refused() -> None:
    with pytest.raises(TypingError, match="zeros"):
        _made(3)
