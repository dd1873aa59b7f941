from collections.abc import Sequence
from datetime import UTC, datetime
from itertools import pairwise

import msgspec
import numpy as np
import pytest

from detector.events.batch import MAX_FIELDS
from detector.events.model import Input, PredictionEvent
from detector.features.catalogue import CATALOGUE
from detector.pipeline.watch import CLIENT_FIELDS, ModelWatch
from detector.reference.client_days import DAY_MS, QUERIES
from detector.reference.picture import Reference
from detector.scoring.clients import SavedRows
from detector.scoring.finding import Evidence, Finding
from detector.scoring.signs import SIGNS
from detector.scoring.tables import ScoringPolicy
from tests.scoring.traffic import (
    MODEL,
    START_MS,
    benign,
    event,
    located,
    path_finding,
    person,
    random_querying,
    reference,
)


def watch(picture: Reference | None = None, max_clients: int = 1000) -> ModelWatch:
    return ModelWatch(MODEL, picture, ScoringPolicy(), max_clients)


def queries_of(events: Sequence[PredictionEvent], model: ModelWatch) -> list[int]:
    return [profile.queries for _, profile in model.process(located(events)).profiles]


def test_profiles_come_at_fixed_ordinals_of_a_clients_life() -> None:
    assert queries_of(benign("alice", 600, 1), watch(reference())) == [32, 64, 128, 256, 512]


def heard(model: ModelWatch) -> list[float]:
    """The client-days that the drift alarm has heard of."""
    saved = model.header().drift
    assert saved is not None
    return saved.recent


def test_the_drift_alarm_hears_once_a_day_of_each_client_and_never_of_suspects() -> None:
    model = watch(reference())
    day = DAY_MS // 2000
    quiet, loud = benign("quiet", QUERIES, 1), benign("loud", 30, 2)
    model.process(located([*quiet, *loud]))
    assert len(heard(model)) == 2
    model.process(located([*quiet, *loud]))
    assert len(heard(model)) == 2
    model.process(located(random_querying("thief", 300, 1)))
    assert model.suspects(["thief"]) == {"thief"}
    before = heard(model)
    later = [event("thief", day + i, person(np.random.default_rng(i))) for i in range(30)]
    model.process(located(later))
    assert heard(model) == before
    model.process(located([event("quiet", day + i, None) for i in range(30)]))
    assert heard(model) == before
    model.process(located([msgspec.structs.replace(e, time_ms=e.time_ms + DAY_MS) for e in quiet]))
    assert len(heard(model)) == len(before) + 1


def test_under_another_reference_a_day_begins_anew() -> None:
    model = watch(reference())
    events = benign("alice", 2 * QUERIES, 1)
    model.process(located(events[: QUERIES - 1]))
    model.adopt(reference())
    model.process(located(events[QUERIES - 1 : 2 * QUERIES - 2]))
    assert heard(model) == []
    model.process(located(events[2 * QUERIES - 2 :]))
    assert len(heard(model)) == 1


def test_a_profile_says_who_since_when_and_how_it_looks() -> None:
    _, profile = watch(reference()).process(located(benign("alice", 40, 1))).profiles[0]
    assert profile.client.client_id == "alice"
    assert profile.first_seen == datetime.fromtimestamp(START_MS / 1000, UTC)
    assert profile.last_seen == datetime.fromtimestamp((START_MS + 31 * 2000) / 1000, UTC)
    assert profile.status == "calibrated"
    assert set(profile.features) <= {feature.name for feature in CATALOGUE}
    assert set(profile.scores) == {sign.name for sign in SIGNS}


def test_every_finding_comes_with_a_profile_of_the_same_event() -> None:
    watched = watch(reference()).process(located(path_finding("eve", 200, 1)))
    at = [index for index, _ in watched.profiles]
    assert watched.findings
    assert {index for index, _ in watched.findings} <= set(at)


def test_findings_name_the_event_they_were_found_at() -> None:
    events = located(path_finding("eve", 200, 1))
    for index, found in watch(reference()).process(events).findings:
        assert found.event_id == events[index].event.event_id
        assert found.position == events[index].position
        assert found.query == index + 1
        assert found.time_ms == events[index].event.time_ms


def test_a_running_attack_is_reported_ever_more_rarely() -> None:
    watched = watch(reference()).process(located(path_finding("eve", 3000, 1)))
    at = [f.query for _, f in watched.findings if f.technique == "tree_path_finding"]
    assert 3 <= len(at) <= 40
    gaps = np.diff(at)
    assert gaps.min() >= 16
    assert gaps[-1] > 5 * gaps[0]


def test_suspicion_falls_on_the_suspect_alone() -> None:
    model = watch(reference())
    model.process(located([*path_finding("eve", 100, 1), *benign("alice", 100, 2)]))
    assert model.suspects(["alice", "eve", "stranger"]) == {"eve"}
    assert model.suspects([]) == set()


def test_suspicion_outlives_a_new_reference() -> None:
    model = watch()
    model.process(located(path_finding("eve", 100, 1)))
    model.adopt(reference())
    assert model.suspects(["eve"]) == {"eve"}
    assert model.clients == 1
    assert queries_of(benign("alice", 40, 3), model) == [32]


def test_nothing_is_said_of_a_suspect_under_a_new_reference_until_a_sign_is_credible_again() -> (
    None
):
    model = watch()
    assert model.process(located(path_finding("eve", 100, 1))).findings
    model.adopt(reference())
    assert not model.process(located(benign("eve", 400, 2))).findings
    found = [f for _, f in model.process(located(path_finding("eve", 100, 3))).findings]
    assert found
    assert found[0].calibrated
    assert found[0].confidence > 0.9


