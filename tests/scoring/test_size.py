"""What a client and model take in memory, all arrays that a watch holds a row of."""

import numpy as np
import pytest

from detector.features.state import ClientTable
from detector.reference.sketch import MAX_COLUMNS
from detector.scoring.evidence import VERDICT, WIDTH
from detector.scoring.signs import SIGNS

# Wider inputs are folded to 64 columns, so 768 fields take what 64 do.
STATED_KIB = {8: 3.1, 32: 3.7, 64: 5.1, 768: 5.1}


def held(fields: int) -> int:
    """Bytes of memory, counters, evidence, verdict and first offsets."""
    evidence = np.zeros((len(SIGNS), WIDTH), dtype=np.float32)
    verdict, first = np.zeros(VERDICT, dtype=np.int64), np.zeros(len(SIGNS), dtype=np.int64)
    table = ClientTable(min(fields, MAX_COLUMNS), 1)
    return table.bytes_per_client + evidence.nbytes + verdict.nbytes + first.nbytes


@pytest.mark.parametrize("fields", range(1, 33))
def test_a_client_of_up_to_32_fields_takes_at_most_4_kib(fields: int) -> None:
    assert held(fields) <= 4096


@pytest.mark.parametrize(("fields", "stated"), STATED_KIB.items())
def test_a_client_takes_what_is_stated(fields: int, stated: float) -> None:
    assert held(fields) / 1024 == pytest.approx(stated, rel=0.05)
