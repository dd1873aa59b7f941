"""Dead letters for people and for machines; a body is shown so that no terminal obeys it."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import msgspec
from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from detector.cli.render import counted, moment, printable
from detector.events.place import place_text
from detector.events.record import DeadLetter
from detector.pipeline.dead_letters import StoredDeadLetter

HEX_BYTES = 16


def shown(body: bytes) -> str:
    """A body as text when it is UTF-8, as rows of hexadecimal digits otherwise."""
    try:
        return printable(body.decode())
    except UnicodeDecodeError:
        starts = range(0, len(body), HEX_BYTES)
        return "\n".join(f"{at:06x}  {body[at : at + HEX_BYTES].hex(' ')}" for at in starts)


def letter_table(letters: Iterable[StoredDeadLetter]) -> Table:
    """One row a dead letter."""
    table = Table(box=None, padding=(0, 1), expand=True)
    for name in ("received", "place", "reason", "path", "detail", "settled"):
        table.add_column(name, overflow="fold")
    for stored in letters:
        letter, end = stored.letter, stored.settlement
        table.add_row(
            moment(stored.received_at),
            Text(printable(place_text(letter.position))),
            Text(printable(letter.reason)),
            Text(printable(letter.path)),
            Text(printable(letter.detail)),
            "" if end is None else end.fate.value,
        )
    return table


def count_table(counts: Mapping[str, int]) -> Table:
    """How many there are for each reason, most first."""
    total = sum(counts.values())
    table = Table(title=counted(total, "dead letter"), title_justify="left", box=None)
    table.add_column("number", justify="right")
    table.add_column("reason")
    for reason, number in sorted(counts.items(), key=lambda item: (-item[1], item[0])):
        table.add_row(f"{number:,}", Text(printable(reason)))
    return table


def letter_view(stored: StoredDeadLetter, problem: str) -> RenderableType:
    """Everything of one dead letter; `problem` is why it would not decode now, if so."""
    letter, end = stored.letter, stored.settlement
    grid = Table.grid(padding=(0, 2))
    grid.add_column(style="dim", no_wrap=True)
    grid.add_column(overflow="fold")
    grid.add_row("place", Text(printable(place_text(letter.position))))
    grid.add_row("received", moment(stored.received_at))
    if letter.timestamp_ms is not None:
        grid.add_row("timestamp", f"{letter.timestamp_ms} ms since 1970, UTC")
    grid.add_row("reason", Text(printable(letter.reason)))
    grid.add_row("stands at", Text(printable(letter.path)))
    grid.add_row("detail", Text(printable(letter.detail)))
    grid.add_row("now", Text(printable(problem or "would decode")))
    if end is not None:
        said = f"{end.fate.value} {moment(end.at)} by {end.by}: {end.note}"
        grid.add_row("settled", Text(printable(said)))
    grid.add_row("key", Text("none" if letter.key is None else shown(letter.key)))
    for name, value in letter.headers or ():
        grid.add_row("header", Text(f"{printable(name)}: {shown(value)}"))
    if letter.headers is None:
        grid.add_row("header", "key and headers were not kept")
    grid.add_row("body", f"{len(letter.body):,} of {letter.size:,} bytes kept")
    return Group(grid, Padding(Text(shown(letter.body)), (1, 0, 0, 2)))


def listing_document(
    letters: Sequence[StoredDeadLetter], counts: Mapping[str, int], after: str | None
) -> dict[str, Any]:
    """A page for machines: what `--after` takes for the next one is `next`."""
    return {
        "dead_letters": [letter_document(stored) for stored in letters],
        "counts": dict(sorted(counts.items())),
        "next": after,
    }


def letter_document(stored: StoredDeadLetter) -> dict[str, Any]:
    """A dead letter in plain JSON values; bytes are Base64, times RFC 3339 in UTC."""
    letter: DeadLetter = stored.letter
    document: dict[str, Any] = msgspec.to_builtins(letter)
    return {
        "place": place_text(letter.position),
        **document,
        "position": letter.position._asdict(),
        "received_at": msgspec.to_builtins(stored.received_at),
        "settlement": msgspec.to_builtins(stored.settlement),
    }
