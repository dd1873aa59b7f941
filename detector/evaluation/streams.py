"""Streams of canonical events from simulated clients, and the truth about them.

A stream is one client of one model. Many of them, interleaved in time order, make a log.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from heapq import merge
from typing import Any

import numpy as np
from numpy.random import Generator

from detector.evaluation import benign
from detector.evaluation.attacks.attack import Attack, Attacker, Pace
from detector.evaluation.datasets import Coded
from detector.evaluation.models import Target
from detector.evaluation.population import Population
from detector.evaluation.recorder import Recorder
from detector.evaluation.space import Space

DAY = 86_400.0
OFFICE_HOURS = (7.0, 19.0)
PACES = ((0.05, 0.5), (0.5, 5.0), (5.0, 60.0))

Event = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Stream:
    """One simulated client.

    Attributes:
        client_id: Opaque.
        model_id: The model it asks.
        events: Canonical events in time order, still without `event_id`.
        attack: The attack, or None for a benign client.
        benign_kind: The kind of the benign client, or of the benign queries mixed in.
        benign_share: Share of the queries that are benign: 1 for a benign client.
    """

    client_id: str
    model_id: str
    events: tuple[Event, ...]
    attack: Attack | None = None
    benign_kind: str | None = None
    benign_share: float = 1.0

    def truth(self) -> dict[str, Any]:
        """Return what the ground-truth file says of this client."""
        return {
            "model_id": self.model_id,
            "attack_class": None if self.attack is None else str(self.attack.attack_class),
            "technique": None if self.attack is None else self.attack.technique,
            "variant": None if self.attack is None else self.attack.name,
            "detectable": self.attack is not None and self.attack.detectable,
            "benign_kind": self.benign_kind,
            "benign_share": self.benign_share,
            "queries": len(self.events),
        }


@dataclass(frozen=True, slots=True, eq=False)
class Service:
    """A deployed model with the population that uses it and what attackers know.

    Attributes:
        target: The model.
        population: Rows of its benign clients.
        newcomer: The segment that only seasonal newcomers have.
        foreign: (n, d) rows of another domain in this one's ranges, for attackers.
        start: First second of the log, since the epoch.
    """

    target: Target
    population: Population
    newcomer: int
    foreign: Coded
    start: float


def client_id(*parts: object) -> str:
    """Return an opaque identifier that is the same for the same parts."""
    text = "\x1f".join(map(str, parts)).encode()
    return f"c-{blake2b(text, digest_size=6).hexdigest()}"


def _office_times(seconds: Coded) -> Coded:
    """Lay active seconds into office hours, day after day."""
    length = (OFFICE_HOURS[1] - OFFICE_HOURS[0]) * 3600.0
    days, rest = np.divmod(seconds, length)
    laid: Coded = days * DAY + OFFICE_HOURS[0] * 3600.0 + rest
    return laid


def _times(gaps: Coded, start: float, *, office: bool, rng: Generator) -> Coded:
    """Return the (n,) times in seconds of queries that far apart, within a week of the start."""
    gaps = np.maximum(gaps, 0.001)
    span = (OFFICE_HOURS[1] - OFFICE_HOURS[0]) / 24 if office else 1.0
    elapsed = np.cumsum(gaps)
    longest = 5 * DAY * span
    elapsed *= min(1.0, longest / elapsed[-1])
    if office:
        elapsed += rng.uniform(0, 1.5 * DAY * span)
        return start + _office_times(elapsed)
    return start + elapsed + rng.uniform(0, 1.5 * DAY)


def _events(who: str, recorder: Recorder, order: Sequence[int], times: Coded) -> tuple[Event, ...]:
    target, answers = recorder.target, recorder.answers()
    cells, outputs = target.dataset.cells(recorder.rows()), target.outputs(answers)
    names = [field.name for field in target.dataset.fields]
    events = []
    for i, at in zip(order, (times * 1000).astype(np.int64).tolist(), strict=True):
        form = "features" if target.dataset.positional else "fields"
        sent = cells[i] if target.dataset.positional else dict(zip(names, cells[i], strict=True))
        events.append(
            {
                "time": at,
                "client_id": who,
                "model_id": target.model_id,
                "input": {form: sent},
                "output": outputs[i],
            }
        )
    return tuple(events)


def _scene(service: Service, rng: Generator) -> benign.Scene:
    weights = benign.mixture(service.population, service.newcomer, rng)
    return benign.Scene(service.population, service.target, weights, service.newcomer, rng)


def benign_stream(service: Service, who: str, kind: str, queries: int, rng: Generator) -> Stream:
    """Simulate a benign client of that kind."""
    plan = benign.KINDS[kind](_scene(service, rng), queries)
    recorder = Recorder(service.target, queries)
    recorder.ask(plan.rows)
    times = _times(plan.gaps, service.start, office=plan.office, rng=rng)
    events = _events(who, recorder, range(queries), times)
    return Stream(who, service.target.model_id, events, benign_kind=kind)


def _attacker(service: Service, recorder: Recorder, pool: int, rng: Generator) -> Attacker:
    """Give an attacker natural rows of their own and a half-member list of candidates."""
    target, population = service.target, service.population
    picks = rng.integers(len(population.rows), size=pool)
    members = target.members[rng.permutation(len(target.members))[:200]]
    strangers = target.outside[rng.permutation(len(target.outside))[:200]]
    return Attacker(
        oracle=recorder,
        space=Space(target.dataset, strict=target.strict),
        natural=population.varied(picks, rng),
        foreign=service.foreign[rng.permutation(len(service.foreign))],
        candidates=np.concatenate([members, strangers]),
        rng=rng,
    )


def _interleave(attack: int, cover: int, rng: Generator) -> list[int]:
    """Return a random order that keeps each part's own: indices, the attack's first."""
    is_cover = rng.permutation(np.arange(attack + cover) >= attack)
    order = np.empty(attack + cover, dtype=np.int64)
    order[~is_cover] = np.arange(attack)
    order[is_cover] = attack + np.arange(cover)
    return order.tolist()


def _attack_times(service: Service, n: int, pace: Pace | None, rng: Generator) -> Coded:
    """Return the times of n queries at that pace, or at one that fits into the week."""
    if pace is None:
        low, high = PACES[int(rng.integers(len(PACES)))]
        gaps = rng.exponential(rng.uniform(low, high), n)
        return _times(gaps, service.start, office=False, rng=rng)
    span = np.exp(rng.uniform(np.log(pace.shortest), np.log(pace.longest)))
    elapsed = np.cumsum(rng.exponential(1.0, n))
    laid: Coded = service.start + rng.uniform(0, 1.5 * DAY) + elapsed * span / elapsed[-1]
    return laid


def attack_stream(
    service: Service,
    who: str,
    attack: Attack,
    budget: int,
    share: float,
    rng: Generator,
    *,
    pace: Pace | None = None,
) -> Stream:
    """Run an attack with `share` of all queries being ordinary ones of the same client.

    The attack's own pace comes before `pace`.
    """
    recorder = Recorder(service.target, budget)
    attack.execute(_attacker(service, recorder, attack.pool, rng))
    made = len(recorder)
    cover = round(made * share / (1 - share))
    if cover:
        recorder.allow(cover)
        recorder.ask(benign.regular(_scene(service, rng), cover).rows)
    times = _attack_times(service, made + cover, attack.pace or pace, rng)
    events = _events(who, recorder, _interleave(made, cover, rng), times)
    kind = "regular" if cover else None
    return Stream(who, service.target.model_id, events, attack, kind, share)


def interleave(streams: Iterable[Stream]) -> Iterator[Event]:
    """Yield all events in time order, each with an `event_id`."""
    ordered = merge(*(stream.events for stream in streams), key=lambda event: event["time"])
    for number, event in enumerate(ordered):
        yield {"event_id": f"p-{number:07d}", **event}
