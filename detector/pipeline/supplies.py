"""How a log is judged: one table of what hypotheses need and all of them share, and notes.

`SUPPLIES` says, for each need and condition, how much of it a log gives and what gives the rest.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum

from detector.pipeline.census import LATE_MS, ModelFacts
from detector.pipeline.census_inputs import LISTED_FIELDS, InputForm
from detector.pipeline.census_outputs import FINE_DECIMALS
from detector.pipeline.learn import MIN_CLIENTS, MIN_EVENTS
from detector.scoring.hypothesis import Need

RECOMMENDED_CLIENTS = 60
WHOLE = 0.95
"""Share of records that must hold a thing as it should be, for full support."""
USABLE = 0.05
"""Share of records that must hold it in some form, for any support."""
NOTABLE = 0.05
BUSY_CLIENT = 0.5
CROWDED_ADDRESS = 20
FEW_QUERIES = 8
"""Of a client; with fewer remembered ones none is compared with all of them (`MIN_COMPANY`)."""


class Support(StrEnum):
    """How much a log lets a hypothesis see."""

    FULL = "full"
    WEAKENED = "weakened"
    BLIND = "blind"


class Condition(StrEnum):
    """What must be well for any hypothesis to see all it could."""

    IDENTITY = "identity"
    SAMPLING = "sampling"
    ORDER = "order"


Share = Callable[[ModelFacts], float]


@dataclass(frozen=True, slots=True)
class Supply:
    """How a log is judged for one need or condition.

    Attributes:
        whole: Share of the log that holds it as it should be; `WHOLE` gives full support.
        usable: Share that holds it in any form; below `USABLE` nothing can be seen.
        found: What there is, a format string over the model's facts `m`.
        add: What to do to have it all.
    """

    whole: Share
    usable: Share
    found: str
    add: str

    def support(self, model: ModelFacts) -> Support:
        """Return how much of it there is."""
        if self.whole(model) >= WHOLE:
            return Support.FULL
        return Support.WEAKENED if self.usable(model) >= USABLE else Support.BLIND


def _enough_for_reference(model: ModelFacts) -> float:
    enough = model.events_with_inputs >= MIN_EVENTS
    return float(enough and model.identity.clients_with_inputs >= MIN_CLIENTS)


def _good_reference(model: ModelFacts) -> float:
    return float(model.identity.clients_with_inputs >= RECOMMENDED_CLIENTS)


def _known_identity(model: ModelFacts) -> float:
    """Ids that mostly change from call to call name nobody, whatever their source."""
    return 1.0 - model.identity.by_address if model.identity.queries_per_client > 1.0 else 0.0


SUPPLIES: Mapping[Need | Condition, Supply] = {
    Need.INPUT: Supply(
        whole=lambda m: m.inputs.usable,
        usable=lambda m: m.inputs.present,
        found="{m.inputs.usable:.0%} of records show the input's values,"
        " {m.inputs.shares[fingerprints]:.0%} a list of fingerprints",
        add="Log input.fields or input.features (or input.embedding) on every record; where they"
        " must not be logged, log input.fingerprint as a list, one for each field",
    ),
    Need.LABEL: Supply(
        whole=lambda m: m.outputs.classified,
        usable=lambda m: m.outputs.classified,
        found="{m.outputs.classified:.0%} of answers show a class",
        add="Log output.label on every answer",
    ),
    Need.SCORES: Supply(
        whole=lambda m: m.outputs.fully_scored,
        usable=lambda m: m.outputs.scored,
        found="{m.outputs.scored:.0%} of answers show scores,"
        f" {{m.outputs.fully_scored:.0%}} those of all classes to {FINE_DECIMALS} digits or more",
        add="Log output.scores of all classes, not rounded; the log may know more than the client"
        " is told",
    ),
    Need.REFERENCE: Supply(
        whole=lambda m: min(_enough_for_reference(m), _good_reference(m)),
        usable=_enough_for_reference,
        found="{m.events_with_inputs:,} events with inputs from {m.identity.clients_with_inputs:,}"
        " clients to learn from",
        add=f"Collect trusted traffic of {RECOMMENDED_CLIENTS} clients or more"
        f" (at least {MIN_EVENTS} events with inputs from {MIN_CLIENTS} clients)",
    ),
    Condition.IDENTITY: Supply(
        whole=_known_identity,
        usable=lambda m: 1.0 - m.identity.seen_once,
        found="{m.identity.by_address:.0%} of records know the client by its address only,"
        " {m.identity.seen_once:.0%} of clients are seen once",
        add="Log the authenticated principal or its key as client_id, the same from call to call,"
        " with its identity_source; addresses split one client and merge many",
    ),
    Condition.SAMPLING: Supply(
        whole=lambda m: m.logged,
        usable=lambda m: 1.0,
        found="{m.logged:.1%} of predictions are logged",
        add="Log every prediction, or all those of some clients: in a sample of predictions the"
        " steps from query to query are lost",
    ),
    Condition.ORDER: Supply(
        whole=lambda m: 1.0 - m.time.late,
        usable=lambda m: 1.0,
        found="{m.time.late:.1%} of records are "
        f"over {LATE_MS // 1000} s older than one read before",
        add="Write records in the order of their times, and name files oldest first",
    ),
}


@dataclass(frozen=True, slots=True)
class Note:
    """Something that does not lower support but is worth knowing; a format string like `found`."""

    holds: Callable[[ModelFacts], bool]
    text: str


NOTES = (
    Note(
        lambda m: m.identity.sources.get("header", 0.0) >= NOTABLE,
        "{m.identity.sources[header]:.0%} of records name their client by a header: make sure that"
        " your gateway sets it, because a client that may choose its id can split itself",
    ),
    Note(
        lambda m: m.identity.clients > 1 and m.identity.largest_client >= BUSY_CLIENT,
        "one client sends {m.identity.largest_client:.0%} of the records: if it is a gateway or an"
        " application, log for whom it asks",
    ),
    Note(
        lambda m: m.identity.most_clients_per_address >= CROWDED_ADDRESS,
        "up to {m.identity.most_clients_per_address} clients share an address: a proxy, or one"
        " person with many accounts",
    ),
    Note(
        lambda m: m.identity.addresses == 0,
        "no source_ip is logged, so clients that act together cannot be tied by their addresses",
    ),
    Note(
        lambda m: m.inputs.fields > LISTED_FIELDS,
        f"inputs of more than {LISTED_FIELDS} fields are folded to as many columns: single fields"
        " are then told apart by chance only",
    ),
    Note(
        lambda m: m.inputs.shares[InputForm.EMBEDDING] >= NOTABLE,
        "embeddings are compared by the cosine; sweeps of single fields say nothing in them",
    ),
    Note(
        lambda m: m.inputs.shares[InputForm.FINGERPRINT] >= NOTABLE,
        "{m.inputs.shares[fingerprint]:.0%} of inputs are a single fingerprint, which shows"
        " repeats but nothing of how near two inputs are",
    ),
    Note(
        lambda m: 1.0 < m.identity.queries_per_client < FEW_QUERIES,
        "most clients ask {m.identity.queries_per_client:.0f} times in this log: how near and how"
        f" far apart a client's queries are is learnt from clients with more than {FEW_QUERIES},"
        " and signs that rest on it may stay silent; a longer log shows more",
    ),
    Note(
        lambda m: 2 * sum(m.inputs.grids.values()) < m.inputs.numbers,
        "most number fields are not rounded: where benign numbers keep to no grid, made-up ones"
        " cannot be told by missing it",
    ),
)


def notes(model: ModelFacts) -> tuple[str, ...]:
    """Return what lowers no support but is worth knowing."""
    return tuple(note.text.format(m=model) for note in NOTES if note.holds(model))
