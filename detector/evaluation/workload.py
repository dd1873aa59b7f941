"""How much an evaluation simulates, and every client of one deployment with what is true of it."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import islice

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from detector.evaluation.attacks.attack import Attack
from detector.evaluation.generate import Size, attack_streams, benign_streams, reference_streams
from detector.evaluation.mixing import Mixture, covered, slowed
from detector.evaluation.streams import Service, Stream, client_id

SHARES = (0.05, 0.10, 0.25, 0.50, 0.75, 0.90)
SLOW_COVER = 0.5
UNCUT = 10**9
"""A ceiling that no attack's budget comes near."""


class Role(StrEnum):
    """What a client is in the evaluation."""

    BENIGN = "benign"
    PURE = "pure"
    MIXED = "mixed"
    SLOW = "slow"


@dataclass(frozen=True, slots=True)
class Workload:
    """How much to simulate for each deployment.

    Attributes:
        reference_clients: Benign clients that the reference is learnt from.
        clients_per_kind: Benign clients of each kind.
        streams_per_attack: Pure streams of each attack variant.
        mixed_per_share: Mixed streams at each benign share, variants in rotation.
        slow_streams: Slow streams, variants in rotation; half of them among benign queries.
        mixed_queries: Ceiling on the attack's own queries in a mixed or slow stream.
        max_lifetime: Ceiling on a benign client's queries.
        rival_clients: Benign clients of each kind on which the baselines are tried.
    """

    reference_clients: int = 60
    clients_per_kind: int = 150
    streams_per_attack: int = 2
    mixed_per_share: int = 8
    slow_streams: int = 8
    mixed_queries: int = 400
    max_lifetime: int = 2000
    rival_clients: int = 16


FULL = Workload()
SMALL = Workload(
    clients_per_kind=3,
    streams_per_attack=1,
    mixed_per_share=1,
    slow_streams=2,
    mixed_queries=250,
    max_lifetime=400,
    rival_clients=3,
)
SIZES = {"small": SMALL, "full": FULL}


@dataclass(frozen=True, slots=True, eq=False)
class Case:
    """One simulated client and the truth about it.

    Attributes:
        role: What it is in the evaluation.
        stream: Its events.
        is_attack: (n,) which of its queries belong to the attack.
        number: Which of its kind or variant it is.
    """

    role: Role
    stream: Stream
    is_attack: NDArray[np.bool_]
    number: int = 0


def chance(service: Service, *parts: int | str) -> Generator:
    """Return the source of chance of one client: the same for the same names and numbers."""
    text = "/".join([service.target.model_id, *map(str, parts)])
    return np.random.default_rng(list(text.encode()))


def reference_clients(
    service: Service, kinds: Sequence[str], load: Workload, seed: int
) -> Iterator[Stream]:
    """Simulate the clients of the reference week."""
    return reference_streams(service, kinds, _size(load, load.max_lifetime), seed)


def benign_cases(
    service: Service, kinds: Sequence[str], load: Workload, seed: int
) -> Iterator[Case]:
    """Simulate benign clients of these kinds, kind by kind."""
    streams = benign_streams(service, kinds, _size(load, load.max_lifetime), seed)
    for i, stream in enumerate(streams):
        none = np.zeros(len(stream.events), dtype=np.bool_)
        yield Case(Role.BENIGN, stream, none, i % load.clients_per_kind)


def pure_cases(
    service: Service, attacks: Sequence[Attack], load: Workload, seed: int
) -> Iterator[Case]:
    """Run every usable attack to the end of its budget, and nothing else beside it."""
    for i, stream in enumerate(attack_streams(service, attacks, _size(load, UNCUT), seed)):
        every = np.ones(len(stream.events), dtype=np.bool_)
        yield Case(Role.PURE, stream, every, i % load.streams_per_attack)


def _size(load: Workload, most_queries: int) -> Size:
    return Size(
        load.reference_clients, load.clients_per_kind, load.streams_per_attack, most_queries
    )


def hidden_cases(
    service: Service, pure: Sequence[Case], load: Workload, seed: int, turn: int
) -> Iterator[Case]:
    """Hide attacks that ran before among benign queries, or stretch them over weeks.

    Volume is what harvesting is found by, so it is not among them, and neither is what cannot be
    found at all.

    Args:
        service: Where the benign queries come from.
        pure: Pure streams to take queries from.
        load: How many.
        seed: Of the simulation.
        turn: Number of the deployment, so that deployments take different variants.
    """
    sources = [case for case in pure if _can_hide(case.stream.attack)]
    if not sources:
        return
    for step, share in enumerate(SHARES):
        first = turn * load.mixed_per_share + step * 5
        for i, source in enumerate(_rotation(sources, first, load.mixed_per_share)):
            rng = chance(service, "mixed", str(share), seed, i)
            mixture = Mixture(load.mixed_queries, share)
            who = client_id(seed, service.target.model_id, "mixed", share, i)
            yield Case(Role.MIXED, *covered(service, who, source.stream, mixture, rng), i)
    for i, source in enumerate(_rotation(sources, turn * load.slow_streams, load.slow_streams)):
        rng = chance(service, "slow", seed, i)
        mixture = Mixture(load.mixed_queries, SLOW_COVER if i % 2 else 0.0)
        who = client_id(seed, service.target.model_id, "slow", i)
        stream, is_attack = covered(service, who, source.stream, mixture, rng)
        yield Case(Role.SLOW, slowed(stream, rng), is_attack, i)


def _can_hide(attack: Attack | None) -> bool:
    return attack is not None and attack.detectable and not attack.is_volume


def _rotation(cases: Sequence[Case], first: int, count: int) -> Iterator[Case]:
    """Return `count` of the cases from the first on, round and round, one variant after another."""
    return islice((cases[(first + i) % len(cases)] for i in range(len(cases) * 1000)), count)
