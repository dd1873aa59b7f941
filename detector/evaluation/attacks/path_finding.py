"""Tree path-finding, complete and with incomplete queries.

Tramèr et al., "Stealing Machine Learning Models via Prediction APIs", USENIX Security 2016,
Algorithm 1, with its category split (section 4.2).

A leaf is known by the answer it gives. From a row in a new leaf every field is searched for the
values at which the answer changes; a row beyond each change is searched in its turn.
"""

from collections import deque

import numpy as np

from detector.evaluation.attacks.attack import Attacker
from detector.evaluation.datasets import Coded, Field

PRECISION = 1 / 128
INTERVALS = 24


def _leaf(attacker: Attacker, row: Coded) -> tuple[float, ...]:
    answers = attacker.oracle.ask(row)
    return (float(answers.labels[0]), *answers.scores[0].tolist())


def _with(row: Coded, column: int, value: float) -> Coded:
    changed = row.copy()
    changed[column] = value
    return changed


def _line_search(attacker: Attacker, row: Coded, column: int, field: Field) -> list[Coded]:
    """Bisect the field's range until each change of the answer is known; rows beyond changes."""
    smallest = max((field.high - field.low) * PRECISION, 10.0**-field.decimals)
    ends = [field.low, field.high]
    ids = [_leaf(attacker, _with(row, column, value)) for value in ends]
    stack = [(ends[0], ids[0], ends[1], ids[1])]
    found: list[Coded] = []
    while stack and len(found) < INTERVALS:
        low, id_low, high, id_high = stack.pop()
        if id_low == id_high or high - low <= smallest:
            if id_low != id_high:
                found.append(_with(row, column, high))
            continue
        middle = (low + high) / 2
        if field.decimals == 0:
            middle = float(np.floor(middle))
        id_middle = _leaf(attacker, _with(row, column, middle))
        stack += [(low, id_low, middle, id_middle), (middle, id_middle, high, id_high)]
    return found


def _category_split(attacker: Attacker, row: Coded, column: int, field: Field) -> list[Coded]:
    """Ask for every category; one row for each answer seen."""
    rows = [_with(row, column, float(code)) for code in range(len(field.categories))]
    seen = {_leaf(attacker, candidate): candidate for candidate in rows}
    return list(seen.values())


def _explore(attacker: Attacker, start: Coded) -> None:
    fields = attacker.oracle.target.dataset.fields
    queue, seen = deque([start]), set()
    while queue:
        row = queue.popleft()
        leaf = _leaf(attacker, row)
        if leaf in seen:
            continue
        seen.add(leaf)
        for column, field in enumerate(fields):
            if field.high > field.low:
                search = _category_split if field.is_categorical else _line_search
                queue.extend(search(attacker, row, column, field))


def complete(attacker: Attacker) -> None:
    """Search from a random point, every query with all fields."""
    _explore(attacker, attacker.space.decode(attacker.rng.random(attacker.space.size))[0])


def natural_start(attacker: Attacker) -> None:
    """Search from a natural record."""
    _explore(attacker, attacker.natural[attacker.rng.integers(len(attacker.natural))])


def incomplete(attacker: Attacker) -> None:
    """Search from the empty record, setting one field after another (incomplete queries)."""
    _explore(attacker, np.full(len(attacker.oracle.target.dataset.fields), np.nan))
