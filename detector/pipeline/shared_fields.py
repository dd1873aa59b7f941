"""Which fields a model's inputs have, by what several of its clients send."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from detector.events.batch import MAX_FIELDS, names_of
from detector.events.located import LocatedEvent
from detector.events.model import Input

SEVERAL = 5
# Of fewer rows a field tells nothing: in nearly all of them it is left out.
MIN_SHARE = 0.001


@dataclass(slots=True)
class _Form:
    """Inputs with the same fields in the same order.

    Attributes:
        names: The names.
        is_named: Whether the inputs gave them.
        is_row: Whether they are the numbers of values in a row.
        rows: How many inputs.
        clients: Of whom.
    """

    names: tuple[str, ...]
    is_named: bool
    is_row: bool
    rows: int = 0
    clients: set[str] = field(default_factory=set)


@dataclass(frozen=True, slots=True)
class SharedFields:
    """The names of the fields, and whether rows without names have them in that order."""

    names: tuple[str, ...]
    by_position: bool


def shared_fields(events: Iterable[LocatedEvent]) -> SharedFields:
    """Return the fields that at least five clients, or half of fewer, send in one row of 1,000.

    So names that somebody makes up get no column. All have one where no field is shared. Rows
    without names go by position where all others give their names in one order, unless that is
    the alphabet's: then whoever wrote the log may have sorted them.
    """
    forms = _forms(events)
    named = [form for form in forms if form.is_named]
    names = _shared(named, forms)
    order = {name: i for i, name in enumerate(names)}
    in_order = (len(names) == 1 or list(names) != sorted(names)) and all(
        places == sorted(places)
        for form in named
        for places in [[order[name] for name in form.names if name in order]]
    )
    rows = [f for f in forms if names and in_order and f.is_row and len(f.names) == len(names)]
    rest = [form for form in forms if form not in rows]
    found = _shared(rest, forms) or tuple(dict.fromkeys(n for form in forms for n in form.names))
    return SharedFields(found[:MAX_FIELDS], bool(names) and in_order and found == names)


def _forms(events: Iterable[LocatedEvent]) -> list[_Form]:
    forms: dict[object, _Form] = {}
    for _, event in events:
        item = event.input
        if item is None:
            continue
        key = _key(item)
        form = forms.get(key)
        if form is None:
            is_named = item.fields is not None
            is_row = not is_named and item.features is not None
            form = forms[key] = _Form(tuple(names_of(item)), is_named, is_row)
        form.rows += 1
        form.clients.add(event.client_id)
    return list(forms.values())


def _key(item: Input) -> object:
    """Return what tells forms apart, without names for each value of a row."""
    if item.fields is not None:
        return tuple(item.fields)
    if item.features is not None:
        return len(item.features)
    return "other", len(names_of(item))


def _shared(forms: Sequence[_Form], of: Sequence[_Form]) -> tuple[str, ...]:
    """Return the names in some forms that enough clients and rows of all forms show."""
    rows: dict[str, int] = {}
    clients: dict[str, set[str]] = {}
    for form in forms:
        for name in form.names:
            rows[name] = rows.get(name, 0) + form.rows
            clients.setdefault(name, set()).update(form.clients)
    everybody = set().union(*(form.clients for form in of))
    few = min(SEVERAL, -(-len(everybody) // 2))
    fewest = MIN_SHARE * sum(form.rows for form in of)
    return tuple(n for n in rows if len(clients[n]) >= few and rows[n] >= fewest)
