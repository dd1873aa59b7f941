"""Who may teach a refresh, and how much."""

from collections import Counter
from dataclasses import replace
from itertools import pairwise
from math import ceil
from typing import Any

import numpy as np
import pytest
from msgspec import structs
from numpy.random import Generator

from detector.events.located import LocatedEvent
from detector.events.model import Input, ModelKey, PredictionEvent
from detector.kit.errors import ConfigurationError
from detector.pipeline import refresh
from detector.pipeline.learn import ReferenceBuilder
from detector.pipeline.refresh import ReferenceRefresher, RefreshPolicy, RefreshResult
from detector.reference.picture import Reference
from detector.scoring.grow import planted
from tests.pipeline.world import CLIENTS, EACH, day_of
from tests.scoring.traffic import MODEL, Row, benign, event, interleave, located, path_finding
from tests.scoring.traffic import reference as anchor

ROWS = CLIENTS * EACH


def refreshed(
    events: list[LocatedEvent], current: Reference | None = None, **policy: Any
) -> RefreshResult:
    refresher = ReferenceRefresher(
        current or anchor(),
        replace(RefreshPolicy(), **policy),
    )
    refresher.add(events)
    return refresher.refresh(anchor())


def test_ordinary_clients_all_teach() -> None:
    result = refreshed(day_of(1))
    assert result.left_out == {}
    assert result.clients == CLIENTS
    assert result.moves
    assert result.reference.model == MODEL
    assert result.reference.clients == CLIENTS
    assert len(result.reference.forest)
    assert planted(result.reference).digest() == result.reference.digest()


def test_an_attacker_does_not_teach_and_it_is_said_why() -> None:
    events = [*day_of(1), *interleave([path_finding("eve", 200, 1)])]
    result = refreshed(located(item.event for item in events))
    assert result.left_out == {"eve": "suspected of tree path finding"}
    assert result.reference.digest() == refreshed(day_of(1)).reference.digest()


def test_the_strangest_few_do_not_teach_even_unsuspected() -> None:
    result = refreshed(day_of(1, frogs=(3, 4), pull=0.25))
    assert set(result.left_out) == {"client-3", "client-4"}
    assert all("strange to the reference in force" in why for why in result.left_out.values())


def test_no_more_than_a_tenth_is_left_out_for_strangeness() -> None:
    result = refreshed(day_of(1, frogs=range(10), pull=0.15))
    strange = [why for why in result.left_out.values() if "strange" in why]
    assert len(strange) <= CLIENTS / 10


def test_a_loud_client_teaches_with_its_share_only() -> None:
    events = [*day_of(1), *interleave([benign("loud", 500, 9)])]
    refresher = ReferenceRefresher(anchor(), RefreshPolicy())
    refresher.add(located(item.event for item in events))
    result = refresher.refresh(anchor())
    assert result.clients == CLIENTS + 1
    assert result.events == ROWS + ceil((ROWS + 500) / (CLIENTS + 1))


def test_the_share_is_spread_over_the_clients_life() -> None:
    events = interleave([benign("loud", 1000, 9), *(benign(f"b-{k}", 50, k) for k in range(19))])
    kept = list(refresh._capped(events, 0.02))
    counts = Counter(item.event.client_id for item in kept)
    assert counts["loud"] == ceil(1950 / 20)
    assert counts["b-3"] == 50
    numbers = [int(i.event.event_id.split("-")[1]) for i in kept if i.event.client_id == "loud"]
    assert numbers[0] < 20
    assert numbers[-1] > 970
    assert max(b - a for a, b in pairwise(numbers)) <= 12


@pytest.mark.parametrize(("clients", "each"), [(10, 80), (25, 10)])
def test_too_little_traffic_is_refused_with_what_is_left(clients: int, each: int) -> None:
    events = interleave([benign(f"b-{k}", each, k) for k in range(clients)])
    with pytest.raises(
        ConfigurationError, match=rf"500 events .* 20 clients; {clients * each} events"
    ):
        refreshed(events)


def test_other_models_and_events_without_inputs_teach_nothing() -> None:
    plain = refreshed(day_of(1)).reference.digest()
    extra = [event("silent", i, None) for i in range(50)]
    extra += [event("other", i, {"x": 1.0}, ModelKey("acme", "churn")) for i in range(50)]
    assert refreshed([*day_of(1), *located(extra)]).reference.digest() == plain


def test_unknown_fields_and_another_order_of_fields_change_nothing() -> None:
    def mixed(item: LocatedEvent) -> LocatedEvent:
        assert item.event.input is not None
        assert item.event.input.fields is not None
        fields = {"extra": 1.0, **dict(reversed(item.event.input.fields.items()))}
        return LocatedEvent(item.position, structs.replace(item.event, input=Input(fields=fields)))

    result = refreshed([mixed(item) for item in day_of(1)])
    assert result.reference.names == anchor().names
    assert result.reference.digest() == refreshed(day_of(1)).reference.digest()


def test_a_person_may_approve_what_recent_traffic_says() -> None:
    refresher = ReferenceRefresher(anchor())
    refresher.add(day_of(1, shift=0.4))
    bounded, approved = refresher.refresh(anchor()), refresher.approve()
    assert approved.moves == ()
    rate = anchor().names.index("rate")
    before = anchor().fields.center[rate]
    assert before < bounded.reference.fields.center[rate] < before + 0.3
    assert approved.reference.fields.center[rate] > before + 0.6


@pytest.mark.parametrize("kind", ["categories", "fingerprints"])
def test_a_model_without_numbers_is_refreshed(kind: str) -> None:
    def day(seed: int) -> list[LocatedEvent]:
        rng = np.random.default_rng(seed)
        return located(shaped_event(kind, rng, i) for i in range(1000))

    builder = ReferenceBuilder(MODEL)
    builder.add(day(1))
    refresher = ReferenceRefresher(current := builder.build())
    refresher.add(day(2))
    assert refresher.refresh(current).clients == 25


def shaped_event(kind: str, rng: Generator, i: int) -> PredictionEvent:
    texts: Row = {f"f{j}": f"v{rng.integers(6)}" for j in range(5)}
    one = Input(fingerprint=rng.bytes(8).hex())
    item = Input(fields=texts) if kind == "categories" else one
    return event(f"c{i % 25}", i // 25, None, input=item)
