"""`querywatch dlq`: the records that could not be used, and what becomes of them."""

import getpass
import re
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

import typer

from detector.cli.console import results
from detector.cli.dlq_render import (
    count_table,
    letter_document,
    letter_table,
    letter_view,
    listing_document,
)
from detector.cli.document import to_json
from detector.cli.listing import reading
from detector.cli.options import MOST_NUMBER, QUIET, storable, with_settings
from detector.cli.render import printable
from detector.config import Settings
from detector.events.place import parse_place, place_text
from detector.events.reasons import Reason as KnownReason
from detector.kit.errors import ConfigurationError, NotFoundError
from detector.pipeline.dead_letters import DeadLetterQuery, State, StoredDeadLetter
from detector.pipeline.ports import Store
from detector.sources.compression import STDIN

if TYPE_CHECKING:
    from detector.pipeline.resend import Checked, Clerk

FROM_FILE = "of a log file, not of a topic: use --to FILE"
_TOPIC = re.compile(r"[A-Za-z0-9._-]{1,249}")
"""What Kafka lets a topic be called."""
_LOG_ENDINGS = (".jsonl", ".gz", ".zst")

app = typer.Typer(no_args_is_help=True, help="Dead letters: records that could not be used.")

Place = Annotated[
    str,
    typer.Argument(
        metavar="PLACE", callback=storable, help="TOPIC/PARTITION/OFFSET, or with colons."
    ),
]
MaybePlace = Annotated[
    str | None,
    typer.Argument(
        metavar="[PLACE]",
        callback=storable,
        help="One, as TOPIC/PARTITION/OFFSET; or use filters.",
    ),
]


def _known_reason(text: str | None) -> str | None:
    if text is not None and text not in {str(reason) for reason in KnownReason}:
        raise typer.BadParameter(f"must be one of {', '.join(KnownReason)}")
    return text


Reason = Annotated[str | None, typer.Option(callback=_known_reason, help="Only with this reason.")]
Topic = Annotated[str | None, typer.Option(callback=storable, help="Only of this topic or file.")]
PartitionNumber = Annotated[
    int | None, typer.Option("--partition", min=0, max=MOST_NUMBER, help="Only of this one.")
]
Since = Annotated[
    str | None, typer.Option(help="Only stored since then: 2026-11-24, or with T10:30Z.")
]
Yes = Annotated[bool, typer.Option("--yes", help="Do it; without, filters only say what would be.")]
By = Annotated[
    str | None,
    typer.Option(callback=storable, help="Who decided; the name of the user by default."),
]
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]


@app.command("list")
@with_settings("database", defaults=QUIET)
def list_page(
    settings: Settings,
    reason: Reason = None,
    topic: Topic = None,
    partition: PartitionNumber = None,
    since: Since = None,
    state: Annotated[State, typer.Option(help="Which ones.")] = State.OPEN,
    after: Annotated[
        str | None, typer.Option(metavar="PLACE", callback=storable, help="Go on behind this one.")
    ] = None,
    limit: Annotated[int, typer.Option(help="How many at most.")] = 50,
    json: Json = False,
) -> None:
    """List dead letters, newest first, and count them by reason."""
    query = DeadLetterQuery(
        reason, topic, partition, _moment(since), state=state, after=after, limit=limit
    )
    with reading(settings) as store, store.transaction() as transaction:
        page = transaction.dead_letters.list(query)
        counts = transaction.dead_letters.counts(query)
    if json:
        document = listing_document(page.items, counts, page.next_cursor)
        return typer.echo(to_json(document), nl=False)
    results().print(count_table(counts), letter_table(page.items))
    if page.next_cursor is not None:
        results().print(f"More: --after {printable(page.next_cursor)}", markup=False)


@app.command("show")
@with_settings("database", defaults=QUIET)
def show(settings: Settings, place: Place, json: Json = False) -> None:
    """Show one with its body, where the error stands, and whether it would decode now."""
    from detector import bootstrap_copies

    with reading(settings) as store:
        stored = _stored(store, place)
        checked = bootstrap_copies.dead_letter_clerk(settings, store, of_kafka=False).check(stored)
    if json:
        document = letter_document(stored) | {"problem": checked.problem or None}
        return typer.echo(to_json(document), nl=False)
    results().print(letter_view(stored, checked.problem))


