"""Attacks that hide: among benign queries of the same client, or in weeks of silence."""

from dataclasses import dataclass, replace

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from detector.evaluation.datasets import Coded
from detector.evaluation.streams import DAY, PACES, Event, Service, Stream, benign_stream

COVER_KIND = "regular"
WEEKS = (2.0, 6.0)


@dataclass(frozen=True, slots=True)
class Mixture:
    """How an attack hides.

    Attributes:
        attack_queries: Ceiling on the attack's own queries.
        share: Share of all queries that are benign, below 1.
    """

    attack_queries: int
    share: float


def _timed(events: list[Event], times: Coded) -> tuple[Event, ...]:
    stamps = (times * 1000).astype(np.int64).tolist()
    return tuple({**event, "time": at} for event, at in zip(events, stamps, strict=True))


def covered(
    service: Service, who: str, attack: Stream, mixture: Mixture, rng: Generator
) -> tuple[Stream, NDArray[np.bool_]]:
    """Return a client that makes an attack's first queries among ordinary ones, in random order.

    Both kinds keep their own order. The second value says which of the queries are the attack's.
    """
    probes = attack.events[: mixture.attack_queries]
    count = round(len(probes) * mixture.share / (1.0 - mixture.share))
    cover: tuple[Event, ...] = ()
    if count:
        cover = benign_stream(service, who, COVER_KIND, count, rng).events
    is_attack = rng.permutation(np.arange(len(probes) + count) < len(probes))
    left = {True: iter(probes), False: iter(cover)}
    events = [{**next(left[flag]), "client_id": who} for flag in is_attack.tolist()]
    low, high = PACES[int(rng.integers(len(PACES)))]
    gaps = np.maximum(rng.exponential(rng.uniform(low, high), len(events)), 0.001)
    stream = replace(
        attack,
        client_id=who,
        events=_timed(events, service.start + np.cumsum(gaps)),
        benign_kind=COVER_KIND if count else None,
        benign_share=mixture.share,
    )
    return stream, is_attack


def slowed(stream: Stream, rng: Generator) -> Stream:
    """Return the stream with its queries spread over two to six weeks, gaps at random."""
    gaps = rng.exponential(1.0, len(stream.events))
    span = rng.uniform(*WEEKS) * 7 * DAY
    start = stream.events[0]["time"] / 1000
    times = start + np.cumsum(gaps) / gaps.sum() * span
    return replace(stream, events=_timed(list(stream.events), times))
