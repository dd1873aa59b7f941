"""Detection sees the same whatever the cuts, and takes whatever a log holds."""

from collections.abc import Callable, Mapping, Sequence
from functools import cache
from itertools import chain, pairwise, repeat, zip_longest
from random import Random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from detector.events.located import LocatedEvent
from detector.events.model import Cell, Input, ModelKey, Output, PredictionEvent
from detector.pipeline.detect import Detections, Detector
from detector.pipeline.learning import DetectionPolicy
from detector.reference.picture import Reference
from detector.scoring.finding import AttackClass
from tests.scoring.traffic import (
    ATTACKS,
    MODEL,
    START_MS,
    Row,
    attribute_sweep,
    benign,
    event,
    interleave,
    line_search,
    located,
    path_finding,
    person,
    random_querying,
    reference,
)

LEARNING = DetectionPolicy(learn_events=800, learn_clients=20, learn_share=0.05)


def run(
    events: Sequence[LocatedEvent],
    cuts: Sequence[int] = (),
    references: Mapping[ModelKey, Reference] | None = None,
    policy: DetectionPolicy = LEARNING,
) -> Detections:
    """Feed the log in pieces; returns all that was said, in order."""
    detector = Detector(policy, references)
    edges = sorted({0, *cuts, len(events)})
    said = [detector.process(events[a:b]) for a, b in pairwise(edges)]
    return Detections(
        tuple(chain.from_iterable(part.findings for part in said)),
        tuple(chain.from_iterable(part.profiles for part in said)),
        tuple(chain.from_iterable(part.frozen for part in said)),
    )


@cache
def hostile_log() -> tuple[LocatedEvent, ...]:
    """Every attack among benign clients of three kinds of log, and one that only repeats."""
    streams = [
        *(attack(f"eve-{k}", 150, k) for k, attack in enumerate(ATTACKS)),
        *(benign(f"benign-{k}", 60, 600 + k) for k in range(24)),
        [event("health", i, {"age": 40, "amount": 9000}) for i in range(90)],
        [event("silent", i, None) for i in range(40)],
        [event("bare", i, person(np.random.default_rng(i)), output=None) for i in range(60)],
    ]
    return tuple(interleave(streams))


def known() -> dict[ModelKey, Reference]:
    return {MODEL: reference()}


@cache
def expected(with_reference: bool) -> Detections:
    return run(hostile_log(), references=known() if with_reference else None)


CUTS = st.lists(st.integers(1, 1800), max_size=25)


class TestCuts:
    @given(CUTS)
    @settings(max_examples=12, deadline=None)
    def test_batches_do_not_matter_with_a_reference(self, cuts: list[int]) -> None:
        assert run(hostile_log(), cuts, known()) == expected(True)

    @given(CUTS)
    @settings(max_examples=8, deadline=None)
    def test_batches_do_not_matter_while_learning(self, cuts: list[int]) -> None:
        assert run(hostile_log(), cuts) == expected(False)

    def test_one_by_one_is_as_good_as_all_at_once(self) -> None:
        every = range(len(hostile_log()))
        assert run(hostile_log(), every, known()) == expected(True)
        assert run(hostile_log(), every) == expected(False)

    def test_the_log_shows_something_to_disagree_about(self) -> None:
        for said in (expected(True), expected(False)):
            assert len({finding.technique for finding in said.findings}) >= 3
            assert len(said.profiles) > len(said.findings)
        assert len(expected(False).frozen) == 1


def shuffled_streams(seed: int, streams: Sequence[Sequence[PredictionEvent]]) -> list[LocatedEvent]:
    """Interleave streams at random, each keeping its own order."""
    turns = list(chain.from_iterable(repeat(k, len(items)) for k, items in enumerate(streams)))
    Random(seed).shuffle(turns)
    queues = [iter(items) for items in streams]
    return located(next(queues[k]) for k in turns)


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_other_clients_in_between_do_not_matter(seed: int) -> None:
    streams = [
        *(attack(f"eve-{k}", 150, k) for k, attack in enumerate(ATTACKS)),
        *(benign(f"benign-{k}", 50, 700 + k) for k in range(6)),
    ]

    def verdicts(events: Sequence[LocatedEvent]) -> dict[str, list[tuple[object, ...]]]:
        said: dict[str, list[tuple[object, ...]]] = {}
        for found in run(events, references=known()).findings:
            row = (found.technique, found.query, found.log_evidence, found.features)
            said.setdefault(found.client.client_id, []).append(row)
        return said

    one_after_another = located(chain.from_iterable(streams))
    assert verdicts(shuffled_streams(seed, streams)) == verdicts(one_after_another)