@app.command("replay")
@with_settings("database", "kafka", defaults=QUIET, without=("kafka_topic", "kafka_group"))
def replay(
    settings: Settings,
    place: MaybePlace = None,
    reason: Reason = None,
    topic: Topic = None,
    partition: PartitionNumber = None,
    since: Since = None,
    to: Annotated[
        str | None, typer.Option(metavar="FILE", help="Append lines to a file instead.")
    ] = None,
    yes: Yes = False,
    by: By = None,
) -> None:
    """Decode again and send what now decodes to its topic; what does not stays."""
    from detector import bootstrap_copies

    query = DeadLetterQuery(reason, topic, partition, _moment(since))
    tally: Counter[str] = Counter()
    with reading(settings) as store:
        clerk = bootstrap_copies.dead_letter_clerk(settings, store, of_kafka=to is None)
        with bootstrap_copies.replay_targets(settings, to) as target_of:
            for page in _chosen(store, clerk, place, query):
                checked = [_check(clerk, stored, to) for stored in page]
                tally.update(_problem(each) for each in checked)
                for topic, some in _by_topic(checked) if place is not None or yes else ():
                    tally["sent"] += clerk.send(some, target_of(topic), by or _user())
    _report_replay(tally, done=place is not None or yes)
    if place is not None and not tally["sent"]:
        raise typer.Exit(1)


@app.command("drop")
@with_settings("database", defaults=QUIET)
def drop(
    settings: Settings,
    because: Annotated[str, typer.Option(callback=storable, help="Why nobody needs them.")],
    place: MaybePlace = None,
    reason: Reason = None,
    topic: Topic = None,
    partition: PartitionNumber = None,
    since: Since = None,
    yes: Yes = False,
    by: By = None,
) -> None:
    """Settle dead letters without sending them; they stay in the database, out of the way."""
    from detector import bootstrap_copies

    query = DeadLetterQuery(reason, topic, partition, _moment(since))
    done = place is not None or yes
    number = 0
    with reading(settings) as store:
        clerk = bootstrap_copies.dead_letter_clerk(settings, store, of_kafka=False)
        for page in _chosen(store, clerk, place, query):
            number += clerk.drop(page, by or _user(), because) if done else len(page)
    results().print(f"{number:,} dropped." if done else f"{number:,} would be dropped; add --yes.")


def _chosen(
    store: Store, clerk: "Clerk", place: str | None, query: DeadLetterQuery
) -> Iterator[list[StoredDeadLetter]]:
    """The open dead letters that the command is about, a page at a time."""
    if place is None:
        yield from map(list, clerk.pages(query))
        return
    if any((query.reason, query.topic, query.partition is not None, query.since)):
        raise ConfigurationError("a place and filters do not go together")
    stored = _stored(store, place)
    if stored.settlement is not None:
        raise ConfigurationError(f"{place} was {stored.settlement.fate.value} already")
    yield [stored]


def _stored(store: Store, place: str) -> StoredDeadLetter:
    position = parse_place(place)
    if position is None:
        raise ConfigurationError(f"{place} is not of the form TOPIC/PARTITION/OFFSET")
    with store.transaction() as transaction:
        stored = transaction.dead_letters.get(position)
    if stored is None:
        raise NotFoundError(f"there is no dead letter {place_text(position)}")
    return stored


def _by_topic(checked: list["Checked"]) -> Iterator[tuple[str, list["Checked"]]]:
    """What can be sent, for each topic, in order."""
    ready = [each for each in checked if not each.problem]
    for topic in dict.fromkeys(each.stored.letter.position.topic for each in ready):
        yield topic, [each for each in ready if each.stored.letter.position.topic == topic]


def _problem(checked: "Checked") -> str:
    return f"stays: {checked.problem}" if checked.problem else "decodes"


def _check(clerk: "Clerk", stored: StoredDeadLetter, to: str | None) -> "Checked":
    """Hold it against the decoder; for what came from a log file there is no topic to go to."""
    from detector.pipeline.resend import Checked

    name = stored.letter.position.topic
    of_file = not _TOPIC.fullmatch(name) or name == STDIN or name.lower().endswith(_LOG_ENDINGS)
    if to is None and of_file:
        return Checked(stored, None, None, FROM_FILE)
    return clerk.check(stored, line=to is not None)


def _report_replay(tally: Counter[str], *, done: bool) -> None:
    out = results()
    good = tally["decodes"]
    if done:
        out.print(f"{tally['sent']:,} sent and settled.")
    else:
        out.print(f"{good:,} would be sent; add --yes.")
    for what, number in tally.most_common():
        if what.startswith("stays: "):
            out.print(f"{number:,} {printable(what)}", markup=False, soft_wrap=True)


def _user() -> str:
    """Who runs the command; in a container the user may have no name."""
    try:
        return getpass.getuser()
    except (KeyError, OSError) as error:
        raise ConfigurationError("--by: must name somebody, as this user has no name") from error


def _moment(text: str | None) -> datetime | None:
    """A time that was given; without a zone it is UTC."""
    if text is None:
        return None
    try:
        moment = datetime.fromisoformat(text)
        return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)
    except (ValueError, OverflowError) as error:  # the latter outside the years 1 to 9999 in UTC
        raise ConfigurationError(f"--since: {text} is no time such as 2026-11-24T10:30Z") from error
