"""Who asks: how many clients, how they are known, and how identities relate to addresses."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from ipaddress import ip_address
from statistics import median

from detector.events.model import PredictionEvent
from detector.pipeline.census_fields import share
from detector.pipeline.distinct import DistinctSample, MostFrequent, key_hash

SAMPLED_CLIENTS = 1024
SAMPLED_ADDRESSES = 1024
COUNTED_APART = 64
"""Clients of one address that are told apart, and addresses of one client."""
FREQUENT_CLIENTS = 1024


@dataclass(frozen=True, slots=True)
class IdentityFacts:
    """How the clients of a model are known.

    Numbers of clients are exact below `SAMPLED_CLIENTS`; above, they are estimates (to about 3%)
    and the medians and shares of clients are those of a uniform sample.

    Attributes:
        sources: Share of records by identity source.
        by_address: Share of records whose client is an address: known by it, or named by one.
        clients: Distinct clients.
        clients_with_inputs: Those with at least one input.
        queries_per_client: Median number of records of a client.
        seen_once: Share of clients with a single record.
        largest_client: Share of records of the busiest client, at most .1% too low.
        addresses: Distinct source addresses, 0 where none is logged.
        clients_per_address: Median number of clients of an address.
        most_clients_per_address: Largest such number, up to `COUNTED_APART`.
        most_addresses_per_client: The other way round.
    """

    sources: dict[str, float]
    by_address: float
    clients: int
    clients_with_inputs: int
    queries_per_client: float
    seen_once: float
    largest_client: float
    addresses: int
    clients_per_address: float
    most_clients_per_address: int
    most_addresses_per_client: int


@dataclass(slots=True)
class _Client:
    records: int = 0
    inputs: int = 0
    addresses: set[int] = field(default_factory=set)


class ClientCensus:
    """Counts of one model's clients, of bounded size."""

    def __init__(self) -> None:
        self._records = 0
        self._by_address = 0
        self._sources: Counter[str] = Counter()
        self._clients = DistinctSample(SAMPLED_CLIENTS, _Client)
        self._addresses: DistinctSample[set[int]] = DistinctSample(SAMPLED_ADDRESSES, set)
        self._frequent = MostFrequent(FREQUENT_CLIENTS)

    def add(self, events: Sequence[PredictionEvent]) -> None:
        """Take some records."""
        seen = Counter(
            (e.client_id, e.source_ip, e.identity_source, e.input is not None) for e in events
        )
        records: Counter[str] = Counter()
        for (client, address, source, with_input), count in seen.items():
            records[client] += count
            self._sources[source] += count
            if source == "ip" or is_address(client):
                self._by_address += count
            self._client(client, address, count, count if with_input else 0)
        self._records += len(events)
        self._frequent.add(records)

    def _client(self, client: str, address: str | None, records: int, inputs: int) -> None:
        kept = self._clients.of(client)
        if kept is not None:
            kept.records += records
            kept.inputs += inputs
        if address is None:
            return
        if kept is not None and len(kept.addresses) < COUNTED_APART:
            kept.addresses.add(key_hash(address))
        theirs = self._addresses.of(address)
        if theirs is not None and len(theirs) < COUNTED_APART:
            theirs.add(key_hash(client))

    def facts(self) -> IdentityFacts:
        """Return what was counted; of at least one record."""
        clients = self._clients.distinct()
        sampled = [client.records for client in self._clients]
        shared = [len(theirs) for theirs in self._addresses]
        asking = sum(client.inputs > 0 for client in self._clients) / len(sampled)
        return IdentityFacts(
            sources={name: share(n, self._records) for name, n in sorted(self._sources.items())},
            by_address=share(self._by_address, self._records),
            clients=clients,
            clients_with_inputs=round(clients * asking),
            queries_per_client=float(median(sampled)),
            seen_once=share(sampled.count(1), len(sampled)),
            largest_client=share(self._frequent.largest(), self._records),
            addresses=self._addresses.distinct(),
            clients_per_address=float(median(shared)) if shared else 0.0,
            most_clients_per_address=max(shared, default=0),
            most_addresses_per_client=max(len(client.addresses) for client in self._clients),
        )


@lru_cache(maxsize=65_536)
def is_address(text: str) -> bool:
    """Whether a client's id is an IP address."""
    try:
        ip_address(text)
    except ValueError:
        return False
    return True
