"""What is counted of a log is true, does not depend on its cuts, and stays bounded."""

import json
from collections import Counter
from collections.abc import Iterable, Mapping
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from detector.events.decode import Decoder
from detector.events.record import Position, Record
from detector.pipeline.census import MOST_MODELS, LogCensus, LogFacts, ModelFacts
from detector.pipeline.census_clients import COUNTED_APART
from detector.pipeline.census_inputs import LISTED_FIELDS
from detector.pipeline.distinct import DistinctSample, MostFrequent

Event = Mapping[str, object]


def records(events: Iterable[Event]) -> list[Record]:
    """Log records; what an event does not say is that of the first client at noon."""
    common = {"event_id": "e", "time": 1_772_020_800_000, "client_id": "ann", "model_id": "m"}
    return [
        Record(Position("log", 0, at), json.dumps({**common, **event}).encode())
        for at, event in enumerate(events)
    ]


def counted(events: Iterable[Event], cuts: Iterable[int] = ()) -> LogFacts:
    """Take the census of a log that arrives in pieces."""
    decoder, census, log = Decoder(), LogCensus(), records(events)
    for a, b in pairwise(sorted({0, *cuts, len(log)})):
        census.add(decoder.decode_all(log[a:b]))
    return census.facts()


def of_one_model(events: Iterable[Event]) -> ModelFacts:
    [model] = counted(events).models
    return model


def of_fields(*rows: Mapping[str, object]) -> ModelFacts:
    return of_one_model({"input": {"fields": row}} for row in rows)


rng = np.random.default_rng(5)


class TestInputs:
    def test_forms_are_shares_of_records(self) -> None:
        facts = of_one_model(
            [
                {"input": {"features": [1, 2]}},
                {"input": {"fields": {"a": 1}}},
                {"input": {"embedding": [0.5] * 8}},
                {"input": {"fingerprint": ["ab", "cd"]}},
                {"input": {"fingerprint": "ab"}},
                {"input": {"fingerprint": ["ab"]}},
                {"input": {}},
                {},
            ]
        )
        assert list(facts.inputs.shares.values()) == [0.125] * 4 + [0.25, 0.25]
        assert (facts.inputs.usable, facts.inputs.present) == (0.375, 0.5)
        assert (facts.inputs.smallest, facts.inputs.largest) == (1, 8)
        assert facts.events_with_inputs == 6

    def test_fields_are_numbers_categories_or_both(self) -> None:
        rows = [{"n": 1.5, "c": "red", "b": i if i % 2 else "?", "e": None} for i in range(50)]
        inputs = of_fields(*rows).inputs
        assert [(f.name, f.kind.value) for f in inputs.listed] == [
            ("n", "number"), ("c", "category"), ("b", "mixed"), ("e", "empty"),
        ]  # fmt: skip
        assert (inputs.fields, inputs.numbers, inputs.categories) == (4, 1, 1)

    def test_a_field_is_missing_where_it_is_null_or_absent(self) -> None:
        inputs = of_fields({"a": 1}, {"a": None}, {"b": 1}, {"a": 2, "b": 3}).inputs
        assert [field.missing for field in inputs.listed] == [0.5, 0.5]
        assert inputs.gaps == 0.5

    @pytest.mark.parametrize(
        ("numbers", "grid"),
        [
            (rng.integers(1, 99, 200).tolist(), 1.0),
            (rng.normal(size=200).round(2).tolist(), 0.01),
            ((rng.integers(1, 99, 200) / 10).tolist(), 0.1),
            (rng.normal(size=200).tolist(), None),
            ((rng.integers(1, 99, 200) * 10**12).tolist(), None),
            ([0.0] * 100 + rng.normal(size=20).tolist(), None),
            ([0.0] * 100, None),
        ],
    )
    def test_the_grid_is_the_coarsest_step_numbers_keep_to(
        self, numbers: list[float], grid: float | None
    ) -> None:
        [field] = of_fields(*({"x": number} for number in numbers)).inputs.listed
        assert field.grid == grid

    def test_a_few_made_up_numbers_do_not_hide_the_grid(self) -> None:
        numbers = [*range(1, 91), *rng.normal(size=10).tolist()]
        inputs = of_fields(*({"x": number} for number in numbers)).inputs
        assert (inputs.listed[0].grid, inputs.listed[0].off_grid) == (1.0, 0.1)
        assert inputs.grids == {"1": 1}

    def test_wide_inputs_are_counted_whole_and_listed_in_part(self) -> None:
        inputs = of_one_model([{"input": {"features": [1.0] * 300}}]).inputs
        assert (inputs.fields, inputs.numbers, len(inputs.listed)) == (300, 300, LISTED_FIELDS)


