"""How a replay did against the ground truth: attackers found, benign clients left in peace."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import msgspec

from detector.incidents.model import Incident, Severity


class ClientTruth(msgspec.Struct, frozen=True):
    """What a client of the demo's log really does; `attack_class` is None for a benign one."""

    model_id: str
    attack_class: str | None
    technique: str | None
    variant: str | None
    detectable: bool
    benign_kind: str | None


@dataclass(slots=True)
class Tally:
    """Clients of one kind.

    Attributes:
        clients: How many there are.
        alarmed: How many have an incident above `info`.
        named: How many have one of the right class.
    """

    clients: int = 0
    alarmed: int = 0
    named: int = 0


@dataclass(frozen=True, slots=True)
class Scorecard:
    """Tallies by benign kind, and by class and technique of attack.

    `silent` holds attacks that leave no trace in a log, which nobody can find there.
    """

    benign: Mapping[str, Tally]
    attacks: Mapping[tuple[str, str], Tally]
    silent: Mapping[tuple[str, str], Tally]


def read_truth(path: Path) -> dict[str, ClientTruth]:
    """The ground truth by client id."""
    return msgspec.json.decode(path.read_bytes(), type=dict[str, ClientTruth])


def score(truth: Mapping[str, ClientTruth], incidents: Iterable[Incident]) -> Scorecard:
    """Count each client once, whatever number of incidents it has."""
    alarms: dict[str, set[str]] = defaultdict(set)
    for incident in incidents:
        if incident.severity is not Severity.INFO:
            alarms[incident.client_id].add(incident.attack_class.value)
    benign: dict[str, Tally] = defaultdict(Tally)
    attacks: dict[tuple[str, str], Tally] = defaultdict(Tally)
    silent: dict[tuple[str, str], Tally] = defaultdict(Tally)
    for client, fact in truth.items():
        classes = alarms.get(client, set())
        if fact.attack_class is None:
            tally = benign[fact.benign_kind or "benign"]
        else:
            table = attacks if fact.detectable else silent
            tally = table[fact.attack_class, fact.technique or ""]
        tally.clients += 1
        tally.alarmed += bool(classes)
        tally.named += fact.attack_class in classes
    return Scorecard(benign, attacks, silent)


def total(tallies: Iterable[Tally]) -> Tally:
    """The sum of tallies."""
    whole = Tally()
    for tally in tallies:
        whole.clients += tally.clients
        whole.alarmed += tally.alarmed
        whole.named += tally.named
    return whole