def test_models_do_not_mix() -> None:
    other = ModelKey("acme", "churn")
    theirs = [
        event("eve-0", i, item.input.fields, other)  # type: ignore[union-attr]
        for i, item in enumerate(path_finding("x", 80, 5))
    ]
    pair = zip_longest(line_search("eve-0", 80, 4), theirs)
    mixed = run(located(item for turn in pair for item in turn if item), references=known())
    alone = run(located(line_search("eve-0", 80, 4)), references=known())
    verdict = [
        (f.technique, f.query, f.log_evidence)
        for f in mixed.findings
        if f.client.model_id == MODEL.model_id
    ]
    assert verdict == [(f.technique, f.query, f.log_evidence) for f in alone.findings]
    assert {f.technique for f in mixed.findings if f.client.tenant_id == "acme"} == {
        "tree_path_finding"
    }


def test_a_stored_reference_judges_as_the_learnt_one_does() -> None:
    stored = Reference.from_bytes(reference().to_bytes())
    assert run(hostile_log(), references={MODEL: stored}) == expected(True)


def late_fields() -> list[LocatedEvent]:
    """Searches during which optional fields turn up one by one, past the width of a sketch."""

    def late(events: Sequence[PredictionEvent]) -> list[PredictionEvent]:
        rows = [item.input.fields or {} for item in events if item.input]
        return [
            event(events[0].client_id, i, {**row, **{f"late-{k}": 1.0 for k in range(i // 2)}})
            if i % 20 == 19
            else event(events[0].client_id, i, row)
            for i, row in enumerate(rows)
        ]

    return interleave([late(path_finding("eve", 200, 1)), late(line_search("mallory", 200, 1))])


@pytest.mark.parametrize("seed", range(4))
def test_fields_that_turn_up_late_do_not_make_batches_matter(seed: int) -> None:
    cuts = Random(seed).sample(range(1, 400), [1, 5, 50, 399][seed])
    whole = run(late_fields())
    assert whole.findings
    assert run(late_fields(), cuts) == whole


class TestLearning:
    def test_clients_that_ask_little_teach_too(self) -> None:
        rng = np.random.default_rng(2)
        events = located(event(f"c{i // 2}", i % 2, person(rng)) for i in range(2000))
        (frozen,) = run(events).frozen
        assert frozen.events == 800

    def test_suspects_alone_teach_nothing(self) -> None:
        policy = DetectionPolicy(learn_events=300, learn_clients=5, learn_share=1.0)
        eves = interleave([path_finding(f"eve-{k}", 100, k) for k in range(5)])
        people = interleave([benign(f"benign-{k}", 100, k) for k in range(5)])
        detector = Detector(policy)
        assert not detector.process(eves).frozen
        moved = [LocatedEvent(p._replace(offset=p.offset + len(eves)), e) for p, e in people]
        (frozen,) = detector.process(moved).frozen
        assert (frozen.events, frozen.clients) == (300, 5)

    def test_it_freezes_once_and_judges_by_it_from_then_on(self) -> None:
        said = expected(False)
        (frozen,) = said.frozen
        stored = Reference.from_bytes(frozen.body)
        assert (frozen.model, frozen.events) == (MODEL, stored.events)
        assert frozen.digest == stored.digest()
        statuses = [profile.status for profile in said.profiles]
        turn = statuses.index("calibrated")
        assert set(statuses[:turn]) == {"learning"}
        assert set(statuses[turn:]) == {"calibrated"}

    def test_suspected_clients_teach_nothing(self) -> None:
        streams = [
            *(path_finding(f"eve-{k}", 60, k) for k in range(4)),
            *(benign(f"benign-{k}", 60, 300 + k) for k in range(24)),
        ]
        (frozen,) = run(interleave(streams)).frozen
        assert frozen.clients <= 24
        assert frozen.summary["gridded_fields"] == reference().summary()["gridded_fields"]

    def test_no_client_counts_with_more_than_its_share(self) -> None:
        loud = benign("loud", 3000, 1)
        others = [benign(f"benign-{k}", 60, 300 + k) for k in range(30)]
        policy = DetectionPolicy(learn_events=800, learn_clients=20, learn_share=0.05)
        (frozen,) = run([*located(loud), *interleave(others)], policy=policy).frozen
        assert frozen.clients > 20
        assert 800 <= frozen.events < 900

    def test_how_much_clients_ask_is_not_cut_short_with_what_they_teach(self) -> None:
        streams = [benign(f"benign-{k}", 120, 300 + k) for k in range(24)]
        (frozen,) = run([*located(benign("loud", 880, 1)), *interleave(streams)]).frozen
        learnt = Reference.from_bytes(frozen.body)
        assert len(learnt.volumes) == frozen.clients
        assert learnt.volumes.max() == pytest.approx(879, rel=0.05)

    def test_busy_clients_are_not_harvesting_for_being_learnt_in_minutes(self) -> None:
        rng = np.random.default_rng(5)
        rows: list[Row] = [
            {"a": float(x), "b": float(y)} for x, y in rng.normal(size=(24 * 700, 2))
        ]
        events = located(event(f"c{i % 24}", i // 24, row) for i, row in enumerate(rows))
        said = run(events)
        assert said.frozen
        assert {found.technique for found in said.findings} <= {"anomalous_client"}

    def test_nothing_freezes_before_there_are_enough_clients(self) -> None:
        few = interleave([benign(f"benign-{k}", 100, k) for k in range(19)])
        policy = DetectionPolicy(learn_events=800, learn_clients=20, learn_share=1.0)
        assert not run(few, policy=policy).frozen

    def test_yes_and_no_or_one_reading_of_a_sensor_are_no_attack_while_learning(self) -> None:
        rng = np.random.default_rng(5)
        shares = rng.random((30, 8))

        def flags(c: int) -> dict[str, Cell]:
            return {f"q{j}": bool(rng.random() < shares[c, j]) for j in range(8)}

        def reading(c: int) -> dict[str, Cell]:
            return {"sensor": f"s{c}", "unit": "C", "value": round(float(rng.normal(20, 1)), 1)}

        for made in (flags, reading):
            events = [event(f"c{i % 30}", i, made(i % 30), output=None) for i in range(30 * 80)]
            assert not run(located(events), policy=DetectionPolicy()).findings

    @pytest.mark.parametrize("attack", [path_finding, line_search, attribute_sweep])
    def test_signatures_that_need_no_reference_already_work(
        self, attack: Callable[[str, int, int], list[PredictionEvent]]
    ) -> None:
        said = run(located(attack("eve", 120, 3)))
        assert said.findings
        assert not any(found.calibrated for found in said.findings)
        assert said.findings[-1].attack_class in {AttackClass.EXTRACTION, AttackClass.INVERSION}


rng = np.random.default_rng(21)


def shaped(input_: Input | None, output: Output | None, i: int) -> PredictionEvent:
    return event(f"client-{i % 4}", i, None, input=input_, output=output, time_ms=START_MS + i)


MIXED: tuple[Cell, ...] = (3.0, "text", None, True)
SHAPES: dict[str, Callable[[int], PredictionEvent]] = {
    "no input": lambda i: shaped(None, Output(label="yes"), i),
    "no output": lambda i: shaped(Input(features=[*rng.normal(size=5)]), None, i),
    "nothing at all": lambda i: shaped(None, None, i),
    "empty input": lambda i: shaped(Input(), Output(), i),
    "regression": lambda i: shaped(Input(features=[*rng.normal(size=5)]), Output(value=3.5), i),
    "one score": lambda i: shaped(Input(features=[*rng.normal(size=5)]), Output(scores=[0.7]), i),
    "100 classes": lambda i: shaped(
        Input(features=[*rng.normal(size=5)]), Output(scores=[*rng.dirichlet(np.ones(100))]), i
    ),
    "100 named classes": lambda i: shaped(
        Input(features=[*rng.normal(size=5)]),
        Output(label=f"c{i % 100}", scores={f"c{(i + k) % 100}": 0.2 for k in range(5)}),
        i,
    ),
    "embedding": lambda i: shaped(Input(embedding=[*rng.normal(size=768)]), Output(label=i % 3), i),
    "fingerprint": lambda i: shaped(Input(fingerprint=f"{i % 7:064x}"), Output(label=1), i),
    "fingerprints": lambda i: shaped(Input(fingerprint=["ab", f"{i:02x}"]), Output(label=1), i),
    "one field": lambda i: shaped(Input(features=[float(i)]), Output(label=1), i),
    "growing": lambda i: shaped(Input(features=[*rng.normal(size=1 + i // 4)]), Output(), i),
    "new names": lambda i: shaped(Input(fields={f"f{i}": 1.0, "x": i}), Output(label=0), i),
    "other types": lambda i: shaped(
        Input(fields={"x": MIXED[i % 4], "y": None}), Output(label=0), i
    ),
    "wild numbers": lambda i: shaped(
        Input(features=[1e308, -1e308, 5e-324, 1e29 * i]), Output(scores=[1e308, -1e308]), i
    ),
    "clock back": lambda i: event("client-0", i, {"x": i}, time_ms=START_MS - 1000 * i),
}


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("judged", [False, True], ids=["learning", "by another's reference"])
@pytest.mark.filterwarnings("ignore:.*:RuntimeWarning")
def test_any_shape_of_event_is_taken(shape: str, judged: bool) -> None:
    events = located(SHAPES[shape](i) for i in range(300))
    said = run(events, (7, 50, 51, 200), known() if judged else None)
    assert said.profiles
    for profile in said.profiles:
        assert all(np.isfinite(value) for value in profile.features.values())
        assert all(np.isfinite(value) for value in profile.scores.values())


@pytest.mark.parametrize("shape", ["no output", "embedding", "growing", "other types", "one field"])
@pytest.mark.filterwarnings("ignore")
def test_any_shape_with_inputs_can_be_learnt(shape: str) -> None:
    policy = DetectionPolicy(learn_events=100, learn_clients=4, learn_share=0.5)
    events = located(SHAPES[shape](i) for i in range(300))
    (frozen,) = run(events, (7, 150), policy=policy).frozen
    assert Reference.from_bytes(frozen.body).clients == 4


@pytest.mark.parametrize("held", [50, 64, 100])
def test_state_is_bounded_by_the_clients_allowed(held: int) -> None:
    detector = Detector(DetectionPolicy(max_clients=held), known())
    for begin in range(0, 600, 50):
        people = [person(np.random.default_rng(i)) for i in range(begin, begin + 50)]
        detector.process(located(event(f"c{begin + i}", 0, row) for i, row in enumerate(people)))
        assert detector.clients() <= held


def test_a_suspect_is_remembered_when_strangers_crowd_in() -> None:
    detector = Detector(DetectionPolicy(max_clients=64), known())
    attack = path_finding("eve", 200, 1)
    first = detector.process(located(attack[:100]))
    for begin in range(0, 300, 50):
        detector.process(located(event(f"c{begin + i}", 0, None) for i in range(50)))
    later = detector.process(located(attack[100:]))
    assert first.findings
    assert later.findings[-1].query > 100


def test_an_empty_batch_says_nothing() -> None:
    assert Detector(DetectionPolicy()).process([]) == Detections()


def test_random_queries_need_a_reference_and_are_found_by_one() -> None:
    events = located(random_querying("eve", 150, 2))
    assert not run(events).findings
    assert run(events, references=known()).findings