def of_outputs(*outputs: object) -> ModelFacts:
    return of_one_model({"output": output} for output in outputs)


class TestOutputs:
    @pytest.mark.parametrize(
        ("output", "form"),
        [
            ({"scores": [0.2, 0.8]}, "full"),
            ({"scores": {"cat": 0.33, "dog": 0.33, "cow": 0.33}}, "full"),
            ({"scores": [0.4]}, "full"),
            ({"label": "cat", "scores": [0.4]}, "one"),
            ({"label": "cat", "scores": {"cat": 0.4}}, "one"),
            ({"scores": {"cat": 0.5, "dog": 0.3}}, "some"),
            ({"label": "cat"}, "none"),
        ],
    )
    def test_how_much_of_the_scores_is_shown(self, output: object, form: str) -> None:
        outputs = of_outputs(output).outputs
        assert [name.value for name, size in outputs.scores.items() if size] == [form]

    def test_a_class_is_known_by_label_or_scores(self) -> None:
        outputs = of_outputs({"label": 1}, {"scores": [0.5, 0.5]}, {"value": 2.5}, None).outputs
        assert (outputs.label, outputs.classified, outputs.value) == (0.25, 0.5, 0.25)

    def test_refused_requests_are_no_answers(self) -> None:
        facts = of_one_model([{"status": 429}, {"status": 200, "output": {"label": 1}}])
        assert (facts.events, facts.outputs.answered, facts.outputs.label) == (2, 1, 1.0)

    @pytest.mark.parametrize("digits", [1, 2, 3, 6])
    def test_rounding_is_seen(self, digits: int) -> None:
        scores = rng.beta(2, 2, 200).round(digits)
        outputs = of_outputs(*({"scores": [1 - score, score]} for score in scores)).outputs
        assert outputs.decimals == digits
        assert outputs.fully_scored == (1.0 if digits >= 3 else 0.0)

    def test_scores_that_are_not_rounded_or_say_nothing_have_no_digits(self) -> None:
        plain = of_outputs(*({"scores": [p, 1 - p]} for p in rng.beta(2, 2, 100))).outputs
        sure = of_outputs(*[{"scores": [0, 1]}] * 100).outputs
        assert plain.decimals is None
        assert sure.decimals is None
        assert plain.classes == 2


class TestClients:
    def test_sources_addresses_and_records(self) -> None:
        home, shop = "203.0.113.1", "203.0.113.2"
        identity = of_one_model(
            [
                *[{"client_id": "ann", "source_ip": home}] * 6,
                {"client_id": "bob", "source_ip": home, "identity_source": "header"},
                {"client_id": "ann", "source_ip": shop, "input": {"features": [1]}},
                {"client_id": shop, "source_ip": shop, "identity_source": "ip"},
                {"client_id": "2001:db8::7", "identity_source": "api_key"},
            ]
        ).identity
        assert identity.sources == {"api_key": 0.1, "header": 0.1, "ip": 0.1, "principal": 0.7}
        assert identity.by_address == 0.2
        assert (identity.clients, identity.clients_with_inputs) == (4, 1)
        assert (identity.queries_per_client, identity.seen_once) == (1.0, 0.75)
        assert identity.largest_client == 0.7
        assert (identity.addresses, identity.clients_per_address) == (2, 2.0)
        assert identity.most_clients_per_address == identity.most_addresses_per_client == 2

    def test_many_clients_are_estimated_and_few_held(self) -> None:
        identity = of_one_model(
            {"client_id": f"c{i % 20_000}", "source_ip": "203.0.113.1"} for i in range(40_000)
        ).identity
        assert identity.clients == pytest.approx(20_000, rel=0.1)
        assert identity.queries_per_client == 2.0
        assert identity.most_clients_per_address == COUNTED_APART

    def test_sampling_is_counted_in_predictions(self) -> None:
        facts = of_one_model([{"sampling_rate": 0.25}, {}])
        assert (facts.logged, facts.sampled) == (0.4, 0.5)


