"""Building references from log files and storing them."""

from collections import Counter
from collections.abc import Collection, Iterator, Sequence

from detector import bootstrap
from detector.cli.console import errors, progress
from detector.events.located import LocatedEvent
from detector.events.model import ModelKey
from detector.kit.errors import ConfigurationError
from detector.pipeline.learn import ReferenceBuilder
from detector.pipeline.ports import ReferenceInfo, Store

MOST_LISTED = 5


def learn_references(
    store: Store,
    logs: Sequence[str],
    only: Collection[ModelKey] = (),
    *,
    activate: bool = True,
    origin: str = "log",
) -> list[ReferenceInfo]:
    """Build a reference of each model in the logs (or of `only` those) and store it.

    Raises:
        ConfigurationError: when there is too little traffic, or none of a model asked for.
    """
    builders: dict[ModelKey, ReferenceBuilder] = {model: ReferenceBuilder(model) for model in only}
    rejected: Counter[str] = Counter()
    for model, events in events_by_model(logs, rejected):
        if not only or model in builders:
            builders.setdefault(model, ReferenceBuilder(model)).add(events)
    report_rejected(rejected)
    if not builders:
        raise ConfigurationError("the reference log holds no usable event")
    references = [(model, builder.build()) for model, builder in sorted(builders.items())]
    with store.transaction() as transaction:
        return [
            transaction.references.add(
                bootstrap.reference_info(model, reference, origin=origin, activate=activate),
                reference.to_bytes(),
            )
            for model, reference in references
        ]


def report_rejected(rejected: Counter[str]) -> None:
    """Say on standard error how many records could not be used, and why."""
    if rejected:
        reasons = ", ".join(f"{name} {n:,}" for name, n in rejected.most_common(MOST_LISTED))
        errors().print(f"{rejected.total():,} records of the reference log rejected: {reasons}")


def events_by_model(
    logs: Sequence[str], rejected: Counter[str]
) -> Iterator[tuple[ModelKey, list[LocatedEvent]]]:
    """The logs' events, a batch at a time, apart by model; counts what cannot be used."""
    with progress("Learning") as advance:
        for decoded in bootstrap.decoded_files(logs, advance):
            rejected.update(str(letter.reason) for letter in decoded.dead)
            batches: dict[ModelKey, list[LocatedEvent]] = {}
            for item in decoded.events:
                batches.setdefault(item.event.model, []).append(item)
            yield from batches.items()
