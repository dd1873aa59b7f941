"""What a client and model take in memory, all arrays that a watch holds a row of."""

import pytest

from detector.reference.sketch import MAX_COLUMNS
from detector.scoring.clients import ClientStates
from detector.scoring.signs import SIGNS

# Wider inputs are folded to 64 columns, so 768 fields take what 64 do.
STATED_KIB = {8: 3.3, 32: 3.9, 64: 5.3, 768: 5.3}


def held(fields: int) -> int:
    """Bytes of a row."""
    states = ClientStates(len(SIGNS), 1)
    states.reshape(min(fields, MAX_COLUMNS))
    return states.table.bytes_per_client


@pytest.mark.parametrize("fields", range(1, 33))
def test_a_client_of_up_to_32_fields_takes_at_most_4_kib(fields: int) -> None:
    assert held(fields) <= 4096


@pytest.mark.parametrize(("fields", "stated"), STATED_KIB.items())
def test_a_client_takes_what_is_stated(fields: int, stated: float) -> None:
    assert held(fields) / 1024 == pytest.approx(stated, rel=0.05)