def test_lateness_is_measured_against_what_was_read_before() -> None:
    start = 1_772_020_800_000
    steps = [0, 100_000, 99_000, 30_000, 100_001, 500_000]
    time = of_one_model({"time": start + step} for step in steps).time
    assert time.late == pytest.approx(1 / 6, abs=1e-4)
    assert time.largest_step_back == 70.0
    assert (time.last - time.first).total_seconds() == 500.0


def test_what_cannot_be_used_is_counted_by_reason_and_path() -> None:
    log = counted([{"colour": "red"}, {"time": "noon"}, {"input": {"weight": 1}, "colour": 1}])
    assert log.events == 2
    assert log.rejected == {"invalid_time": 1}
    assert log.unknown_fields == {"$.colour": 2, "$.input.weight": 1}


def test_models_are_apart_and_their_number_is_bounded() -> None:
    log = counted({"model_id": f"m{i:04d}"} for i in range(MOST_MODELS + 50))
    assert len(log.models) == MOST_MODELS
    assert (log.events, log.left_out) == (MOST_MODELS + 50, 50)


def various(seed: int) -> list[Event]:
    """Records of all kinds, in an order of their own."""
    dice = np.random.default_rng(seed)
    return [
        {
            "model_id": str(dice.choice(["m", "n"])),
            "client_id": str(dice.choice(["ann", "bob", "198.51.100.7"])),
            "time": 1_772_020_800_000 + int(dice.integers(-90_000, 90_000)) + 10_000 * i,
            "input": {"fields": {str(k): float(dice.integers(9)) for k in dice.integers(0, 5, 2)}},
            "output": {"scores": [float(dice.random().__round__(3))]},
            "sampling_rate": float(dice.choice([1.0, 0.5])),
        }
        for i in range(60)
    ]


@given(st.integers(0, 5), st.lists(st.integers(1, 59), max_size=8))
def test_the_cuts_of_a_log_do_not_matter(seed: int, cuts: list[int]) -> None:
    assert counted(various(seed), cuts) == counted(various(seed))


class TestSketches:
    def test_a_sample_counts_exactly_whom_it_holds(self) -> None:
        sample: DistinctSample[list[str]] = DistinctSample(64, list)
        names = [f"name-{i % 1000}" for i in range(5000)]
        for name in names:
            kept = sample.of(name)
            if kept is not None:
                kept.append(name)
        assert len(sample) == 64
        assert [len(kept) for kept in sample] == [5] * 64
        assert sample.distinct() == pytest.approx(1000, rel=0.4)

    def test_few_keys_are_counted_exactly(self) -> None:
        sample: DistinctSample[list[str]] = DistinctSample(64, list)
        for i in range(300):
            sample.of(f"name-{i % 60}")
        assert sample.distinct() == 60

    @given(st.lists(st.lists(st.sampled_from("abcdefghij"), max_size=30), max_size=20))
    def test_the_most_frequent_is_never_too_high_nor_far_too_low(
        self, stretches: list[list[str]]
    ) -> None:
        frequent, truth = MostFrequent(4), Counter[str]()
        for stretch in stretches:
            frequent.add(Counter(stretch))
            truth.update(stretch)
        largest = max(truth.values(), default=0)
        assert largest - truth.total() / 4 <= frequent.largest() <= largest
