from collections.abc import Mapping, Sequence

from msgspec import structs

from detector.events.batch import MAX_FIELDS
from detector.events.model import Input
from detector.pipeline.shared_fields import SharedFields, shared_fields
from tests.scoring.traffic import event, located

Cells = Mapping[str, float] | Sequence[float]


def shared(*rows: tuple[str, Cells]) -> SharedFields:
    """What clients share who sent these, in this order."""
    events = [
        structs.replace(
            event(client, i, None),
            input=Input(fields=dict(cells)) if isinstance(cells, Mapping)
            else Input(features=list(cells)),
        )
        for i, (client, cells) in enumerate(rows)
    ]  # fmt: skip
    return shared_fields(located(events))


BENIGN: list[tuple[str, Cells]] = [(f"c{i % 16}", {"wage": i, "income": 2 * i}) for i in range(80)]


def test_a_name_needs_several_clients() -> None:
    junk = {f"junk-{i}": 0.0 for i in range(MAX_FIELDS)}
    found = shared(("mallory", junk), ("mallory", [0.0] * MAX_FIELDS), *BENIGN)
    assert found == SharedFields(("wage", "income"), True)
    four = [(f"c{i}", {"wage": 1.0, "late": 1.0}) for i in range(4)]
    assert "late" not in shared(*BENIGN, *four).names
    assert "late" in shared(*BENIGN, *four, ("c7", {"late": 1.0})).names


def test_a_name_needs_a_share_of_the_rows() -> None:
    rare = [(f"c{i}", {"wage": 1.0, "rare": 1.0}) for i in range(5)]
    assert "rare" not in shared(*BENIGN * 63, *rare).names


def test_of_few_clients_half_are_enough() -> None:
    assert shared(("a", {"x": 1.0}), ("b", {"y": 1.0})).names == ("x", "y")


def test_where_nothing_is_shared_all_fields_have_columns() -> None:
    rows: list[tuple[str, Cells]] = [(f"c{i}", {f"x{i}": 1.0}) for i in range(20)]
    assert shared(*rows).names == tuple(f"x{i}" for i in range(20))


def test_rows_go_by_position_where_names_come_in_one_order() -> None:
    rows: list[tuple[str, Cells]] = [(f"c{i}", [1.0, 2.0]) for i in range(8)]
    assert shared(*BENIGN, *rows) == SharedFields(("wage", "income"), True)
    turned: list[tuple[str, Cells]] = [("c1", {"income": 1.0, "wage": 2.0})]
    assert shared(*BENIGN, *turned, *rows) == SharedFields(("wage", "income", "0", "1"), False)
    wider: list[tuple[str, Cells]] = [(f"c{i}", [1.0, 2.0, 3.0]) for i in range(8)]
    assert shared(*BENIGN, *wider) == SharedFields(("wage", "income", "0", "1", "2"), False)
    assert shared(*rows) == SharedFields(("0", "1"), False)


def test_names_in_the_order_of_the_alphabet_say_nothing_of_positions() -> None:
    rows: list[tuple[str, Cells]] = [(f"c{i}", {"a": 1.0, "b": 2.0, "c": 3.0}) for i in range(8)]
    assert shared(*rows) == SharedFields(("a", "b", "c"), False)
    assert shared(*((client, {"a": 1.0}) for client, _ in rows)) == SharedFields(("a",), True)