def test_ordinary_queries_alone_are_no_news_of_a_suspect() -> None:
    model = watch(reference())
    model.process(located(path_finding("eve", 60, 1)))
    latest: list[Finding] = []
    for part in range(10):
        latest = [f for _, f in model.process(located(benign("eve", 300, part))).findings]
    assert not latest
    assert model.process(located(path_finding("eve", 200, 2))).findings


def backwards(events: Sequence[PredictionEvent]) -> list[PredictionEvent]:
    """The same events with their fields in the opposite order."""
    return [
        msgspec.structs.replace(e, input=Input(fields=dict(reversed(e.input.fields.items()))))
        for e in events
        if e.input is not None and e.input.fields is not None
    ]


def searched_fields(evidence: Sequence[Evidence]) -> list[object]:
    """The fields that the evidence says were searched."""
    return [said.numbers["field"] for said in evidence if said.kind == "searched_field"]


def test_under_another_reference_evidence_names_the_columns_of_that_one() -> None:
    """The log gives its fields in another order than the reference."""

    model, fresh_model = watch(), watch(reference())
    model.process(located(backwards(path_finding("eve", 150, 1))))
    model.adopt(reference())
    events = located(backwards(path_finding("eve", 150, 2)))
    after = [found.evidence for _, found in model.process(events).findings]
    fresh = [found.evidence for _, found in fresh_model.process(events).findings]
    assert searched_fields(after[-1]) == searched_fields(fresh[-1]) != []


def test_fields_that_the_reference_never_saw_carry_no_evidence() -> None:
    rng = np.random.default_rng(4)
    rows = [person(rng) for _ in range(80)]
    plain = watch(reference()).process(located(event("a", i, row) for i, row in enumerate(rows)))
    more = watch(reference()).process(
        located(event("a", i, {**row, f"unknown-{i}": i}) for i, row in enumerate(rows))
    )
    assert [p.features for _, p in plain.profiles] == [p.features for _, p in more.profiles]


def told(caplog: pytest.LogCaptureFixture) -> int:
    return sum("name no field" in record.message for record in caplog.records)


def test_inputs_without_a_known_field_count_for_the_volume_and_are_told_of(
    caplog: pytest.LogCaptureFixture,
) -> None:
    def renamed(event: PredictionEvent) -> PredictionEvent:
        assert event.input is not None
        fields = {k.upper(): v for k, v in (event.input.fields or {}).items()}
        return msgspec.structs.replace(event, input=Input(fields=fields))

    model = watch(reference())
    found = model.process(located(map(renamed, random_querying("thief", 1500, 1))))
    assert found.unmatched == 1500
    assert model.volumes(["thief"]).peaks.max() > 1400
    assert told(caplog) == 1
    found = model.process(located(benign("alice", 600, 1)))
    assert (found.unmatched, told(caplog)) == (0, 1)


def test_a_row_by_position_is_judged_as_one_by_name() -> None:
    def in_a_row(event: PredictionEvent) -> PredictionEvent:
        assert event.input is not None
        fields = event.input.fields or {}
        return msgspec.structs.replace(event, input=Input(features=list(fields.values())))

    events = path_finding("thief", 100, 1)
    by_name = watch(reference()).process(located(events))
    by_position = watch(reference()).process(located(map(in_a_row, events)))
    assert by_name.findings
    assert [found.evidence for _, found in by_position.findings] == [
        found.evidence for _, found in by_name.findings
    ]


def test_while_learning_one_client_cannot_take_all_columns() -> None:
    junk = Input(features=[0.0] * MAX_FIELDS)
    loud = msgspec.structs.replace(event("mallory", 0, None), input=junk)
    model = watch()
    model.process(located([loud, loud, *benign("alice", 3, 1)]))
    fields = model.header().fields
    assert len([name for name in fields if name.isdigit()]) == CLIENT_FIELDS
    assert set(benign("alice", 1, 1)[0].input.fields or ()) <= set(fields)  # type: ignore[union-attr]
    again = watch()
    rows = [part for part in model.save(True) if isinstance(part, SavedRows)]
    again.restore(model.header(), rows, [])
    again.process(located([loud]))
    assert again.header().fields == fields


def test_the_same_client_comes_back_blank_after_it_had_to_leave() -> None:
    model = watch(reference(), max_clients=64)
    model.process(located(benign("alice", 40, 1)))
    for begin in range(0, 200, 20):
        crowd = [event(f"c{begin + i}", n, None) for i in range(20) for n in range(8)]
        model.process(located(crowd))
    assert queries_of(benign("alice", 40, 1), model) == [32]


def test_passing_names_do_not_push_out_who_is_known() -> None:
    model = watch(reference(), max_clients=64)
    model.process(located(benign("alice", 31, 1)))
    model.process(located(event(f"c{i}", 0, None) for i in range(1000)))
    assert queries_of(benign("alice", 1, 1), model) == [32]


def test_a_flood_of_names_is_found_once_and_again_when_it_has_doubled() -> None:
    model = watch(reference(), max_clients=64)
    model.process(located(event(f"known{i % 20}", i, None) for i in range(4000)))
    watched = model.process(located(event(f"c{i}", 0, None) for i in range(300)))
    floods = [f for _, f in watched.findings if f.technique == "identity_flood"]
    assert [f.client.client_id for f in floods] == ["*"] * len(floods)
    assert len(floods) >= 3
    ids = [f.query for f in floods]
    assert all(later >= 2 * earlier for earlier, later in pairwise(ids))
    assert "new client ids" in floods[0].evidence[0].statement


def test_a_population_that_never_settles_is_no_flood() -> None:
    model = watch(reference(), max_clients=64)
    watched = model.process(located(event(f"c{i // 2}", i, None) for i in range(4000)))
    assert not [f for _, f in watched.findings if f.technique == "identity_flood"]
