import numpy as np
import pytest
from msgspec import structs
from numpy.typing import NDArray

from detector.events.model import Input, ModelKey, Output, PredictionEvent
from detector.kit.errors import ConfigurationError
from detector.pipeline.learn import MIN_CLIENTS, MIN_EVENTS, ReferenceBuilder, learn
from detector.pipeline.watch import ModelWatch
from detector.reference.picture import Reference
from detector.reference.volumes import NO_VOLUMES
from detector.scoring.grow import planted
from detector.scoring.signs import SIGNS
from detector.scoring.tables import ScoringPolicy, build_tables
from tests.scoring.traffic import (
    MODEL,
    Row,
    benign,
    benign_log,
    event,
    interleave,
    located,
    path_finding,
    reference,
    sphere,
)


def built(clients: int, each: int) -> ReferenceBuilder:
    builder = ReferenceBuilder(MODEL)
    builder.add(interleave([benign(f"benign-{k}", each, k) for k in range(clients)]))
    return builder


@pytest.mark.parametrize(("clients", "each"), [(MIN_CLIENTS - 1, 500), (50, 3), (0, 0)])
def test_too_little_traffic_is_refused_with_what_is_missing(clients: int, each: int) -> None:
    with pytest.raises(
        ConfigurationError, match=rf"{MIN_EVENTS} events .* {clients * each} events"
    ):
        built(clients, each).build()


def test_the_least_traffic_allowed_suffices() -> None:
    learnt = built(MIN_CLIENTS, MIN_EVENTS // MIN_CLIENTS).build()
    assert (learnt.clients, learnt.events) == (MIN_CLIENTS, MIN_EVENTS)


def test_only_the_models_own_events_with_inputs_count() -> None:
    builder = built(MIN_CLIENTS, MIN_EVENTS)
    events = builder.build().events
    builder.add(located(event("silent", i, None) for i in range(50)))
    other = ModelKey("acme", "churn")
    builder.add(located(event("other", i, {"x": 1.0}, other) for i in range(50)))
    assert builder.build().events == events


def test_learning_is_deterministic() -> None:
    assert learn(MODEL, benign_log()).digest() == reference().digest()


def test_every_sign_is_calibrated() -> None:
    learnt = reference()
    for sign in SIGNS:
        null = learnt.nulls[sign.name]
        assert len(null) == 2 * len(sign.stages)
        assert all(value > 0 for value in null)
        assert np.isfinite(learnt.ceilings[sign.name])
    assert np.isfinite(learnt.vectors).all()


def test_the_trees_are_those_of_the_client_vectors() -> None:
    assert len(reference().forest)
    assert planted(reference()).digest() == reference().digest()


def test_what_is_near_usual_and_apart_is_learnt_in_that_order() -> None:
    learnt = reference()
    assert 0 < learnt.near < learnt.typical < np.sqrt(learnt.apart) < np.inf


def test_the_most_distinct_queries_a_day_of_every_client_are_learnt() -> None:
    learnt = reference()
    assert learnt.volumes.shape == (learnt.clients,)
    assert learnt.volumes == pytest.approx(60.0, rel=0.05)
    assert learnt.volume_days == pytest.approx(59 * 2 / 86_400)


@pytest.mark.parametrize("queries", [40, 400])
def test_a_single_intruder_does_not_raise_a_threshold(queries: int) -> None:
    def thresholds(*streams: list[PredictionEvent]) -> NDArray[np.float64]:
        learnt = learn(MODEL, interleave([*honest, *streams]))
        return build_tables(
            SIGNS, learnt.nulls, learnt.ceilings, NO_VOLUMES, ScoringPolicy(), True
        ).thresholds

    honest = [benign(f"benign-{k}", 40, k) for k in range(20)]
    raised = thresholds(path_finding("eve", queries, 1)) - thresholds()
    assert (raised[np.isfinite(raised)] < 0.5).all()


def test_where_records_differ_in_one_field_whoever_looks_at_a_few_is_reckoned_with() -> None:
    """No client of the reference asks about a shop twice, but somebody may of one shop alone."""

    def tour(client: int) -> list[Row]:
        rng = np.random.default_rng(client)
        return [
            {"shop": f"s{k}", "region": k % 7, "size": k % 11, "loyalty": float(rng.random())}
            for k in rng.permutation(60).tolist()
        ]

    streams = [[event(f"c{k}", i, row) for i, row in enumerate(tour(k))] for k in range(30)]
    assert learn(MODEL, interleave(streams)).ceilings["one_field"] > 1.0


def test_names_that_one_client_makes_up_get_no_column() -> None:
    wide, named = (event("mallory", i, None) for i in range(2))
    wide = structs.replace(wide, input=Input(features=[0.0] * 4096))
    named = structs.replace(named, input=Input(fields={f"x{i}": 1.0 for i in range(200)}))
    learnt = learn(MODEL, [*located([wide, named]), *benign_log(20, 30)])
    assert learnt.names == reference().names
    assert learnt.layout.by_position
    assert learnt.events == 600


def test_a_class_is_seen_to_climb_where_scores_are_logits() -> None:
    def in_logits(given: PredictionEvent) -> PredictionEvent:
        assert given.output is not None
        assert isinstance(given.output.scores, list)
        p = np.clip(given.output.scores, 1e-9, 1.0 - 1e-9)
        logits = np.log(p / (1.0 - p)).tolist()
        return structs.replace(given, output=Output(label=given.output.label, scores=logits))

    def climb(picture: Reference, events: list[PredictionEvent]) -> float:
        model = ModelWatch(MODEL, picture, ScoringPolicy(), 10)
        profile = model.process(located(events)).profiles[-1][1]
        return profile.features["climb"]

    log = located(in_logits(item.event) for item in benign_log(20, 30))
    attack = list(map(in_logits, sphere("eve", 150, 5)))
    assert climb(learn(MODEL, log), attack) > 0.1


def test_an_intruder_does_not_teach_that_what_it_does_is_usual() -> None:
    honest = [benign(f"benign-{k}", 40, k) for k in range(20)]
    clean = learn(MODEL, interleave(honest))
    tainted = learn(MODEL, interleave([*honest, path_finding("eve", 2000, 1)]))
    assert sum(tainted.nulls["search"][::2]) <= 1.5 * sum(clean.nulls["search"][::2])
    np.testing.assert_array_equal(tainted.fields.grid, clean.fields.grid)
